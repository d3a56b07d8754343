"""A user's hands: mouse and keyboard events as Qt sends them, refused where a user could not reach.

What a click or a key then does is Qt's and the module's business: a table that opens no editor takes no text.
"""

from typing import Any

from PySide6 import QtCore, QtGui, QtTest, QtWidgets

_LEFT, _NO_KEYS = QtCore.Qt.MouseButton.LeftButton, QtCore.Qt.KeyboardModifier.NoModifier


def click(widget: Any) -> None:
    """Click in the middle of a widget.

    Raises:
        AssertionError: it is hidden, folded away or disabled.
    """
    _check_reachable(widget)
    QtTest.QTest.mouseClick(widget, _LEFT)


def click_cell(table: Any, row: int, column: int) -> None:
    """Click on a cell of a table."""
    _check_reachable(table)
    QtTest.QTest.mouseClick(table.viewport(), _LEFT, _NO_KEYS, _centre(table, row, column))


def double_click_cell(table: Any, row: int, column: int) -> None:
    """Double-click on a cell of a table, with the click that comes before it."""
    click_cell(table, row, column)
    QtTest.QTest.mouseDClick(table.viewport(), _LEFT, _NO_KEYS, _centre(table, row, column))


def press(key: str, widget: Any) -> None:
    """Press a key such as "F2", "Return" or "Ctrl+Z" in the widget that has the keyboard there.

    Args:
        key: as in a menu.
        widget: of the window; the key goes to the widget in it that has the focus, or to itself.
    """
    _check_reachable(widget)
    combination: Any = QtGui.QKeySequence(key)[0]  # type: ignore[index] # PySide does not tell of it
    QtTest.QTest.keyClick(_focused(widget), combination.key(), combination.keyboardModifiers())
    QtWidgets.QApplication.processEvents()  # an editor in a table is closed a moment later


def type_text(text: str, widget: Any) -> None:
    """Replace what the widget with the keyboard holds by a text; see `press`."""
    _check_reachable(widget)
    focused = _focused(widget)
    if hasattr(focused, "selectAll") and not isinstance(focused, QtWidgets.QAbstractItemView):
        focused.selectAll()
    for letter in text:  # QTest's own keys know ASCII alone
        for kind in (QtCore.QEvent.Type.KeyPress, QtCore.QEvent.Type.KeyRelease):
            QtWidgets.QApplication.sendEvent(focused, QtGui.QKeyEvent(kind, 0, _NO_KEYS, letter))


def shown_text(label: Any) -> str:
    """What a label shows: markup is taken for text unless Qt takes the whole for rich text."""
    text = label.text
    plain = label.textFormat == QtCore.Qt.TextFormat.PlainText
    if plain or (label.textFormat == QtCore.Qt.TextFormat.AutoText and not QtGui.Qt.mightBeRichText(text)):
        return text
    document = QtGui.QTextDocument()
    document.setHtml(text)
    return document.toPlainText()


def _centre(table: Any, row: int, column: int) -> QtCore.QPoint:
    index = table.model().index(row, column)
    table.scrollTo(index)
    return table.visualRect(index).center()


def _focused(widget: Any) -> Any:
    found = widget.focusWidget()
    return widget if found is None or not found.isVisible() else found


def _check_reachable(widget: Any) -> None:
    window = widget.window()
    window.show()
    window.activateWindow()
    QtWidgets.QApplication.processEvents()
    assert widget.isVisible(), f"{widget.objectName}: hidden"
    assert widget.isEnabled(), f"{widget.objectName}: disabled ({widget.toolTip})"
