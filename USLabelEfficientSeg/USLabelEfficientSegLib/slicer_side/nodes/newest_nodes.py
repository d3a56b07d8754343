"""The nodes that came into Slicer's scene since somebody has looked, without a walk through all others."""

from __future__ import annotations

from typing import Any

import slicer
import vtk

MrmlNode = Any


class NewestNodes:
    """Remembers how far the scene was looked through: new nodes come at its end. No node is kept alive by this."""

    def __init__(self) -> None:
        self._scene: Any = None
        self._all: Any = None
        self._time = -1
        self._count = 0
        self._last = vtk.vtkWeakReference()

    def forget(self) -> None:
        """All nodes are new."""
        self._time, self._count = -1, 0

    def news(self) -> list[MrmlNode] | None:
        """The nodes that came since the last call, in the order of the scene; None: begin anew, with all nodes."""
        if self._scene is not slicer.mrmlScene:
            self._scene = slicer.mrmlScene
            self._all = self._scene.GetNodes()  # kept: letting go of it takes VTK as long as a walk
            self.forget()
        if (time := self._all.GetMTime()) == self._time:
            return []
        before, count = self._count, self._all.GetNumberOfItems()
        # One that was removed, or put between others, has moved the last one.
        more = 0 < before < count and self._all.GetItemAsObject(before - 1) is self._last.Get()
        self._time, self._count = time, count
        self._last.Set(self._all.GetItemAsObject(count - 1) if count else None)
        return [self._all.GetItemAsObject(number) for number in range(before, count)] if more else None
