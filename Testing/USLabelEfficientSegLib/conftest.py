"""A study that is simulated and trained once, in seconds, for all tests that need one, and a user of Windows."""

import shutil
import sys
import tempfile

import pytest
from windows_files import windows_files

from USLabelEfficientSegLib.imaging.dicom import gdcm
from USLabelEfficientSegLib.imaging.simulator.files import simulate_files
from USLabelEfficientSegLib.measurement.organ import OrganMeasurement
from USLabelEfficientSegLib.study.settings import Settings, changed
from USLabelEfficientSegLib.study.study import Study

ORGANS = ("solid", "fluid")


@pytest.fixture(scope="session")
def tiny_changes():
    """Settings with which a whole training takes seconds."""
    return {
        "working_grid.max_voxels": 32,
        "teacher.slice_size": 32,
        "teacher.steps": 3,
        "teacher.batch_size": 2,
        "teacher.local_crops": 1,
        "slice_head.steps": 3,
        "slice_head.views": 1,
        "pseudo_labels.views": 1,
        "slice_network.steps": 0,  # tests of 2-D networks ask for some
        "student.window": 32,
        "student.widths": [8, 8, 8],
        "student.steps": 3,
        "student.label_steps": 3,
        "student.label_steps_from": 1,
        "student.members": 1,
        "student.rounds": 1,
    }


@pytest.fixture(scope="session")
def simulated(tmp_path_factory):
    """A folder with `images` and dense `labels` of three simulated volumes."""
    folder = tmp_path_factory.mktemp("simulated")
    return simulate_files(folder, range(3), shape=(24, 24, 16), spacing=(3.3, 3.3, 4.0))


@pytest.fixture(scope="session")
def trained_study(tmp_path_factory, simulated, tiny_changes):
    """The folder of a trained study; tests that change it work on a copy."""
    import torch

    from USLabelEfficientSegLib.pipeline import train

    folder = tmp_path_factory.mktemp("trained") / "study"
    images, labels = simulated / "images", simulated / "labels"
    study = Study.create(folder, images, labels, organs=ORGANS, label_fraction=0.2)
    train(study, changed(Settings(), tiny_changes), torch.device("cpu"))
    return folder


@pytest.fixture
def call(capfd):
    """Run a command in this process; returns exit code, standard output and error output."""

    from USLabelEfficientSegLib.cli import main

    def run(*arguments):
        capfd.readouterr()
        with pytest.raises(SystemExit) as stop:
            main([str(argument) for argument in arguments])
        output = capfd.readouterr()
        return stop.value.code, output.out, output.err

    return run


@pytest.fixture(scope="session")
def settings(tiny_changes):
    return changed(Settings(), tiny_changes)


@pytest.fixture(scope="session")
def untrained(tmp_path_factory, trained_study):
    """The study of `trained_study` before its training."""
    folder = tmp_path_factory.mktemp("untrained") / "study"
    shutil.copytree(trained_study, folder, ignore=shutil.ignore_patterns("run"))
    return folder


@pytest.fixture
def study(tmp_path, untrained):
    """A study of its own for each test, not trained."""
    shutil.copytree(untrained, tmp_path / "untrained")
    return Study.open(tmp_path / "untrained")


@pytest.fixture
def trained(tmp_path, trained_study):
    """A trained study of its own for each test."""
    shutil.copytree(trained_study, tmp_path / "study")
    return Study.open(tmp_path / "study")


@pytest.fixture
def windows_home(tmp_path, monkeypatch):
    """The folder of a user whose name is not ASCII, with the temporary folder in it, on a stand-in for Windows."""
    if sys.platform != "linux":
        pytest.skip("the stand-in reads /proc")
    home = tmp_path / "Jürgen Őrsi 前立腺"
    temporary = home / "AppData" / "Local" / "Temp"
    temporary.mkdir(parents=True)
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("USLABELSEG_STATE", str(home / "AppData" / "Local" / "uslabelseg"))
    monkeypatch.setattr(gdcm, "_processes", [])
    with windows_files():
        yield home


@pytest.fixture(scope="session")
def measurement():
    """Makes the measurement of an organ."""
    return _measurement


def _measurement(case="a", organ="prostate", label=1, volume_ml=20.0, **changes):
    values = {
        "voxel_count": int(volume_ml * 500),
        "volume_ml": volume_ml,
        "outline_volume_ml": volume_ml,
        "surface_volume_ml": volume_ml,
        "surface_area_mm2": 3000.0,
        "axes_mm": (40.0, 30.0, 25.0),
        "extents_ras_mm": (38.0, 29.0, 25.0),
        "max_diameter_mm": 41.5,
        "centroid_ras_mm": (0.0, 0.0, 0.0),
        "ellipsoid_volume_ml": 0.8 * volume_ml,
        **changes,
    }
    return OrganMeasurement(case=case, organ=organ, label=label, **values)
