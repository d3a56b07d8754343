"""Slice and 3-D views rendered off screen through Slicer's own displayable managers."""

from pathlib import Path
from typing import Any

import slicer
import vtk

_SLICE_MANAGERS = (
    "vtkMRMLCrosshairDisplayableManager", "vtkMRMLModelSliceDisplayableManager",
    "vtkMRMLOrientationMarkerDisplayableManager", "vtkMRMLRulerDisplayableManager",
    "vtkMRMLScalarBarDisplayableManager", "vtkMRMLSegmentationsDisplayableManager2D",
    "vtkMRMLMarkupsDisplayableManager", "vtkMRMLColorLegendDisplayableManager",
)  # fmt: skip
_3D_MANAGERS = (
    "vtkMRMLCameraDisplayableManager", "vtkMRMLViewDisplayableManager", "vtkMRMLModelDisplayableManager",
    "vtkMRMLOrientationMarkerDisplayableManager", "vtkMRMLRulerDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager3D", "vtkMRMLMarkupsDisplayableManager",
)  # fmt: skip


class SliceView:
    """One slice view: its nodes and logic exist from the start, its window when it is first rendered."""

    def __init__(self, name: str, orientation: str) -> None:
        self.name = name
        self.logic = slicer.vtkMRMLSliceLogic()
        self.logic.SetMRMLApplicationLogic(slicer._host_application_logic)
        slicer._host_application_logic.GetSliceLogics().AddItem(self.logic)
        self.logic.SetMRMLScene(slicer.mrmlScene)
        self.node = self.logic.AddSliceNode(name)
        self.node.SetOrientation(orientation)
        self.node.SetMappedInLayout(1)
        self._window: Any = None

    def render(self, png: Path, size: tuple[int, int]) -> None:
        """Write what the view shows."""
        if self._window is None:
            self._open(size)
        self._window.SetSize(*size)
        self.logic.ResizeSliceNode(*size)
        self.logic.UpdatePipeline()
        self._mapper.SetInputConnection(self.logic.GetImageDataConnection())
        self._window.Render()
        _write_png(self._window, png)

    def _open(self, size: tuple[int, int]) -> None:
        self._window, renderer, self._interactor = _off_screen_window(size)
        overlay = vtk.vtkRenderer()  # as in Slicer: the image below, what is drawn over it in a layer of its own
        overlay.SetLayer(1)
        overlay.GetActiveCamera().ParallelProjectionOn()
        self._window.SetNumberOfLayers(2)
        self._window.AddRenderer(overlay)
        factory = slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance()
        self._managers = _displayable_managers(factory, _SLICE_MANAGERS, overlay)
        self._managers.SetMRMLDisplayableNode(self.node)
        self._mapper = vtk.vtkImageMapper()
        self._mapper.SetColorWindow(255)
        self._mapper.SetColorLevel(127.5)
        actor = vtk.vtkActor2D()
        actor.SetMapper(self._mapper)
        renderer.AddViewProp(actor)


class ThreeDView:
    """The 3-D view."""

    def __init__(self, name: str) -> None:
        self.logic = slicer.vtkMRMLViewLogic()
        self.logic.SetMRMLApplicationLogic(slicer._host_application_logic)
        slicer._host_application_logic.GetViewLogics().AddItem(self.logic)
        self.logic.SetMRMLScene(slicer.mrmlScene)
        self.node = self.logic.AddViewNode(name)
        self.node.SetMappedInLayout(1)
        self._window: Any = None

    def render(self, png: Path, size: tuple[int, int]) -> None:
        """Write what the view shows, the camera turned so that everything is seen."""
        if self._window is None:
            self._window, self._renderer, self._interactor = _off_screen_window(size)
            factory = slicer.vtkMRMLThreeDViewDisplayableManagerFactory.GetInstance()
            self._managers = _displayable_managers(factory, _3D_MANAGERS, self._renderer)
            self._managers.SetMRMLDisplayableNode(self.node)
        self._window.SetSize(*size)
        self.node.SetBoxVisible(False)
        self.node.SetAxisLabelsVisible(False)
        self._renderer.ResetCamera()
        self._window.Render()
        _write_png(self._window, png)


def _off_screen_window(size: tuple[int, int]) -> tuple[Any, Any, Any]:
    window, renderer, interactor = vtk.vtkRenderWindow(), vtk.vtkRenderer(), vtk.vtkRenderWindowInteractor()
    window.SetOffScreenRendering(1)
    window.SetMultiSamples(0)
    window.SetSize(*size)
    window.AddRenderer(renderer)
    interactor.SetRenderWindow(window)
    return window, renderer, interactor


def _displayable_managers(factory: Any, names: tuple[str, ...], renderer: Any) -> Any:
    factory.SetMRMLApplicationLogic(slicer._host_application_logic)
    for name in names:
        if not factory.IsDisplayableManagerRegistered(name):
            factory.RegisterDisplayableManager(name)
    group = slicer.vtkMRMLDisplayableManagerGroup()
    group.SetRenderer(renderer)
    group.Initialize(factory, renderer)
    return group


def _write_png(window: Any, png: Path) -> None:
    grabber, writer = vtk.vtkWindowToImageFilter(), vtk.vtkPNGWriter()
    grabber.SetInput(window)
    grabber.ReadFrontBufferOff()
    writer.SetFileName(str(png))
    writer.SetInputConnection(grabber.GetOutputPort())
    writer.Write()
