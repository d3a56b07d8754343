"""Labels are matched to organs by name; what cannot be told is refused with both lists of names."""

import numpy as np
import pytest

from USLabelEfficientSegLib.annotation.organ_names import folded
from USLabelEfficientSegLib.annotation.segments import LabelFile, matched, organ_labels, organs_named_in
from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import LabelMap

ORGANS = ["prostate", "Left Kidney"]
GRID = Geometry((3, 2, 2), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), np.eye(3))


def label_map(*values, **segments):
    voxels = np.zeros(GRID.shape, np.uint8)
    voxels.flat[: len(values)] = values
    return LabelMap(voxels, GRID, "a", {int(name.removeprefix("_")): organ for name, organ in segments.items()})


@pytest.mark.parametrize("name", ["left kidney", " LEFT  KIDNEY\t", "left_kidney", "Left-Kidney", "Ｌeft kidney"])
def test_names_that_people_write_differently_are_one(name):
    assert folded(name) == "left kidney"


def test_umlauts_and_capitals_of_other_scripts_fold():
    assert folded("Gro\u0308ße") == folded("GRÖSSE") and folded("ΚΎΣΤΗ") == folded("κύστη")
    assert folded("lobe 1") != folded("lobe 12")


def test_labels_follow_the_names_and_255_stays():
    swapped = matched(label_map(2, 2, 1, 255, _1="left_kidney", _2="PROSTATE"), ORGANS, "a.nrrd")

    assert swapped.voxels.flat[:5].tolist() == [1, 1, 2, 255, 0]
    assert swapped.segments == {1: "prostate", 2: "Left Kidney"}


def test_a_label_without_a_gap_is_found_by_name():
    assert matched(label_map(7, 7, _7="prostate"), ORGANS, "a").voxels.flat[:3].tolist() == [1, 1, 0]


@pytest.mark.parametrize(
    "segments", [{}, {"_1": "organ 1", "_2": "organ 2"}, {"_1": "Segment_1", "_2": "Segment_4"}, {"_2": "Segment"}]
)
def test_files_in_which_nobody_has_named_a_label_go_by_number(segments):
    assert matched(label_map(2, 1, **segments), ORGANS, "a").voxels.flat[:2].tolist() == [2, 1]


def test_a_file_that_lacks_an_organ_or_has_another_without_voxels_is_fine():
    assert organ_labels(LabelFile("a", {3: "prostate", 4: "urethra"}, [3]), ORGANS) == {3: 1}


@pytest.mark.parametrize(
    ("segments", "present", "message"),
    [
        ({1: "prostate", 2: "liver"}, [1, 2], "names its labels prostate, liver, and the organs are prostate, Left K"),
        ({1: "liver", 2: "spleen"}, [], "names its labels liver, spleen, and the organs are prostate, Left Kidney"),
        ({1: "prostate"}, [1, 2], "names its labels prostate, organ 2, and the organs are prostate, Left Kidney"),
        ({1: "prostate", 2: "Segment_2"}, [1, 2], "names its labels prostate, Segment_2, and the organs are"),
        (
            {1: "Prostate", 2: "prostate "},
            [1],
            r"calls both label 1 \(Prostate\) and label 2 \(prostate \) by one",
        ),
    ],
)
def test_contradictions_are_refused_with_both_lists(segments, present, message):
    with pytest.raises(InputError, match=message):
        organ_labels(LabelFile("a.nrrd", segments, present), ORGANS)


def test_the_first_file_gives_the_order_and_others_may_name_more():
    files = [
        LabelFile("a", {1: "Prostate", 2: "bladder"}, [1, 2]),
        LabelFile("b", {1: "BLADDER", 2: "urethra", 3: "prostate"}, [1]),
        LabelFile("c", {9: "urethra"}, [9]),
    ]

    assert organs_named_in(files) == ["Prostate", "bladder", "urethra"]
    assert organs_named_in([LabelFile("a", {1: "organ 1"}, [1]), LabelFile("b", {}, [1, 2])]) == []


def test_files_that_each_name_an_organ_of_their_own_do_not_agree():
    files = [LabelFile("a", {1: "bladder", 2: "prostate"}, [1]), LabelFile("b", {1: "bladder", 2: "prostat"}, [1])]

    with pytest.raises(InputError, match="b: is of bladder, prostat, other segmentations of bladder, prostate"):
        organs_named_in(files)


def test_numbers_beside_names_that_are_numbered_differently_are_refused():
    named = [LabelFile("a", {1: "bladder", 2: "prostate"}, [1]), LabelFile("b", {1: "prostate", 2: "bladder"}, [1])]
    nameless = LabelFile("c.nii", {}, [1, 2])

    assert organs_named_in([named[0], nameless]) == ["bladder", "prostate"]
    with pytest.raises(InputError, match=r"c\.nii: does not name its labels, .* b \(1 prostate, 2 bladder\); tell"):
        organs_named_in([*named, nameless])
