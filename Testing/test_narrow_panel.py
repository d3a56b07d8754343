"""Train and Results in a narrow panel, in a dark theme, with large text, and by keyboard alone."""

from typing import Any

import pytest
from slicer_host.themes import luminance
from test_measure_section import measured_panel as measured_panel
from test_measure_section import panel as panel

STEPS = ("trainStep", "resultsStep")
PARTS = ("trainAdvanced", "othersGroup", "agreementGroup", "resultsAdvanced")
DARK = {"Window": "#323232", "WindowText": "#ffffff", "Base": "#252525", "Text": "#ffffff", "Button": "#3c3c3c"}
_ROUNDING = 2  # pixels


@pytest.fixture
def opened(measured_panel, host):
    """All parts of both steps open, with results and an error in words."""
    import ctk

    from USLabelEfficientSegLib.slicer_side.section import tell

    ui = measured_panel.ui
    for name in (*STEPS, *PARTS):
        getattr(ui, name).collapsed = False
    for step in ui.stepsContainer.parentWidget().findChildren(ctk.ctkCollapsibleButton):
        step.visible = step.objectName in (*STEPS, *PARTS)  # these alone are measured here
    ui.modelCombo.currentIndex = 1
    ui.modelFileEdit.currentPath = "/no/such/file"
    tell(ui.trainStatus, "The calculation ended unexpectedly; look at the log, and start again.", bad=True)
    host.process_events(0.1)
    return measured_panel


def laid_out(panel, host, width):
    """The panel in its own window of a width, as in a dock."""
    parent = panel.ui.resultsStep.window()
    parent.setMinimumWidth(0)
    parent.show()
    parent.resize(width, 3000)
    host.process_events(0.2)
    panel.refresh()
    host.process_events(0.1)
    return parent


def steps(panel) -> list[Any]:
    return [getattr(panel.ui, step) for step in STEPS]


def shown(panel, kind) -> list[Any]:
    return [w for step in STEPS for w in getattr(panel.ui, step).findChildren(kind) if w.isVisible()]


def cut_texts(*parts: Any) -> list[str]:
    """Texts of labels, buttons and boxes in some parts of the panel that have less room than they need."""
    import qt

    def shown(kind) -> list[Any]:
        return [w for part in parts for w in part.findChildren(kind) if w.isVisible()]

    cut = []
    for label in shown(qt.QLabel):
        if label.text:
            needed = label.heightForWidth(label.width) if label.wordWrap else label.sizeHint.height()
            narrow = not label.wordWrap and label.sizeHint.width() > label.width + _ROUNDING
            if narrow or needed > label.height + _ROUNDING:
                cut.append(label.text)
    for kind in (qt.QPushButton, qt.QCheckBox):
        cut += [b.text for b in shown(kind) if b.text and b.minimumSizeHint.width() > b.width + _ROUNDING]
    for box in shown(qt.QComboBox):
        option = qt.QStyleOptionComboBox()
        option.initFrom(box)
        room = box.style().subControlRect(qt.QStyle.CC_ComboBox, option, qt.QStyle.SC_ComboBoxEditField, box)
        if box.fontMetrics().horizontalAdvance(box.currentText) > room.width() + _ROUNDING:
            cut.append(box.currentText)
    return cut


def test_no_text_is_cut_at_360_pixels(opened, host):
    import qt

    window = laid_out(opened, host, 360)

    assert window.width == 360, {w.objectName: w.minimumSizeHint.width() for w in window.findChildren(qt.QWidget)}
    assert cut_texts(*steps(opened)) == []
    for index in range(opened.ui.presetCombo.count):
        opened.ui.presetCombo.currentIndex = index
        assert cut_texts(*steps(opened)) == []
    table = opened.ui.volumesTable
    assert not table.horizontalScrollBar().isVisible() and not table.verticalScrollBar().isVisible()
    assert table.columnWidth(1) >= table.fontMetrics().horizontalAdvance("scan 0") + 6


@pytest.fixture
def large_text(host):
    import qt

    application = qt.QApplication.instance()
    before = application.font()
    large = qt.QFont(before)
    large.setPointSizeF(2 * before.pointSizeF())
    application.setFont(large)
    yield
    application.setFont(before)


def test_no_text_is_cut_when_it_is_twice_as_large(large_text, opened, host):
    laid_out(opened, host, 540)

    assert cut_texts(*steps(opened)) == []


@pytest.mark.parametrize("dark", [False, True])
def test_errors_are_read_in_a_light_and_in_a_dark_theme(opened, host, dark):
    import qt

    from USLabelEfficientSegLib.slicer_side.section import tell

    application = qt.QApplication.instance()
    before, palette = application.palette(), qt.QPalette()
    for role, colour in DARK.items() if dark else ():
        palette.setColor(getattr(qt.QPalette, role), qt.QColor(colour))
    application.setPalette(palette)
    try:
        host.process_events(0.2)
        label = opened.ui.trainStatus
        tell(label, 'A <b>& B</b> isn\'t "there".', bad=True)
        host.process_events(0.05)
        written, behind = label.palette.color(label.foregroundRole()), label.palette.color(qt.QPalette.Window)
        light, darker = sorted((luminance(written), luminance(behind)), reverse=True)

        assert (luminance(behind) < 0.1) is dark
        assert (light + 0.05) / (darker + 0.05) >= 4.5
        assert host.hands.shown_text(label) == 'A <b>& B</b> isn\'t "there".'
    finally:
        application.setPalette(before)


def test_what_is_looked_for_first_stands_first(opened, host):
    """The volume with its interval, its cautions, where to look, the table of all; then what is done with them."""
    window = laid_out(opened, host, 360)
    import qt

    ui = opened.ui
    (card,) = [one for one in ui.cardsContainer.findChildren(qt.QFrame) if one.objectName == "organCard"]
    texts = [one for one in card.findChildren(qt.QLabel) if one.text]
    volume = next(one for one in texts if one.objectName == "organVolume")
    interval = next(one for one in texts if one.text.startswith("90 % interval"))
    caution = next(one for one in texts if "its true volume is at least" in one.text)
    order = [volume, interval, caution, ui.lookLabel, ui.volumesTable, ui.correctButton, ui.reportButton]
    heights = [one.mapTo(window, one.rect.topLeft()).y() for one in order]

    assert heights == sorted(set(heights)) and volume.font.bold()
    assert ui.lookLabel.text == "Click a row: the views show the slice where the model is least sure."


def test_results_are_looked_through_by_keyboard_alone(opened, host):
    import qt

    laid_out(opened, host, 400)
    ui = opened.ui
    for kind in (qt.QPushButton, qt.QCheckBox, qt.QComboBox, qt.QListWidget, qt.QTableWidget, qt.QLineEdit):
        for widget in shown(opened, kind):
            proxy = widget.focusProxy()
            policy = (widget if proxy is None else proxy).focusPolicy
            inner = widget.objectName.startswith("qt_")
            assert inner or int(policy) & int(qt.Qt.TabFocus), widget.objectName
    ui.volumesTable.setFocus()
    ui.volumesTable.selectRow(0)
    host.hands.press("Down", ui.volumesTable)
    assert ui.cardsCaption.text == "scan 1" and "middle of liver" in ui.lookLabel.text

    host.hands.press("Tab", ui.volumesTable)
    assert not ui.volumesTable.hasFocus()
    ui.uncertaintyCheckBox.setFocus()
    host.hands.press("Space", ui.uncertaintyCheckBox)
    assert ui.uncertaintyCheckBox.checked
