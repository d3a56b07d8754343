"""How many clicks there are, besides painting, from opening the module to organ volumes."""

import time

import numpy as np
from random_user import MODULE, NAME, TINY_PRESET
from slicer_host.hands import click

from USLabelEfficientSegLib.study.study import Study

MOST_CLICKS = 10


def test_ten_clicks_or_fewer_lead_from_opening_to_volumes(host, tmp_path, monkeypatch):
    """Six volumes, four slices painted; every click reaches what a user can see."""
    import slicer

    monkeypatch.setattr(slicer.app, "defaultScenePath", str(tmp_path))
    widget = host.load_module(MODULE)
    widget.parent.resize(480, 900)
    slicer.util.selectModule("Data")
    slicer.util.selectModule(NAME)
    ui, panel = widget.ui, widget.panel
    panel.parameters.changes = TINY_PRESET  # a training of seconds in place of minutes
    host.process_events(0.1)
    clicks: list[str] = []

    def until(condition):
        end = time.monotonic() + 200
        while not condition() or panel.runner.busy or panel.logic.aside.busy:
            assert time.monotonic() < end and not host.errors, (clicks, host.errors)
            host.process_events(0.05)
        host.process_events(0.1)

    def do(button, condition=lambda: True):
        clicks.append(button)
        click(getattr(ui, button))
        until(condition)

    do("exampleButton", lambda: ui.volumeList.count == 6)
    for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode"):
        slicer.mrmlScene.RemoveNode(node)  # the labels that the example brings: here the user paints
    host.process_events(0.1)
    do("studyButton", lambda: panel.session is not None)
    while len(clicks) < 20 and (panel.session is None or panel.session.study.summary()["labelled_slices"] < 4):
        place = panel.labels.case, panel.labels.shown_slice()
        if panel.labels.case is not None and place[1] is not None:
            axis, index = place[1]
            shape = np.delete(panel.session.volumeNode(place[0]).GetImageData().GetDimensions(), axis)
            drawn = np.zeros(shape, np.uint8)
            drawn[10:20, 10:20], drawn[22:30, 22:30] = 1, 2
            panel.session.labels.of(place[0]).paint(axis, index, drawn, panel.session.organs())
        do("keepSliceButton")
    do("trainButton", lambda: ui.volumesTable.rowCount > 0)

    folder = panel.session.folder
    assert Study.open(folder).summary()["labelled_slices"] == 4 and folder.parent == tmp_path
    assert ui.volumesTable.rowCount == 12 and ui.volumesTable.isVisible()
    assert len(clicks) <= MOST_CLICKS, clicks
    slicer.app.moduleManager().moduleAboutToBeUnloaded.emit(NAME)
