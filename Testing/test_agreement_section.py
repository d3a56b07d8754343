"""References in step 4: results are compared with them, and the model's intervals calibrated."""

from types import SimpleNamespace
from typing import Any

import numpy as np
from test_measure_section import panel as panel
from test_measure_section import wait


def tick(ui, count):
    import qt

    for row in range(count):
        ui.referenceList.item(row).setCheckState(qt.Qt.Checked)


def test_ticked_references_give_a_table_and_a_bland_altman_plot(panel, host):
    import slicer

    ui = panel.ui
    assert [ui.referenceList.item(row).text() for row in range(ui.referenceList.count)] == [
        f"expert {n}" for n in range(3)
    ]
    assert not ui.agreementButton.enabled and "Tick a segmentation" in ui.agreementButton.toolTip
    tick(ui, 3)
    host.process_events(0.1)
    ui.agreementButton.click()
    wait(panel, host)

    assert "Compared 3 segmentations" in ui.resultsStatus.text
    row = [ui.agreementTable.item(0, column).text() for column in range(8)]
    assert row[0] == "liver" and row[1] == "3" and 0 < float(row[2]) < 1 and 0.7 < float(row[5]) < 1
    assert float(row[6]) == 3.0 and 0 < float(row[7]) < 3  # the reference lacks a layer of voxels of 3 mm
    chart = slicer.mrmlScene.GetFirstNodeByName("Bland-Altman")
    assert chart.GetNumberOfPlotSeriesNodes() == 4
    assert slicer.app.layoutManager().layout == slicer.vtkMRMLLayoutNode.SlicerLayoutConventionalPlotView
    assert panel.parameters.agreementTable.GetNumberOfRows() == 1


def test_volumes_of_another_measurement_come_from_a_table(panel, host, tmp_path):
    table = tmp_path / "reference.csv"
    table.write_text("case,organ,volume_ml\nscan 0,liver,2.5\nscan 2,liver,4.0\n", encoding="utf-8")
    panel.ui.referenceFileEdit.currentPath = str(table)
    host.process_events(0.1)
    panel.ui.agreementButton.click()
    wait(panel, host)
    assert panel.ui.agreementTable.item(0, 1).text() == "2" and panel.ui.agreementTable.item(0, 3).text() == "–"

    table.write_text("case,organ\n", encoding="utf-8")
    panel.ui.agreementButton.click()
    assert "lacks the column volume_ml" in panel.ui.resultsStatus.text


def session_of(folder, case):
    """A trained study, one of whose volumes is each volume of the scene, or none."""
    labels = SimpleNamespace(hasAny=lambda: True, setAside=[], unfit=[])
    known: dict[str, Any] = {"labels": labels, "isPlanar": False, "caseOf": lambda node: case}
    return SimpleNamespace(folder=folder, logs=folder / "logs", model=folder / "model", look=lambda: None, **known)


def test_references_outside_the_study_calibrate_its_model(panel, host, monkeypatch, tmp_path):
    from pathlib import Path

    from USLabelEfficientSegLib.measurement.segmentation_files import organ_names
    from USLabelEfficientSegLib.slicer_side.processes.jobs import Job
    from USLabelEfficientSegLib.slicer_side.steps import agreement_section

    session = session_of(tmp_path, case=None)
    monkeypatch.setattr(agreement_section, "ensureDependencies", lambda: None)
    monkeypatch.setattr(type(panel), "session", property(lambda self: session))
    monkeypatch.setattr(panel, "sections", [panel.agreement])
    monkeypatch.setattr(type(panel), "_advise", lambda self: None)  # it asks more of a session
    seen: dict[str, Any] = {}

    def work(job, arguments, logs, watch=None):
        command, model, images, references, *_device = arguments
        seen["command"], seen["model"] = command, model
        seen["images"] = sorted(path.name for path in Path(images).iterdir())
        seen["organs"] = {path.name: organ_names(path) for path in Path(references).iterdir()}
        job.log = tmp_path / "log"
        job.log.write_text("liver: the true volume is 0.90 to 1.10 times the measured one (90 %)\n")
        yield

    monkeypatch.setattr(Job, "work", work)
    panel.refresh()
    assert not panel.ui.calibrateButton.enabled
    tick(panel.ui, 3)
    host.process_events(0.1)
    panel.ui.calibrateButton.click()
    wait(panel, host)

    assert (seen["command"], seen["model"]) == ("calibrate", str(tmp_path))
    assert len(seen["images"]) == 3 and set(seen["images"]) == seen["organs"].keys()
    assert all(organs == ["liver"] for organs in seen["organs"].values())
    assert "0.90 to 1.10 times" in panel.ui.resultsStatus.text


def test_a_reference_of_a_volume_of_the_study_does_not_calibrate(panel, host, monkeypatch, tmp_path):
    session = session_of(tmp_path, case="scan 0")
    monkeypatch.setattr(type(panel), "session", property(lambda self: session))
    monkeypatch.setattr(panel, "sections", [panel.agreement])
    monkeypatch.setattr(type(panel), "_advise", lambda self: None)  # it asks more of a session
    panel.refresh()
    tick(panel.ui, 1)
    host.process_events(0.1)
    panel.ui.calibrateButton.click()

    assert "which the model knows" in panel.ui.resultsStatus.text and not panel.runner.busy


def test_images_are_not_compared_and_the_button_says_why(panel, host):
    import slicer

    from USLabelEfficientSegLib.imaging.geometry import Geometry
    from USLabelEfficientSegLib.slicer_side.nodes.segmentation_nodes import organsNamed, segmentationFromLabelMap
    from USLabelEfficientSegLib.slicer_side.nodes.study_nodes import RESULT, attach, results
    from USLabelEfficientSegLib.slicer_side.nodes.volume_nodes import nodeFromVoxels

    labels = np.zeros((12, 10, 1), dtype=np.uint8)
    labels[2:7, 3:8] = 1
    image = nodeFromVoxels("head", labels * 90.0, Geometry(labels.shape, (0.3, 0.3, 1.0), (0.0, 0.0, 0.0), np.eye(3)))
    attach(segmentationFromLabelMap(labels, image, organsNamed(["head"]), "head segmentation"), image, RESULT)
    tick(panel.ui, 3)
    host.process_events(0.1)
    panel.ui.agreementButton.click()  # those of volumes are compared
    wait(panel, host)
    assert "Compared 3 segmentations" in panel.ui.resultsStatus.text

    for node in results():
        if node.GetName() != "head segmentation":
            slicer.mrmlScene.RemoveNode(node)
    host.process_events(0.1)
    assert not panel.ui.agreementButton.enabled
    assert "2-D images are neither compared nor calibrated" in panel.ui.agreementButton.toolTip
