"""Labels that two sides have changed are joined: what one side has drawn stays, and nothing is lost in silence."""

import numpy as np
import pytest

from USLabelEfficientSegLib.annotation.sparse_labels import LabelledSlice, SparseLabels
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.study.joining import agreed_by, checksums, join, strokes_of

SHAPE = (6, 5, 4)
GEOMETRY = Geometry(SHAPE, (1.0, 1.0, 2.0), (0.0, 0.0, 0.0), np.eye(3))
ORGANS = ("solid", "fluid")


def labels_of(slices):
    """Labels with these slices, (axis, index): the value of all their voxels, or their 2-D labels."""
    labels = SparseLabels.unlabelled(GEOMETRY, ORGANS)
    for (axis, index), value in slices.items():
        labels.set_slice(axis, index, np.broadcast_to(np.uint8(value), np.delete(SHAPE, axis)).copy())
    return labels


def joined(here, before, there):
    found = join(labels_of(here), checksums(labels_of(before), 2), labels_of(there), 2)
    displaced = None if found.displaced is None else shown(found.displaced)
    return shown(found.labels), displaced


def shown(labels):
    """The labelled slices with their value."""
    return {(s.axis, s.index): int(labels.of_slice(s).max()) for s in labels.labelled_slices()}


@pytest.mark.parametrize(
    ("here", "before", "there", "both"),
    [
        ({(2, 1): 1}, {(2, 1): 1}, {(2, 1): 1}, {(2, 1): 1}),
        ({(2, 1): 1}, {(2, 1): 1}, {(2, 1): 1, (2, 3): 2}, {(2, 1): 1, (2, 3): 2}),  # drawn there
        ({(2, 1): 1, (2, 3): 2}, {(2, 1): 1}, {(2, 1): 1}, {(2, 1): 1, (2, 3): 2}),  # drawn here
        ({(2, 1): 1, (2, 3): 2}, {(2, 1): 1}, {(2, 1): 1, (2, 0): 2}, {(2, 0): 2, (2, 1): 1, (2, 3): 2}),
        ({(2, 1): 1}, {(2, 1): 1}, {(2, 1): 2}, {(2, 1): 2}),  # corrected there
        ({(2, 1): 2}, {(2, 1): 1}, {(2, 1): 1}, {(2, 1): 2}),  # corrected here
        ({(2, 1): 1}, {(2, 1): 1}, {}, {}),  # taken back there
        ({}, {(2, 1): 1}, {(2, 1): 1}, {}),  # taken back here
        ({}, {(2, 1): 1}, {(2, 1): 2}, {(2, 1): 2}),  # taken back here, corrected there
        ({(2, 1): 2}, {(2, 1): 1}, {}, {(2, 1): 2}),  # corrected here, taken back there
        ({(2, 1): 1}, {}, {(2, 3): 2}, {(2, 1): 1, (2, 3): 2}),  # it is not known what both held
        ({(2, 1): 2}, {}, {(2, 1): 2}, {(2, 1): 2}),  # both have drawn the same
    ],
)
def test_what_one_side_has_changed_is_as_on_that_side(here, before, there, both):
    assert joined(here, before, there) == (both, None)


def test_of_a_slice_that_both_have_drawn_that_of_there_is_told():
    assert joined({(2, 1): 1, (2, 2): 1}, {}, {(2, 1): 2}) == ({(2, 1): 1, (2, 2): 1}, {(2, 1): 2})
    assert joined({(2, 1): 2}, {(2, 1): 0}, {(2, 1): 1, (2, 3): 1}) == ({(2, 1): 2, (2, 3): 1}, {(2, 1): 1})


def test_slices_across_each_other_that_two_sides_have_drawn_are_both_labelled():
    here, there = {(2, 1): 1, (2, 3): 1}, {(2, 1): 1, (0, 2): 2}
    found, displaced = joined(here, {(2, 1): 1}, there)
    assert set(found) == {(2, 1), (2, 3), (0, 2)} and displaced is None

    both = join(labels_of(here), checksums(labels_of({(2, 1): 1}), 2), labels_of(there), 2).labels
    assert (both.of_slice(LabelledSlice(0, 2))[:, [0, 1, 2]] == 2).all()  # also where it crosses one of before
    assert (both.of_slice(LabelledSlice(2, 3)) == 1).all()


def test_a_slice_taken_back_here_leaves_those_whole_that_were_drawn_across_it_there():
    found, displaced = joined({}, {(2, 1): 1}, {(2, 1): 1, (0, 2): 1})
    assert set(found) == {(0, 2)} and displaced is None


def test_of_complete_labels_the_slices_across_the_axis_of_the_study_count():
    dense = {(2, index): 1 for index in range(4)}
    assert checksums(labels_of(dense), 2).keys() == {LabelledSlice(2, index) for index in range(4)}
    found, displaced = joined(dense, {}, {(0, 1): 2})
    assert found.keys() >= {*dense, (0, 1)} and displaced is None


def test_what_is_agreed_follows_from_both_sides_and_from_before():
    places = [LabelledSlice(2, index) for index in range(4)]
    here = {places[0]: 1, places[1]: 5, places[3]: 7}
    there = {places[0]: 1, places[1]: 6, places[2]: 8}
    before = {places[1]: 4, places[3]: 7}
    assert agreed_by(here, there, before) == {places[0]: 1, places[1]: 4, places[3]: 7}


def test_strokes_beside_labelled_slices_stay_and_a_slice_that_is_labelled_later_covers_them():
    here, there = labels_of({(2, 1): 1, (2, 3): 1}), labels_of({(2, 1): 1})
    there.voxels[2, 2, 2] = there.voxels[4, 4, 3] = 2
    before = checksums(labels_of({(2, 1): 1}), 2)

    for ours in (here, labels_of({(2, 1): 1})):
        both = join(ours, before, there, 2).labels
        assert both.voxels[2, 2, 2] == 2 and np.count_nonzero(both.voxels[:, :, 2] != 255) == 1
    assert join(here, before, there, 2).labels.voxels[4, 4, 3] == 1
    assert both.voxels[4, 4, 3] == 2
    assert strokes_of(here) is None and strokes_of(there) is not None
