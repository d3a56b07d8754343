"""Every function that a scientist calls has an example that runs: the list is that of the page on Python."""

import doctest
import importlib
import inspect
import re
import shutil
from pathlib import Path

import pytest
from dicom_files import save_series, series_of
from pydicom.uid import generate_uid

from USLabelEfficientSegLib.imaging.files import read_volume

API = Path(__file__).parents[2] / "docs" / "api.md"
NOT_CALLED = {"InputError", "Cancelled"}  # are raised


def listed():
    """What the page documents, by dotted name."""
    return re.findall(r"^::: (\S+)$", API.read_text(encoding="utf-8"), flags=re.MULTILINE)


@pytest.fixture
def here(tmp_path, simulated, trained_study, monkeypatch):
    """The working folder of the examples: `images` and `labels` of simulated volumes, one in DICOM, a trained study."""
    for name in ("images", "labels"):
        shutil.copytree(simulated / name, tmp_path / name)
    shutil.copytree(trained_study, tmp_path / "my-study")
    volume = read_volume(tmp_path / "images" / "simulated_0000.nrrd")
    frames = series_of(volume.voxels, volume.geometry)
    study_uid, place_uid = generate_uid(), generate_uid()
    for frame in frames:
        frame.StudyInstanceUID, frame.FrameOfReferenceUID = study_uid, place_uid
        frame.PatientID, frame.PatientBirthDate, frame.PatientSex = "4711", "19800102", "O"
        frame.StudyDate, frame.StudyTime, frame.StudyID, frame.AccessionNumber = "20240229", "101500", "7", "A12"
        frame.PatientName = frame.ReferringPhysicianName = ""
    save_series(frames, tmp_path / "dicom" / volume.name)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", [name for name in listed() if name.rpartition(".")[2] not in NOT_CALLED])
def test_what_a_scientist_calls_has_an_example_that_runs(name, here):
    module, _, attribute = name.rpartition(".")
    documented = getattr(importlib.import_module(module), attribute)
    home = importlib.import_module(documented.__module__)  # a package may pass it on

    finder = doctest.DocTestFinder(recurse=inspect.isclass(documented))
    examples = [found for found in finder.find(documented, attribute, home) if found.examples]

    assert examples
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    said: list[str] = []
    failed = sum(runner.run(found, out=said.append).failed for found in examples)
    assert not failed, "".join(said)


def test_the_page_lists_the_whole_way_from_a_volume_to_a_report():
    called = {name.rpartition(".")[2] for name in listed()}
    assert called >= {
        "read_volume",
        "read_label_map",
        "Study",
        "suggest",
        "train",
        "load_model",
        "segment_and_measure",
        "measure_files",
        "evaluate_folders",
        "write_report",
        "export_case",
    }
