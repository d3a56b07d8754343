"""The host with Slicer's own Python sources, where somebody has them; CONTRIBUTING.md has the command."""

import pytest

from slicer_host import base_python


def test_the_stand_ins_are_used_unless_sources_are_named(monkeypatch):
    monkeypatch.delenv(base_python.VARIABLE, raising=False)

    assert base_python.folder() is None


def test_a_folder_that_holds_no_sources_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv(base_python.VARIABLE, str(tmp_path))

    with pytest.raises(FileNotFoundError, match="not the folder Base/Python"):
        base_python.folder()


def test_the_sources_are_found_in_base_python(monkeypatch, tmp_path):
    (tmp_path / "slicer").mkdir()
    (tmp_path / "slicer" / "ScriptedLoadableModule.py").touch()
    monkeypatch.setenv(base_python.VARIABLE, str(tmp_path))

    assert base_python.folder() == tmp_path / "slicer"
