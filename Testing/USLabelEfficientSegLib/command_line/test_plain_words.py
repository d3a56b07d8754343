"""What commands say of odd files is true, names the file, and has a number or a dash in every cell."""

import csv
import re

import numpy as np
import pytest

from USLabelEfficientSegLib.annotation.label_files import write_label_map
from USLabelEfficientSegLib.imaging.files import write_volume
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import LabelMap, Scan

SHAPE = (14, 12, 10)


@pytest.fixture
def write(tmp_path):
    """Write a label map into a folder of its own; returns the folder."""

    def make(folder, voxels, names=None, spacing=(0.7, 0.9, 1.3), name="scan"):
        (tmp_path / folder).mkdir(exist_ok=True)
        geometry = Geometry(SHAPE, spacing, (-3.0, 4.0, 5.0), np.diag([1.0, -1.0, -1.0]))
        write_label_map(tmp_path / folder / f"{name}.nrrd", LabelMap(voxels, geometry, name, names or {}))
        return tmp_path / folder

    return make


def box(label=1, *, end=9):
    voxels = np.zeros(SHAPE, np.uint8)
    voxels[3:end, 3:9, 3:8] = label
    return voxels


def test_a_caution_about_the_spacing_is_true_without_a_model(call, write, tmp_path):
    folder = write("masks", box(), {1: "gland"}, spacing=(0.05, 0.05, 3.0))

    code, out, err = call("measure", folder, "--output", tmp_path / "volumes.csv")

    (row,) = csv.DictReader((tmp_path / "volumes.csv").open(encoding="utf-8"))
    assert (code, err, row["flags"]) == (0, "", "unusual_spacing")
    assert "is unusual for ultrasound" in out and "the model's training images" not in out


@pytest.mark.parametrize("command", ["measure", "evaluate"])
@pytest.mark.parametrize("files", [1, 2])
def test_unlabelled_voxels_are_refused_with_the_name_of_the_file(call, write, tmp_path, command, files):
    sparse = box()
    sparse[:, :, 5:] = 255
    for name in ("scan", "other")[:files]:
        write("references", box(), name=name)
        folder = write("masks", sparse if name == "scan" else box(), name=name)
    references = [tmp_path / "references"] if command == "evaluate" else []

    code, _, err = call(command, folder, *references, "--output", tmp_path / "table.csv")

    sentence = f"{folder / 'scan.nrrd'}: holds 840 unlabelled voxels; give a label map with every slice labelled."
    assert code == 2 and err.splitlines()[0] == f"uslabelseg: error: {sentence}"


def test_undefined_numbers_of_an_evaluation_are_dashes_and_small_ones_are_not_zero(call, write, tmp_path):
    almost = box(end=9)
    almost[3, 3, 3] = 0
    found = write("found", almost, {1: "gland", 2: "cyst"}, spacing=(0.02, 0.02, 0.02))
    both = box()
    both[12, 10, 8] = 2
    write("drawn", both, {1: "gland", 2: "cyst"}, spacing=(0.02, 0.02, 0.02))

    code, out, err = call("evaluate", found, tmp_path / "drawn", "--output", tmp_path / "m.csv")

    rows = {row["organ"]: row for row in csv.DictReader((tmp_path / "m.csv").open(encoding="utf-8"))}
    distance = float(rows["gland"]["average_surface_distance_mm"])
    shown = {line.split("│")[1].strip(): line for line in out.splitlines() if line.count("│") > 5}
    assert (code, err) == (0, "") and "nan" not in out
    assert distance == pytest.approx(7.6046e-5, rel=1e-4) and " 0.0000760 " in shown["gland"]
    assert shown["cyst"].count("–") == 2


def test_slices_across_several_axes_are_told_in_plain_words(call, write, tmp_path):
    sparse = np.full(SHAPE, 255, np.uint8)
    sparse[:, :, 4], sparse[5] = box()[:, :, 4], box()[5]
    labels = write("labels", sparse)
    grey = np.random.default_rng(0).integers(1, 255, SHAPE).astype(np.uint8)
    geometry = Geometry(SHAPE, (0.7, 0.9, 1.3), (-3.0, 4.0, 5.0), np.diag([1.0, -1.0, -1.0]))
    (tmp_path / "images").mkdir()
    write_volume(tmp_path / "images" / "scan.nrrd", Scan(grey, geometry, "scan"))
    call("study", "create", tmp_path / "s", "--images", tmp_path / "images", "--labels", labels, "--organs", "gland")

    _, out, _ = call("study", "show", tmp_path / "s")

    told = re.sub(r"\s+", " ", " ".join(line.split("│")[4] for line in out.splitlines() if line.count("│") > 3))
    assert told.strip() == "sagittal, slice 6 of 14; axial, slice 5 of 10"
