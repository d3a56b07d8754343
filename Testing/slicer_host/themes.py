"""The light and the dark theme of Slicer, as its class qSlicerStyle makes them, and what of a widget can be read."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from PySide6 import QtGui, QtWidgets

# For each role its colour in the light and in the dark theme.
_COLOURS = {
    "Window": ("#ffffff", "#323232"),
    "WindowText": ("#000000", "#ffffff"),
    "Base": ("#ffffff", "#1e1e1e"),
    "AlternateBase": ("#e4e4fe", "#323232"),
    "ToolTipBase": ("#ffffdc", "#ffffff"),
    "ToolTipText": ("#000000", "#323232"),
    "Text": ("#000000", "#ffffff"),
    "PlaceholderText": ("#808080", "#c0c0c0"),
    "Button": ("#fcfcfc", "#323232"),
    "ButtonText": ("#000000", "#ffffff"),
    "BrightText": ("#ff0000", "#ff4444"),
    "Light": ("#c8c8c8", "#828284"),
    "Midlight": ("#e6e6e6", "#5a5a5b"),
    "Dark": ("#aaaaaa", "#232323"),
    "Mid": ("#c8c8c8", "#2b2b2b"),
    "Shadow": ("#5a5a5a", "#141414"),
    "Highlight": ("#308cc6", "#3ca4ff"),
    "HighlightedText": ("#ffffff", "#ffffff"),
    "Link": ("#0000ff", "#3ca4ff"),
}
_OF_DISABLED = {
    "WindowText": ("#bebebe", "#6d6d6d"),
    "Base": ("#ffffff", "#1e1e1e"),
    "Text": ("#bebebe", "#6d6d6d"),
    "ButtonText": ("#bebebe", "#b4b4b4"),
    "Highlight": ("#919191", "#505050"),
    "HighlightedText": ("#ffffff", "#6d6d6d"),
}


@contextmanager
def slicers_theme(dark: bool) -> Iterator[None]:
    """The application in a theme of Slicer, without the smoothing of letters, which blurs their colours."""
    application: Any = QtWidgets.QApplication.instance()
    before, font = application.palette(), application.font()
    palette, sharp = QtGui.QPalette(), QtGui.QFont(font)
    roles = QtGui.QPalette.ColorRole
    for name, colours in _COLOURS.items():
        palette.setColor(getattr(roles, name), QtGui.QColor(colours[dark]))
    for name, colours in _OF_DISABLED.items():
        palette.setColor(QtGui.QPalette.ColorGroup.Disabled, getattr(roles, name), QtGui.QColor(colours[dark]))
    sharp.setStyleStrategy(QtGui.QFont.StyleStrategy.NoAntialias)
    application.setPalette(palette)
    application.setFont(sharp)
    try:
        yield
    finally:
        application.setPalette(before)
        application.setFont(font)


def contrast(widget: Any) -> float:
    """Of a widget as it is drawn: the largest contrast (WCAG 2.2, 1 to 21) of a colour to the most frequent one."""
    picture = widget.grab().toImage()
    points = ((x, y) for y in range(picture.height()) for x in range(picture.width()))
    counts = Counter(picture.pixel(x, y) for x, y in points)
    behind = luminance(QtGui.QColor(counts.most_common(1)[0][0]))
    return max(_ratio(behind, luminance(QtGui.QColor(colour))) for colour in counts)


def luminance(colour: Any) -> float:
    """Relative luminance, WCAG 2.2."""
    parts = [colour.redF(), colour.greenF(), colour.blueF()]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _ratio(one: float, other: float) -> float:
    light, dark = max(one, other), min(one, other)
    return (light + 0.05) / (dark + 0.05)
