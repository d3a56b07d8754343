"""The uncertainty over its volume in the slice views, with Slicer's own colour legend."""

from __future__ import annotations

from typing import Any

import slicer
from slicer.i18n import tr as _

from .study_nodes import ROLE, UNCERTAINTY, VOLUME

MrmlNode = Any

_OPACITY = 0.6


class UncertaintyView:
    """Shows uncertainty maps as foreground of the views that show their volumes, and takes them away again.

    What the user had in the foreground comes back.
    """

    def __init__(self) -> None:
        self._before: dict[str, tuple[str | None, float]] = {}  # by the view's node
        self._legends: set[str] = set()  # maps whose legend is shown

    def update(self, wanted: bool) -> bool:
        """Bring all views up to date. Returns whether any shows an uncertainty."""
        if not wanted and not self._before and not self._legends:
            return False
        maps = _maps() if wanted else {}
        shown = set()
        for view in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
            own = maps.get(view.GetBackgroundVolumeID())
            if own is not None:
                self._show(view, own)
                shown.add(own)
            else:
                self._put_back(view)
        for node_id in self._legends | shown:
            node = slicer.mrmlScene.GetNodeByID(node_id)
            if node is not None:
                _show_legend(node, node_id in shown)
        self._legends = shown
        return bool(shown)

    def _show(self, view: MrmlNode, node_id: str) -> None:
        if view.GetForegroundVolumeID() == node_id:
            return
        before = view.GetForegroundVolumeID(), view.GetForegroundOpacity()
        self._before.setdefault(view.GetID(), before)
        view.SetForegroundVolumeID(node_id)
        view.SetForegroundOpacity(_OPACITY)

    def _put_back(self, view: MrmlNode) -> None:
        before = self._before.pop(view.GetID(), None)
        foreground = slicer.mrmlScene.GetNodeByID(view.GetForegroundVolumeID() or "")
        if before is not None and (foreground is None or _is_map(foreground)):
            view.SetForegroundVolumeID(before[0])
            view.SetForegroundOpacity(before[1])


def _maps() -> dict[str, str]:
    """The newest uncertainty map of each volume, by the volume's node."""
    nodes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    return {node.GetNodeReferenceID(VOLUME): node.GetID() for node in nodes if _is_map(node)}


def _is_map(node: MrmlNode) -> bool:
    return bool(node.GetAttribute(ROLE) == UNCERTAINTY)


def _show_legend(node: MrmlNode, visible: bool) -> None:
    logic = slicer.modules.colors.logic()
    legend = logic.GetColorLegendDisplayNode(node)
    if legend is None and visible:
        legend = logic.AddDefaultColorLegendDisplayNode(node)
        legend.SetTitleText(_("Uncertainty"))
    if legend is not None and bool(legend.GetVisibility()) != visible:
        legend.SetVisibility(visible)
