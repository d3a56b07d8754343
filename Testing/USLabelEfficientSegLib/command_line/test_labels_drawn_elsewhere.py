"""Slices that `suggest --write` hands out are labelled in another program, and `study label` takes them."""

import json

import numpy as np
import pytest
from labelled_cases import labels_of, record_of
from PIL import Image
from simulated_heads import write_heads, write_png

from USLabelEfficientSegLib.annotation.sparse_labels import SparseLabels
from USLabelEfficientSegLib.imaging.files import read_label_map, read_volume, write_label_map, write_volume
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import LabelMap, Scan
from USLabelEfficientSegLib.study.study import Study

COS, SIN = np.cos(0.3), np.sin(0.3)
GRID = Geometry((12, 10, 8), (0.5, 0.5, 2.0), (1.0, 2.0, 3.0), np.array([[COS, -SIN, 0], [SIN, COS, 0], [0, 0, 1]]))
TRUTH = np.zeros(GRID.shape, np.uint8)
TRUTH[3:9, 3:7, 2:6] = 1
TRUTH[3:5, 3:5, 3:5] = 2


@pytest.fixture
def study(tmp_path):
    (tmp_path / "images").mkdir()
    for number, name in enumerate("ab"):
        grey = np.random.default_rng(number).integers(50, 256, GRID.shape).astype(np.uint8)
        write_volume(tmp_path / "images" / f"{name}.nrrd", Scan(grey, GRID, name))
    made = Study.create(tmp_path / "study", tmp_path / "images", organs=["prostate", "cyst"])
    with made.lock():  # whose file stays
        return made


def painted(tmp_path, places, name="a", labels=TRUTH, fields=None, suffix=".nrrd"):
    """A folder with a label map of which some slices (axis, index) are labelled."""
    sparse = SparseLabels(labels, GRID, ("prostate", "cyst")).keep(places)
    (tmp_path / "drawn").mkdir(exist_ok=True)
    write_label_map(tmp_path / "drawn" / f"{name}{suffix}", LabelMap(sparse.voxels, GRID, name), fields)
    return tmp_path / "drawn"


def test_suggested_slices_are_written_painted_and_taken(study, call, tmp_path):
    out = tmp_path / "to-label"
    code, text, err = call("suggest", study.folder, "--count", 3, "--write", out, "--json")
    assert code == 0, err
    suggestions = json.loads(text)
    for name in {s["volume"] for s in suggestions}:
        np.testing.assert_array_equal(read_volume(out / "images" / f"{name}.nrrd").voxels, study.read_scan(name).voxels)
        unlabelled = read_label_map(out / "labels" / f"{name}.nrrd")
        assert (unlabelled.voxels == 255).all() and unlabelled.segments == {1: "prostate", 2: "cyst"}
        assert unlabelled.geometry.same_grid(GRID)
    pictures = sorted((out / "slices").iterdir())
    assert len(pictures) == 3 and f"{suggestions[0]['volume']} axis" in pictures[0].name
    for picture, s in zip(pictures, suggestions, strict=True):
        sides = [n * mm for a, (n, mm) in enumerate(zip(GRID.shape, GRID.spacing, strict=True)) if a != s["axis"]]
        width, height = Image.open(picture).size
        assert width / height == pytest.approx(sides[0] / sides[1], rel=0.01)

    for s in suggestions:
        path = out / "labels" / f"{s['volume']}.nrrd"
        label_map = read_label_map(path)
        where = tuple(s["index"] if axis == s["axis"] else slice(None) for axis in range(3))
        label_map.voxels[where] = TRUTH[where]
        fields = {"Segment0_LabelValue": "1", "Segment0_Name": "Prostate"}
        write_label_map(path, label_map, fields | {"Segment1_LabelValue": "2", "Segment1_Name": "CYST"})
    code, text, err = call("study", "label", study.folder, "--labels", out)

    assert code == 0, err
    assert {(case.name, *place) for case in Study.open(study.folder).cases for place in record_of(case).slices} == {
        (s["volume"], s["axis"], s["index"]) for s in suggestions
    }
    assert all(f"{s['volume']}: labelled " in text for s in suggestions)
    code, _, err = call("study", "label", study.folder, "--labels", out)
    assert code == 2 and "holds no labelled slice that the study does not have" in err


def test_slices_are_merged_and_what_is_replaced_is_told(study, call, tmp_path):
    before = SparseLabels(TRUTH, GRID, study.organs).keep([(2, 3), (2, 5)])
    before.voxels[..., 5] = 0
    study.set_labels("a", before)

    _, text, _ = call("study", "label", study.folder, "--labels", painted(tmp_path, [(2, 4), (2, 5)]))

    expected = SparseLabels(TRUTH, GRID, study.organs).keep([(2, 3), (2, 4), (2, 5)])
    found = Study.open(study.folder)
    np.testing.assert_array_equal(labels_of(found, "a").voxels, expected.voxels)
    assert "a: labelled axial, slice 5 of 8; replaced axial, slice 6 of 8" in text
    found.check_files()


def test_segments_are_matched_by_name(study, call, tmp_path):
    fields = {"Segment0_LabelValue": "1", "Segment0_Name": "cyst", "Segment1_LabelValue": "2"}
    swapped = np.array([0, 2, 1], np.uint8)[TRUTH]
    folder = painted(tmp_path, [(2, 4)], labels=swapped, fields=fields | {"Segment1_Name": "Prostate"})

    assert call("study", "label", study.folder, "--labels", folder)[0] == 0
    np.testing.assert_array_equal(labels_of(Study.open(study.folder), "a").voxels[..., 4], TRUTH[..., 4])


def test_one_file_that_does_not_fit_refuses_all(study, refused, tmp_path):
    folder = painted(tmp_path, [(2, 4)])
    painted(tmp_path, [(2, 4)], name="z")
    assert r"fits no volume of the study (a, b); give it the name" in refused(
        "study", "label", study.folder, "--labels", folder
    )
    (folder / "z.nrrd").unlink()

    painted(tmp_path, [(2, 4)], name="b", suffix=".nii.gz")
    shifted = Geometry(GRID.shape, GRID.spacing, (9.0, 2.0, 3.0), GRID.direction)
    write_label_map(folder / "b.nii.gz", LabelMap(TRUTH, shifted, "b"))
    assert "b.nii.gz: has another geometry than its image" in refused(
        "study", "label", study.folder, "--labels", folder
    )
    (folder / "b.nii.gz").unlink()

    fields = {"Segment0_LabelValue": "1", "Segment0_Name": "liver"}
    painted(tmp_path, [(2, 4)], name="b", fields=fields, labels=np.minimum(TRUTH, 1))
    line = refused("study", "label", study.folder, "--labels", folder)
    assert "names its labels liver, and the organs are prostate, cyst" in line
    assert all(case.labels is None for case in Study.open(study.folder).cases)


def test_a_slice_that_is_painted_in_part_is_refused_and_named(study, refused, tmp_path):
    sparse = SparseLabels(TRUTH, GRID, study.organs).keep([(2, 3), (2, 4)])
    sparse.voxels[..., 4][TRUTH[..., 4] == 0] = 255  # the background was left out
    (tmp_path / "drawn").mkdir()
    write_label_map(tmp_path / "drawn" / "a.nrrd", LabelMap(sparse.voxels, GRID, "a"))

    line = refused("study", "label", study.folder, "--labels", tmp_path / "drawn")

    assert "labels a part of a slice (axial, slice 5 of 8), of which 96 voxels are still 255" in line


def test_stray_files_are_named_with_what_adds_them(study, call, tmp_path):
    stray = study.folder / "labels" / "a.nrrd"
    painted(tmp_path, [(2, 4)])
    stray.write_bytes((tmp_path / "drawn" / "a.nrrd").read_bytes())

    assert (
        f"{stray}: is no part of the study and not used; add it with uslabelseg study label"
        in call("study", "show", study.folder)[1]
    )
    assert str(stray) in call("train", study.folder)[1]
    assert call("study", "label", study.folder, "--labels", study.folder / "labels")[0] == 0
    assert record_of(Study.open(study.folder).case("a")).slices == ((2, 4),)
    assert "is no part" not in call("study", "show", study.folder)[1]


def test_labels_of_images_are_taken_too(call, tmp_path):
    write_heads(tmp_path / "heads", 3)
    made = call(
        "study", "create", tmp_path / "study", "--images", tmp_path / "heads" / "images", "--organs", "head",
        "--pixel-sizes", tmp_path / "heads" / "sizes.csv",
    )  # fmt: skip
    assert made[0] == 0, made[2]
    (tmp_path / "drawn").mkdir()
    mask = np.zeros((64, 48))
    mask[20:40, 10:30] = 255
    write_png(tmp_path / "drawn" / "head_1.png", mask.T)

    code, text, err = call("study", "label", tmp_path / "study", "--labels", tmp_path / "drawn")

    assert code == 0 and "head_1: labelled" in text, err
    np.testing.assert_array_equal(labels_of(Study.open(tmp_path / "study"), "head_1").voxels[..., 0], mask // 255)
