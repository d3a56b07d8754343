"""Signals between the sections of the panel, none of which knows another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Signal:
    """Something that happens; connected listeners hear of it at once, in the order of their connections.

    Example::

        >>> opened = Signal()
        >>> opened.connect(print)
        >>> opened.emit("a study")
        a study
    """

    def __init__(self) -> None:
        self._listeners: list[Callable[..., object]] = []

    def connect(self, listener: Callable[..., object]) -> None:
        """Call `listener` at every emission from now on."""
        self._listeners.append(listener)

    def emit(self, *arguments: Any) -> None:
        """Tell all who are connected."""
        for listener in self._listeners:
            listener(*arguments)


class PanelSignals:
    """The signals of one panel.

    Attributes:
        study_created: a study was made of volumes of the scene.
        study_opened: another study is open; with whether its volumes are to be loaded.
        study_closed: the study was left; no study is open now.
        volume_chosen: with the name of the volume that is being labelled, None for one that is not of the study.
        labels_needed: drawn labels must be saved now.
        packages_known: it was looked up which packages are there; with whether a training finds torch.
        trained: a training is done to the end.
        segmented: with the segmentation nodes that were made.
        correction_wanted: with a volume node, array axis and index of the slice of its result that is to be corrected.
    """

    def __init__(self) -> None:
        self.study_created = Signal()
        self.study_opened = Signal()
        self.study_closed = Signal()
        self.volume_chosen = Signal()
        self.labels_needed = Signal()
        self.packages_known = Signal()
        self.trained = Signal()
        self.segmented = Signal()
        self.correction_wanted = Signal()
