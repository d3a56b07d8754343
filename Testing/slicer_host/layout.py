"""`slicer.app.layoutManager()`: three slice views and a 3-D view, with real nodes and logics."""

from typing import Any

import slicer
import vtk

from .views import SliceView, ThreeDView

_SLICE_VIEWS = {"Red": "Axial", "Yellow": "Sagittal", "Green": "Coronal"}


class SliceWidget:
    """What `sliceWidget(name)` returns, of qMRMLSliceWidget's methods those that modules use."""

    def __init__(self, view: SliceView) -> None:
        self.view = view

    def sliceLogic(self) -> Any:
        return self.view.logic

    def mrmlSliceNode(self) -> Any:
        return self.view.node

    def mrmlSliceCompositeNode(self) -> Any:
        return self.view.logic.GetSliceCompositeNode()

    def fitSliceToBackground(self) -> None:
        self.view.logic.FitSliceToBackground()


class ThreeDWidget:
    """What `threeDWidget(0)` returns."""

    def __init__(self, view: ThreeDView) -> None:
        self.view = view
        self.focal_point_resets = 0

    def threeDView(self) -> "ThreeDWidget":
        return self

    def mrmlViewNode(self) -> Any:
        return self.view.node

    def resetFocalPoint(self) -> None:
        self.focal_point_resets += 1


class LayoutManager:
    """Of qSlicerLayoutManager's methods those that modules use."""

    def __init__(self) -> None:
        self._slices = {name: SliceWidget(SliceView(name, axis)) for name, axis in _SLICE_VIEWS.items()}
        self._three_d = ThreeDWidget(ThreeDView("1"))
        self._logic = slicer.vtkMRMLLayoutLogic()
        self._logic.SetMRMLScene(slicer.mrmlScene)
        self.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)

    def layoutLogic(self) -> Any:
        return self._logic

    def sliceViewNames(self) -> list[str]:
        return list(self._slices)

    def sliceWidget(self, name: str) -> SliceWidget | None:
        return self._slices.get(name)

    def threeDWidget(self, index: int) -> ThreeDWidget | None:
        return self._three_d if index == 0 else None

    def mrmlSliceLogics(self) -> vtk.vtkCollection:
        return slicer._host_application_logic.GetSliceLogics()

    @property
    def threeDViewCount(self) -> int:
        return 1

    @property
    def layout(self) -> int:
        return self._logic.GetLayoutNode().GetViewArrangement()

    @layout.setter
    def layout(self, layout: int) -> None:
        self.setLayout(layout)

    def setLayout(self, layout: int) -> None:
        """Arrange the views; a view that the layout does not have is not mapped in it."""
        self._logic.GetLayoutNode().SetViewArrangement(layout)
        description = self._logic.GetLayoutNode().GetLayoutDescription(layout) or ""
        for widget in self._slices.values():
            node = widget.mrmlSliceNode()
            node.SetMappedInLayout(f'singletontag="{node.GetSingletonTag()}"' in description)

    def resetSliceViews(self) -> None:
        for widget in self._slices.values():
            widget.fitSliceToBackground()

    def resetThreeDViews(self) -> None:
        self._three_d.resetFocalPoint()
