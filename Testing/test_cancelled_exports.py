"""Cancel, clicked with the mouse in the middle of what step 4 writes: nothing half-written is left."""

import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from dicom_files import enhanced, save
from pydicom.uid import generate_uid
from slicer_host.hands import click
from test_measure_section import measured_panel as measured_panel
from test_measure_section import panel as panel
from test_measure_section import shown_rows

BUTTONS = {"report": "reportButton", "table": "saveCsvButton", "dicom": "dicomButton"}


def until(host, condition):
    for _ in range(6000):
        if condition():
            return
        host.process_events(0.01)
    raise AssertionError("nothing happened")


@pytest.fixture
def places(measured_panel, host, monkeypatch, tmp_path):
    """The panel with results that came from DICOM, and for each thing that is written the folder of it."""
    import qt
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes.volume_nodes import geometryOfNode
    from USLabelEfficientSegLib.slicer_side.steps import exports

    for number in range(3):
        node = slicer.util.getNode(f"scan {number}")
        voxels = slicer.util.arrayFromVolume(node).T.astype(np.uint8)
        dataset = enhanced(voxels, geometryOfNode(node))
        dataset.VolumeFrameOfReferenceUID = dataset.FrameOfReferenceUID = generate_uid()
        save(dataset, tmp_path / "database" / f"1.2.{number}")
        node.SetAttribute("DICOM.instanceUIDs", f"1.2.{number}")
    database = SimpleNamespace(fileForInstance=lambda uid: str(tmp_path / "database" / uid))
    monkeypatch.setattr(slicer, "dicomDatabase", database, raising=False)
    monkeypatch.setattr(exports, "ensureDependencies", lambda: None)
    monkeypatch.setattr(qt.QDesktopServices, "openUrl", lambda url: None)
    folders = {what: tmp_path / what for what in BUTTONS}
    for folder in folders.values():
        folder.mkdir()
    names = {"Save organ volumes": folders["table"] / "volumes.csv", "Write report": folders["report"] / "report.html"}
    monkeypatch.setattr(qt.QFileDialog, "getSaveFileName", lambda parent, title, *_: str(names[title]))
    monkeypatch.setattr(qt.QFileDialog, "getExistingDirectory", lambda *_: str(folders["dicom"]))
    measured_panel.refresh()
    return folders


def begin(panel, what):
    """Click a button; its bar and Cancel are there."""
    click(getattr(panel.ui, BUTTONS[what]))
    assert panel.ui.resultsJobRow.isVisible() and panel.ui.cancelResultsButton.enabled


def cancel(panel, host):
    """Click Cancel, and wait for the end."""
    job = panel.runner.job
    assert job.running
    click(panel.ui.cancelResultsButton)
    assert job.cancelling and not panel.ui.cancelResultsButton.enabled
    assert panel.ui.resultsStatus.text in ("Stopping …", f"{job.title} was stopped.")
    until(host, lambda: not panel.runner.busy)
    assert job.state == "cancelled" and panel.ui.resultsStatus.text == f"{job.title} was stopped."
    assert not panel.ui.resultsJobRow.isVisible()


def temporary_folders():
    import slicer

    return [path for path in Path(slicer.app.temporaryPath).glob("tmp*") if path.is_dir()]


@pytest.mark.parametrize("what", ["report", "dicom"])
def test_cancel_while_results_are_copied_waits_for_the_file_that_is_written_and_starts_no_worker(
    measured_panel, host, places, monkeypatch, what
):
    from random_user import child_processes

    from USLabelEfficientSegLib.slicer_side.results import result_staging

    may_write, copied, write = threading.Event(), [], result_staging._write

    def slow(path, *given):
        copied.append(path.name)
        may_write.wait()
        write(path, *given)

    monkeypatch.setattr(result_staging, "_write", slow)
    table, before = shown_rows(measured_panel.ui), temporary_folders()
    begin(measured_panel, what)
    until(host, lambda: copied)
    job = measured_panel.runner.job
    click(measured_panel.ui.cancelResultsButton)
    host.process_events(0.1)
    assert job.cancelling and measured_panel.runner.busy  # while the thread writes into the folder
    may_write.set()
    until(host, lambda: not measured_panel.runner.busy)

    assert job.state == "cancelled" and job.log is None and len(copied) == 1
    assert list(places[what].iterdir()) == [] and temporary_folders() == before and child_processes() == []
    assert shown_rows(measured_panel.ui) == table


def test_a_report_that_is_cancelled_while_it_is_written_leaves_the_earlier_one(measured_panel, host, places):
    begin(measured_panel, "report")
    until(host, lambda: not measured_panel.runner.busy)
    earlier = {path.name: path.read_bytes() for path in places["report"].iterdir()}
    assert "report.html" in earlier

    begin(measured_panel, "report")
    until(host, lambda: measured_panel.runner.job.log is not None)
    assert measured_panel.runner.job.progress >= 0.5 and measured_panel.ui.resultsProgress.value >= 50
    cancel(measured_panel, host)

    assert {path.name: path.read_bytes() for path in places["report"].iterdir()} == earlier


def test_dicom_that_is_cancelled_while_it_is_written_leaves_whole_pairs_alone(measured_panel, host, places):
    import pydicom

    begin(measured_panel, "dicom")
    until(host, lambda: measured_panel.runner.job.log is not None)
    cancel(measured_panel, host)

    found = sorted(path.name for path in places["dicom"].iterdir())
    names = sorted({name.rpartition("_")[0] for name in found})
    assert len(names) < 3 and found == [f"{name}_{kind}.dcm" for name in names for kind in ("SEG", "SR")]
    for path in places["dicom"].iterdir():
        pydicom.dcmread(path)

    begin(measured_panel, "dicom")  # and again, to the end
    until(host, lambda: not measured_panel.runner.busy)
    assert len(list(places["dicom"].iterdir())) == 6, measured_panel.ui.resultsStatus.text


def test_a_table_whose_measuring_is_cancelled_is_neither_saved_nor_changed(measured_panel, host, places, monkeypatch):
    from USLabelEfficientSegLib.slicer_side.processes.job_runner import JobRunner

    monkeypatch.setattr(JobRunner, "SECONDS_AT_ONCE", 0.0)  # a segmentation at a time
    node = measured_panel.parameters.volumesTable
    table, stamp = shown_rows(measured_panel.ui), node.GetTable().GetMTime()
    begin(measured_panel, "table")
    until(host, lambda: measured_panel.runner.job.progress)
    assert 0 < measured_panel.runner.job.progress < 1
    cancel(measured_panel, host)

    assert list(places["table"].iterdir()) == []
    assert shown_rows(measured_panel.ui) == table and node.GetTable().GetMTime() == stamp
