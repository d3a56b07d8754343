"""Names of files, volumes and organs are shown as they are: they do nothing to a terminal, a table or a spreadsheet."""

import csv
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

import USLabelEfficientSegLib
from USLabelEfficientSegLib.imaging.files import write_label_map, write_volume
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import LabelMap, Scan

LIBRARY = os.path.dirname(os.path.dirname(USLabelEfficientSegLib.__file__))
GEOMETRY = Geometry((8, 8, 8), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), np.eye(3))


@pytest.fixture
def labelled(tmp_path):
    """A folder with a label map of one organ; its name is given."""

    def make(name):
        folder = tmp_path / "labels"
        folder.mkdir(exist_ok=True)
        voxels = np.zeros(GEOMETRY.shape, np.uint8)
        voxels[2:5, 2:5, 2:5] = 1
        write_label_map(folder / "plain.nrrd", LabelMap(voxels, GEOMETRY, name))
        (folder / "plain.nrrd").rename(folder / f"{name}.nrrd")
        return folder

    return make


@pytest.mark.parametrize("organ", ["liver[/x]", "liver[bold]", "[/]", "a\x1b[2Jb", "[u]y[/u]"])
def test_markup_and_escapes_in_organ_names_are_text(call, labelled, tmp_path, organ):
    folder = labelled("scan")

    code, out, err = call("evaluate", folder, folder, "--organs", organ, "--output", tmp_path / "m.csv")

    assert code == 0 and not err
    assert organ.replace("\x1b", r"\x1b") in out and "\x1b[2J" not in out


@pytest.mark.parametrize("name", ["=1+1", "+cmd", "-2+3", "@SUM(A1)"])
def test_a_case_whose_name_is_a_formula_is_text_in_every_table(call, labelled, tmp_path, name):
    folder = labelled(name)

    call("measure", folder, "--output", tmp_path / "v.csv")
    call("evaluate", folder, folder, "--output", tmp_path / "m.csv")

    for table in ("v.csv", "m.csv"):
        (row,) = csv.DictReader((tmp_path / table).open(encoding="utf-8"))
        assert row["case"] == f"'{name}"
    (row,) = csv.DictReader((tmp_path / "v.csv").open(encoding="utf-8"))
    assert float(row["outline_volume_ml"]) == pytest.approx(0.027)


def test_volumes_of_our_own_table_are_references_again(call, labelled, tmp_path):
    folder = labelled("=1+1")
    images = tmp_path / "images"
    images.mkdir()
    grey = np.random.default_rng(0).integers(1, 255, GEOMETRY.shape).astype(np.uint8)
    write_volume(images / "a.nrrd", Scan(grey, GEOMETRY, "a"))
    (images / "a.nrrd").rename(images / "=1+1.nrrd")
    call("measure", folder, "--output", tmp_path / "v.csv")

    code, _, err = call(
        "report", folder, "--images", images, "--references", tmp_path / "v.csv", "--output", tmp_path / "r.html"
    )

    assert code == 0, err


@pytest.mark.skipif(sys.platform != "linux", reason="file names that are no text")
def test_a_file_name_that_is_no_utf_8_ends_no_batch(trained_study, tmp_path):
    images = shutil.copytree(trained_study / "images", tmp_path / "images")
    first = sorted(images.iterdir())[0]
    os.rename(first, os.fsencode(images) + b"/bad\xff.nrrd")
    command = [sys.executable, "-m", "USLabelEfficientSegLib.cli", "segment", str(trained_study), str(images)]

    done = subprocess.run(
        [*command, "--output", str(tmp_path / "out")], cwd=LIBRARY, capture_output=True, text=True, check=False
    )

    assert "Traceback" not in done.stderr and done.returncode in (0, 2)
    assert len(list((tmp_path / "out").glob("simulated*.nrrd"))) == 2
    if done.returncode:
        assert r"bad\xff" in done.stderr
    else:
        assert (tmp_path / "out" / os.fsdecode(b"bad\xff.nrrd")).exists() and r"bad\xff" in done.stdout


def test_control_characters_in_a_refusal_are_shown(call, tmp_path):
    code, _, err = call("study", "show", tmp_path / "a\x1b[31mb\nc")

    assert code == 2 and err.count("\n") == 1 and "\x1b" not in err and r"a\x1b[31mb" in err
