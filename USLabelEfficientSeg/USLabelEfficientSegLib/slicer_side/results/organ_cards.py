"""A card for each organ of a volume or image: its size in large digits, a bar of the interval, cautions in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import qt
from slicer.i18n import tr as _

from ...text.numbers import VolumeUnit
from ..section import on_dark
from .results_table import AnyRow

Widget = Any

_PARTS = 1000  # of a bar
_MARK = 3  # pixels
_BAR_ON_DARK = "#505050"  # the middle colour of Slicer's dark theme is that of the window


class OrganCards:
    """Cards in a container; they are made anew only when what they tell has changed.

    Args:
        container: an empty widget with a vertical layout.
    """

    def __init__(self, container: Widget) -> None:
        self._container = container
        self._shown: Any = None
        self._cards: list[Widget] = []

    def show(
        self,
        rows: Sequence[AnyRow],
        unit: VolumeUnit,
        largest: Mapping[str, float],
        colours: Mapping[str, tuple[float, float, float]],
    ) -> None:
        """Show the organs of one volume or image.

        Args:
            rows: one for each organ.
            unit: of all scans.
            largest: for each organ where its bar ends, so that the bars of different scans compare.
            colours: of the segments, from 0 to 1.
        """
        told = (tuple(rows), unit, dict(largest), dict(colours))
        if told == self._shown:
            return
        self._shown = told
        for card in self._cards:
            card.hide()
            card.deleteLater()
        self._cards = [_card(row, unit, largest.get(row.organ, 0.0), colours.get(row.organ)) for row in rows]
        for card in self._cards:
            self._container.layout().addWidget(card)
        self._container.visible = bool(rows)


def _card(row: AnyRow, unit: VolumeUnit, largest: float, colour: tuple[float, float, float] | None) -> Widget:
    card = qt.QFrame()
    card.objectName = "organCard"
    card.setFrameShape(qt.QFrame.StyledPanel)
    layout = qt.QVBoxLayout(card)
    layout.addWidget(_title(row, unit, colour))
    if row.interval is not None:
        layout.addWidget(_bar(row.interval, row.value, max(largest, row.interval[1])))
    layout.addWidget(_wrapped(row.details(unit)))
    for sentence in row.sentences:
        layout.addWidget(_caution(sentence))
    return card


def _title(row: AnyRow, unit: VolumeUnit, colour: tuple[float, float, float] | None) -> Widget:
    title = qt.QWidget()
    layout = qt.QHBoxLayout(title)
    layout.setContentsMargins(0, 0, 0, 0)
    if colour is not None:
        swatch = qt.QFrame()
        height = title.fontMetrics().height()
        swatch.setFixedSize(height, height)
        red, green, blue = (round(255 * part) for part in colour)
        swatch.styleSheet = f"background-color: rgb({red}, {green}, {blue})"
        layout.addWidget(swatch)
    layout.addWidget(_wrapped(row.organ), 1)
    volume = qt.QLabel(f"{unit.text(row.value)} {unit.name}")
    volume.objectName = "organVolume"
    size = 1.5 * qt.QFontInfo(title.font).pointSizeF()
    volume.styleSheet = f"font-size: {size:.1f}pt; font-weight: bold"
    volume.toolTip = _("The number to report.")
    layout.addWidget(volume)
    return title


def _bar(interval: tuple[float, float], value: float, largest: float) -> Widget:
    """From 0 to the largest: the interval as a band, the volume as a mark in it; its layout keeps the proportions."""
    bar = qt.QFrame()
    bar.objectName = "intervalBar"
    bar.styleSheet = f"#intervalBar {{ background-color: {_BAR_ON_DARK if on_dark(bar) else 'palette(mid)'} }}"
    bar.setFixedHeight(max(8, bar.fontMetrics().height() // 2))
    bar.toolTip = _("The true value lies in the band with 90 % probability. The bar begins at 0.")
    layout = qt.QHBoxLayout(bar)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(0)
    low, high = interval
    inside = min(max(value, low), high)
    band = "highlight"
    pieces = (("", low), (band, inside - low), ("text", 0.0), (band, high - inside), ("", largest - high))
    for colour, length in pieces:
        piece = qt.QFrame()
        if colour:
            piece.styleSheet = f"background-color: palette({colour})"
        if colour == "text":
            piece.setFixedWidth(_MARK)
        layout.addWidget(piece, round(_PARTS * length / largest) if largest else 0)
        piece.visible = colour == "text" or length > 0
    return bar


def _caution(sentence: str) -> Widget:
    caution = qt.QWidget()
    layout = qt.QHBoxLayout(caution)
    layout.setContentsMargins(0, 0, 0, 0)
    icon = qt.QLabel()
    size = caution.fontMetrics().height() + 2
    icon.setPixmap(caution.style().standardIcon(qt.QStyle.SP_MessageBoxWarning).pixmap(size, size))
    icon.accessibleName = _("Caution")
    icon.setFixedSize(size, size)
    layout.addWidget(icon, 0, qt.Qt.AlignTop)
    layout.addWidget(_wrapped(sentence), 1)
    return caution


def _wrapped(text: str) -> Widget:
    label = qt.QLabel()
    label.setTextFormat(qt.Qt.PlainText)
    label.text = text
    label.wordWrap = True
    label.setTextInteractionFlags(qt.Qt.TextSelectableByMouse)
    return label
