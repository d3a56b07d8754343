"""Every text of the panel can be read in Slicer's light and in its dark theme."""

import pytest
from slicer_host.themes import contrast, slicers_theme
from test_measure_section import measured_panel as measured_panel
from test_measure_section import panel as panel

ENOUGH = 4.5  # to 1, WCAG 2.2 for text of usual size
SEEN = 1.5  # of what is grey because it cannot be pressed: WCAG asks for nothing


@pytest.fixture(params=[False, True], ids=["light", "dark"])
def theme(host, request):
    with slicers_theme(request.param):
        yield request.param


@pytest.fixture
def opened(theme, measured_panel, host):
    """The panel with results, all of it open, and errors in words."""
    import ctk
    import qt

    from USLabelEfficientSegLib.slicer_side.section import tell

    ui = measured_panel.ui
    window = ui.dataStep.window()
    window.show()
    for part in window.findChildren(ctk.ctkCollapsibleButton):
        part.collapsed = False
    window.resize(420, 5000)
    for name in ("dataStatus", "labelsStatus", "trainStatus", "resultsStatus"):
        tell(getattr(ui, name), "This ended unexpectedly; look at the log, and start again.", bad=True)
    host.process_events(0.2)
    measured_panel.refresh()
    host.process_events(0.1)
    return lambda kind: [w for w in window.findChildren(getattr(qt, kind)) if w.isVisible() and w.text]


def test_labels_are_read(opened):
    labels = opened("QLabel")
    assert {"nextLabel", "dataStatus", "resultsStatus", "organVolume"} <= {one.objectName for one in labels}
    assert {one.text: contrast(one) for one in labels if one.isEnabled() and contrast(one) < ENOUGH} == {}


@pytest.mark.parametrize("kind", ["QPushButton", "QCheckBox"])
def test_buttons_are_read_and_grey_ones_are_seen(opened, kind):
    buttons = opened(kind)
    assert len(buttons) > 3
    unread = {one.text: contrast(one) for one in buttons if contrast(one) < (ENOUGH if one.isEnabled() else SEEN)}
    assert unread == {}


def test_the_interval_is_seen_on_its_bar_and_the_bar_on_the_panel(opened, measured_panel, theme):
    import qt

    bars = [one for one in measured_panel.ui.cardsContainer.findChildren(qt.QFrame) if one.objectName == "intervalBar"]
    assert bars
    assert contrast(bars[0]) >= 3  # of what is no text; its mark is in the colour of text
    behind = measured_panel.ui.cardsContainer.palette.color(qt.QPalette.Window)
    picture = bars[0].grab().toImage()
    ground = qt.QColor(picture.pixel(picture.width() - 1, picture.height() // 2))
    assert ground.name() != behind.name()
