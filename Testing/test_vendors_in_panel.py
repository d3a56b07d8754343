"""Volumes in formats of scanners' vendors, added in the panel: what the user reads."""

import pytest
from random_user import MODULE, NAME

from USLabelEfficientSegLib.imaging.files import write_volume
from USLabelEfficientSegLib.imaging.simulator import simulate_volume

KRETZ = b"KRETZFILE 1.0   " + bytes(64)


@pytest.fixture
def add_folder(host, monkeypatch, tmp_path):
    """Presses Add folder, gives the folder of the test, and returns what the panel says in the end."""
    import qt
    import slicer

    panel = host.load_module(MODULE).panel
    slicer.util.selectModule(NAME)
    monkeypatch.setattr(qt.QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))

    def add():
        panel.ui.addFolderButton.click()
        while panel.runner.busy:
            host.process_events(0.02)
        host.process_events(0.1)
        return panel.ui.dataStatus.text

    yield add
    slicer.app.moduleManager().moduleAboutToBeUnloaded.emit(NAME)


def test_a_folder_of_kretz_files_is_refused_by_that_name(add_folder, tmp_path):
    (tmp_path / "a.vol").write_bytes(KRETZ)

    assert "is a GE Kretz volume (Voluson); load it in 3D Slicer with the extension SlicerHeart" in add_folder()


def test_a_kretz_file_among_volumes_is_named_and_the_volumes_are_loaded(add_folder, tmp_path):
    import slicer

    (tmp_path / "a.vol").write_bytes(KRETZ)
    write_volume(tmp_path / "b.nrrd", simulate_volume(0, shape=(24, 24, 16), spacing=(3.3, 3.3, 4.0)).volume)

    said = add_folder()

    assert said.startswith("Loaded 1 volumes.") and "a.vol, which is a GE Kretz volume" in said
    assert len(slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")) == 1
