"""What was measured of an organ counts for just the voxels that were measured, however they are saved."""

import json
import os
import shutil

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from USLabelEfficientSegLib.errors import Notice
from USLabelEfficientSegLib.imaging.files import write_label_map, write_map
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import LabelMap
from USLabelEfficientSegLib.measurement.flags import Flag
from USLabelEfficientSegLib.measurement.measuring import measure_files, of_kind, write_measurements_of
from USLabelEfficientSegLib.measurement.organ import OrganMeasurement
from USLabelEfficientSegLib.segmentation.segments import segment_metadata

ORGANS = ["prostate", "cyst <1 & 2>"]
TURN = np.array([[0.8, -0.6, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, -1.0]])
GEOMETRY = Geometry((14, 12, 10), (0.5, 0.4, 1.25), (-31.7, 12.3, 5.9), TURN)
VOXEL_ML = 0.00025


def label_map(name="a"):
    voxels = np.zeros(GEOMETRY.shape, dtype=np.uint8)
    voxels[2:8, 2:8, 2:8] = 1
    voxels[9:12, 3:6, 4:8] = 2
    return LabelMap(voxels, GEOMETRY, name)


def write(folder, segmentation):
    write_label_map(folder / f"{segmentation.name}.nrrd", segmentation, segment_metadata(segmentation, ORGANS))


@pytest.fixture
def segmented(tmp_path, measurement):
    """A segmentation of two organs, as `segment --probability` writes it; returns what was measured."""
    made = label_map()
    write(tmp_path, made)
    probability = np.stack([made.voxels == n for n in range(3)]).astype(np.float32) * 0.7 + 0.1
    write_map(tmp_path / "a_probability.nrrd", probability, GEOMETRY)
    rows = [
        measurement("a", organ, label, 2.67 * label, outline_volume_ml=2.5, interval_ml=(2.0, 9.0),
                    interval_method="tried", from_probabilities=True, flags=(Flag.HOLES,))
        for label, organ in enumerate(ORGANS, start=1)
    ]  # fmt: skip
    write_measurements_of(tmp_path / "a.nrrd", rows)
    return rows


def measured(path):
    return of_kind(measure_files([path]), OrganMeasurement)


def test_a_corrected_organ_has_the_volume_of_its_outline_and_the_other_one_keeps_its_own(tmp_path, segmented):
    corrected = label_map()
    corrected.voxels[2:5] = 0
    write(tmp_path, corrected)

    prostate, cyst = measured(tmp_path)

    assert prostate.voxel_count == 108
    assert prostate.volume_ml == prostate.outline_volume_ml == pytest.approx(108 * VOXEL_ML)
    assert (prostate.from_probabilities, prostate.interval_ml, prostate.interval_method) == (False, None, None)
    assert Flag.EDITED in prostate.flags
    assert cyst == segmented[1]


def test_an_erased_organ_has_no_volume(tmp_path, segmented):
    erased = label_map()
    erased.voxels[erased.voxels == 2] = 0
    write(tmp_path, erased)

    prostate, cyst = measured(tmp_path)

    assert prostate == segmented[0]
    assert (cyst.volume_ml, cyst.outline_volume_ml, cyst.interval_ml) == (0.0, 0.0, None)
    assert cyst.flags == (Flag.EMPTY, Flag.EDITED)


def test_an_organ_that_takes_voxels_of_another_changes_both(tmp_path, segmented):
    taken = label_map()
    taken.voxels[7, 2:8, 2:8] = 2
    write(tmp_path, taken)

    assert [Flag.EDITED in row.flags for row in measure_files([tmp_path])] == [True, True]


@pytest.mark.parametrize("shift", [(0.3, 0.0, 0.0), (0.0, 0.0, -1.25)])
def test_a_moved_grid_changes_all_organs(tmp_path, segmented, shift):
    image = sitk.ReadImage(str(tmp_path / "a.nrrd"))
    image.SetOrigin(np.add(image.GetOrigin(), shift).tolist())
    sitk.WriteImage(image, str(tmp_path / "a.nrrd"))

    assert [row.flags[-1] for row in measure_files([tmp_path])] == [Flag.EDITED, Flag.EDITED]


def test_another_spacing_changes_all_organs(tmp_path, segmented):
    image = sitk.ReadImage(str(tmp_path / "a.nrrd"))
    image.SetSpacing((0.5, 0.4, 1.0))
    sitk.WriteImage(image, str(tmp_path / "a.nrrd"))

    prostate, _ = measured(tmp_path)
    assert prostate.volume_ml == pytest.approx(216 * 0.0002) and Flag.EDITED in prostate.flags


@pytest.mark.parametrize("suffix", [".nrrd", ".nii.gz", ".mha"])
def test_a_segmentation_that_another_program_saves_unchanged_keeps_its_measurements(tmp_path, segmented, suffix):
    image = sitk.ReadImage(str(tmp_path / "a.nrrd"), sitk.sitkInt16)
    (tmp_path / "a.nrrd").unlink()
    sitk.WriteImage(image, str(tmp_path / f"a{suffix}"), useCompression=suffix != ".nrrd")

    assert measure_files([tmp_path / f"a{suffix}"], ORGANS) == segmented


def test_a_segmentation_that_was_cropped_around_its_organs_keeps_their_measurements(tmp_path, segmented):
    """3D Slicer saves segmentations so."""
    cropped = sitk.ReadImage(str(tmp_path / "a.nrrd"))[1:13, 1:9, 1:9]
    sitk.WriteImage(cropped, str(tmp_path / "a.nrrd"))

    assert measure_files([tmp_path / "a.nrrd"], ORGANS) == segmented


def test_a_new_organ_is_measured_and_the_others_keep_their_measurements(tmp_path, segmented):
    more = label_map()
    more.voxels[0:2, 0:2, 0] = 3
    write_label_map(tmp_path / "a.nrrd", more, segment_metadata(more, [*ORGANS, "stone"]))

    *kept, stone = measured(tmp_path)

    assert kept == segmented
    assert (stone.organ, stone.volume_ml, stone.interval_ml) == ("stone", pytest.approx(4 * VOXEL_ML), None)
    assert Flag.EDITED not in stone.flags


def test_segments_that_another_program_has_numbered_anew_keep_their_measurements(tmp_path, segmented):
    anew = label_map()
    anew.voxels[:] = np.array([0, 2, 1], dtype=np.uint8)[anew.voxels]
    write_label_map(tmp_path / "a.nrrd", anew, segment_metadata(anew, ORGANS[::-1]))

    rows = measured(tmp_path)

    assert [(row.organ, row.label, row.volume_ml) for row in rows] == [(ORGANS[1], 1, 5.34), (ORGANS[0], 2, 2.67)]
    assert measure_files([tmp_path], ORGANS) == segmented


def test_a_renamed_result_has_the_new_name(tmp_path, segmented):
    for path in list(tmp_path.iterdir()):
        path.rename(path.with_name(path.name.replace("a", "P001", 1)))

    rows = measured(tmp_path)

    assert [row.case for row in rows] == ["P001", "P001"]
    assert [row.volume_ml for row in rows] == [2.67, 5.34]


def test_a_record_of_another_segmentation_does_not_count(tmp_path, segmented):
    other = label_map("b")
    other.voxels[:] = np.roll(other.voxels, 1, axis=0)
    write(tmp_path, other)
    shutil.move(tmp_path / "a_measurements.json", tmp_path / "b_measurements.json")

    rows = measured(tmp_path / "b.nrrd")

    assert [(row.case, row.interval_ml, row.flags[-1]) for row in rows] == [("b", None, Flag.EDITED)] * 2
    assert rows[0].volume_ml == pytest.approx(216 * VOXEL_ML)


def test_without_a_record_probabilities_count_for_the_organs_that_they_outline(tmp_path, segmented):
    (tmp_path / "a_measurements.json").unlink()
    corrected = label_map()
    corrected.voxels[2:5] = 0
    write(tmp_path, corrected)

    prostate, cyst = measured(tmp_path)

    assert prostate.volume_ml == prostate.outline_volume_ml == pytest.approx(108 * VOXEL_ML)
    assert cyst.volume_ml == pytest.approx((36 * 0.7 + 0.1 * 1680) * VOXEL_ML)


def damage(path, change):
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))


def make_pipe(path):
    path.unlink()
    os.mkfifo(path)


DAMAGE = {
    "cut": lambda path: path.write_bytes(path.read_bytes()[:200]),
    "empty": lambda path: path.write_text(""),
    "no text": lambda path: path.write_bytes(b"\xff\xfe\x00"),
    "not an object": lambda path: path.write_text("[1, 2]"),
    "deep": lambda path: path.write_text("[" * 100_000),
    "another number": lambda path: damage(path, lambda record: record["measurements"][0].update(volume_ml=3.5)),
    "no number": lambda path: path.write_text(path.read_text().replace("2.67", "NaN")),
    "too large": lambda path: path.write_text(path.read_text().replace("2.67", "1e999")),
    "text for a number": lambda path: path.write_text(path.read_text().replace("2.67", '"2.67"')),
    "no measurements": lambda path: damage(path, lambda record: record.pop("measurements")),
    "newer": lambda path: damage(path, lambda record: record.update(format=99)),
    "no format": lambda path: damage(path, lambda record: record.update(format="2")),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "a dead link": lambda path: (path.unlink(), path.symlink_to("nowhere")),
    "endless": lambda path: os.truncate(path, 2**40),
    "a pipe": make_pipe,
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_record_is_told_and_what_it_held_is_measured_again(tmp_path, segmented, kind):
    DAMAGE[kind](tmp_path / "a_measurements.json")

    with pytest.warns(Notice, match="a_measurements.json: .*, so nothing is taken over from it"):
        prostate, _ = measured(tmp_path)

    assert prostate.interval_ml is None
    assert prostate.outline_volume_ml == pytest.approx(216 * VOXEL_ML)
