"""Data, Label and Environment in a panel of 360 pixels, and with text twice as large: nothing is cut."""

from typing import Any

import numpy as np
import pytest
from random_studies import make_study
from test_label_step import suggest
from test_live_outline import answered
from test_narrow_panel import cut_texts, laid_out
from test_narrow_panel import large_text as large_text


@pytest.fixture
def window_size():
    return 360, 3000


def wait(panel, host):
    while panel.runner.busy:
        host.process_events(0.02)
    answered(panel, host)


def with_volumes(panel, host, tmp_path):
    """Volumes, a sequence, long names and an error in words."""
    import slicer

    from USLabelEfficientSegLib.slicer_side.section import tell

    panel.ui.exampleButton.click()
    wait(panel, host)
    sequence = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", "cine of a patient whose name is long")
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    sequence.SetDataNodeAtValue(node, "0")
    slicer.mrmlScene.RemoveNode(node)
    panel.ui.organTable.item(0, 0).setText("inferior vena cava")
    tell(panel.ui.dataStatus, "The calculation ended unexpectedly; look at the log, and start again.", bad=True)
    return panel.ui.dataStep


def with_images(panel, host, tmp_path):
    """A folder of images whose pixels have no size."""
    from PIL import Image

    (tmp_path / "images").mkdir()
    for number in range(2):
        Image.fromarray(np.full((40, 32), 80 + number, np.uint8)).save(tmp_path / "images" / f"head_{number}.png")
    panel.data.sources.add_folder(tmp_path / "images")
    wait(panel, host)
    host.process_events(0.1)
    return panel.ui.dataStep


def with_an_open_study(panel, host, tmp_path):
    make_study(tmp_path / "study")
    panel.data.open(tmp_path / "study")
    wait(panel, host)
    return panel.ui.dataStep


def with_labels(panel, host, tmp_path):
    """A volume with labels, its outline, a suggested slice, a conflict and all that is rare."""
    with_an_open_study(panel, host, tmp_path)
    session = panel.session
    case = next(number for number, case in enumerate(session.study.cases) if case.labels is not None)
    suggest(panel, [(2, 3), (1, 4)], case)
    panel.ui.keepSliceButton.click()
    wait(panel, host)
    session.labels.setAside.append((session.cases()[case], tmp_path / "study" / "set_aside"))
    panel.refresh()
    wait(panel, host)
    assert panel.ui.outlineLabel.text and panel.ui.setAsideLabel.text and panel.ui.suggestionLabel.text
    return panel.ui.labelStep


def the_environment(panel, host, tmp_path):
    return panel.environment.ui.environmentSection


PARTS = (with_volumes, with_images, with_an_open_study, with_labels, the_environment)


@pytest.fixture(params=PARTS, ids=lambda made: made.__name__)
def part(request, panel, host, tmp_path):
    """A part of the panel, open with all that is in it; the others are folded."""
    import ctk

    made = request.param(panel, host, tmp_path)
    for other in made.window().findChildren(ctk.ctkCollapsibleButton):
        other.collapsed = other != made and other not in made.findChildren(ctk.ctkCollapsibleButton)
    host.process_events(0.1)
    return made


def wide(window: Any) -> dict[str, int]:
    """The widgets that need most room."""
    import qt

    needed = {
        w.objectName: w.minimumSizeHint.width()
        for w in window.findChildren(qt.QWidget)
        if w.isVisible() and w.layout() is None
    }
    return dict(sorted(needed.items(), key=lambda item: -item[1])[:12])


def scrolling(part: Any) -> list[str]:
    """Tables that are wider than their place."""
    import qt

    tables = [one for one in part.findChildren(qt.QTableWidget) if one.isVisible()]
    return [one.objectName for one in tables if one.horizontalScrollBar().isVisible()]


def test_the_panel_is_360_pixels_wide_and_no_text_is_cut(part, panel, host):
    window = laid_out(panel, host, 360)

    assert window.width == 360, wide(window)
    assert cut_texts(part) == [] and scrolling(part) == []


def test_no_text_is_cut_when_it_is_twice_as_large(large_text, part, panel, host):
    window = laid_out(panel, host, 540)

    assert window.width == 540, wide(window)
    assert cut_texts(part) == []
