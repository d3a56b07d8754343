"""What step 4 gives away: the report, and DICOM for the archive."""

from types import SimpleNamespace
from typing import Any

import pytest
from test_measure_section import erase_a_slice, measure_as_model, shown_rows, wait
from test_measure_section import measured_panel as measured_panel
from test_measure_section import panel as panel


def test_dicom_is_exported_for_volumes_that_came_as_dicom(panel, host, tmp_path, monkeypatch):
    """The worker gets the files of Slicer's database and the segments under the volume's name."""
    import qt
    import slicer

    from USLabelEfficientSegLib.slicer_side.processes.jobs import Job
    from USLabelEfficientSegLib.slicer_side.steps import exports

    assert not panel.ui.dicomButton.enabled and "DICOM" in panel.ui.dicomButton.toolTip
    slicer.util.getNode("scan 1").SetAttribute("DICOM.instanceUIDs", "1.2.1 1.2.2")
    for number in (1, 2):
        (tmp_path / f"1.2.{number}").write_text(f"image {number}")
    monkeypatch.setattr(
        slicer, "dicomDatabase", SimpleNamespace(fileForInstance=lambda uid: str(tmp_path / uid)), raising=False
    )
    monkeypatch.setattr(exports, "ensureDependencies", lambda: None)
    monkeypatch.setattr(qt.QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path / "dicom"))
    seen: dict[str, Any] = {}

    def work(job, arguments, logs, watch=None):
        from pathlib import Path

        from USLabelEfficientSegLib.measurement.segmentation_files import organ_names, read_segmentation

        assert arguments[0] == "export-dicom" and arguments[-1] == str(tmp_path / "dicom")
        segmentations, images = Path(arguments[1]), Path(arguments[3])
        seen["images"] = sorted((path.parent.name, path.read_text()) for path in images.rglob("*.dcm"))
        (file,) = segmentations.iterdir()
        seen["organs"], seen["voxels"] = organ_names(file), int((read_segmentation(file).voxels == 1).sum())
        yield

    monkeypatch.setattr(Job, "work", work)
    panel.refresh()
    panel.ui.dicomButton.click()
    wait(panel, host)

    (name,) = {name for name, _ in seen["images"]}
    assert [text for _, text in seen["images"]] == ["image 1", "image 2"]
    assert seen["organs"] == ["liver"] and seen["voxels"] == 6 * 5 * 4
    assert f"2 DICOM files in {tmp_path / 'dicom'}" in panel.ui.resultsStatus.text and "1" in name


@pytest.mark.parametrize("edited", [False, True])
def test_what_leaves_slicer_holds_the_interval_of_a_segment_until_it_is_edited(panel, tmp_path, edited):
    import slicer

    from USLabelEfficientSegLib.measurement.flags import Flag
    from USLabelEfficientSegLib.measurement.measuring import measure_files, of_kind
    from USLabelEfficientSegLib.measurement.organ import OrganMeasurement
    from USLabelEfficientSegLib.slicer_side.nodes.study_nodes import volumeOf
    from USLabelEfficientSegLib.slicer_side.nodes.volume_nodes import geometryOfNode
    from USLabelEfficientSegLib.slicer_side.processes.jobs import finished
    from USLabelEfficientSegLib.slicer_side.results.result_staging import stageSegmentation

    node = slicer.util.getNode("scan 1 segmentation")
    measure_as_model(node, interval_ml=(2.5, 4.125), interval_method="made up")
    node.GetSegmentation().AddEmptySegment("cyst", "cyst")
    if edited:
        erase_a_slice(node)
    finished(stageSegmentation(node, tmp_path / "scan.nrrd", geometryOfNode(volumeOf(node))))

    liver, cyst = of_kind(measure_files([tmp_path / "scan.nrrd"]), OrganMeasurement)
    assert (liver.case, liver.organ, cyst.organ) == ("scan", "liver", "cyst")
    assert liver.interval_ml == (None if edited else (2.5, 4.125)) and cyst.interval_ml is None
    assert (Flag.EDITED in liver.flags) is edited and Flag.EDITED not in cyst.flags
    assert liver.volume_ml == pytest.approx((6 * 5 * 3 if edited else 6 * 5 * 4) * 0.027)


def test_images_that_left_the_dicom_database_are_told(panel, host, monkeypatch, tmp_path):
    import qt
    import slicer

    from USLabelEfficientSegLib.slicer_side.steps import exports

    slicer.util.getNode("scan 1").SetAttribute("DICOM.instanceUIDs", "1.2.1")
    monkeypatch.setattr(slicer, "dicomDatabase", SimpleNamespace(fileForInstance=lambda uid: ""), raising=False)
    monkeypatch.setattr(exports, "ensureDependencies", lambda: None)
    monkeypatch.setattr(qt.QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path / "dicom"))
    panel.refresh()
    panel.ui.dicomButton.click()
    wait(panel, host)

    assert "no longer in Slicer's DICOM database" in panel.ui.resultsStatus.text
    assert not (tmp_path / "dicom").exists()


@pytest.mark.parametrize("pdf", [False, True])
def test_the_report_is_of_the_segments_as_they_are_now(measured_panel, host, monkeypatch, tmp_path, pdf):
    """Written by the worker from what the table shows, and opened as page or as PDF."""
    import qt
    import slicer

    from USLabelEfficientSegLib.slicer_side.steps import exports

    panel, opened = measured_panel, []
    monkeypatch.setattr(exports, "ensureDependencies", lambda: None)
    monkeypatch.setattr(qt.QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()))
    monkeypatch.setattr(qt.QFileDialog, "getSaveFileName", lambda *_: str(tmp_path / "report.html"))
    erase_a_slice(slicer.util.getNode("scan 2 segmentation"))  # after the table was filled
    panel.ui.pdfCheckBox.checked = pdf
    host.process_events(0.05)
    panel.ui.reportButton.click()
    assert panel.measure.bar.job is not None
    wait(panel, host)

    assert opened == [str(tmp_path / ("report.pdf" if pdf else "report.html"))], panel.ui.resultsStatus.text
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    volumes = [row[2].split("\n")[0] for row in shown_rows(panel.ui)]
    assert volumes == ["2.70", "2.43", "2.83"]
    assert all(volume in page for volume in volumes) and "2.50 to 4.12" in page and "edited" in page
    assert "3.78" not in page  # what scan 2 was before
