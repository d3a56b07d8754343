"""A MRML scene with Slicer's application logic and module logics, from the `slicer-core` wheel."""

import importlib
import sys
import types
from typing import Any

import slicer
import vtk

# The module's name in Slicer, and the class of its logic.
_LOGICS = {
    "Volumes": "vtkSlicerVolumesLogic",
    "SubjectHierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
    "Transforms": "vtkSlicerTransformLogic",
    "Segmentations": "vtkSlicerSegmentationsModuleLogic",
    "Sequences": "vtkSlicerSequencesLogic",
    "Tables": "vtkSlicerTablesLogic",
    "Models": "vtkSlicerModelsLogic",
    "Markups": "vtkSlicerMarkupsLogic",
    "Units": "vtkSlicerUnitsLogic",
    "Texts": "vtkSlicerTextsLogic",
    "Plots": "vtkSlicerPlotsLogic",
    "VolumeRendering": "vtkSlicerVolumeRenderingLogic",
}
# Compiled modules that Slicer's Python code imports under these names, with or without the suffix "Python".
_COMPILED = ("vtkITK", "vtkTeem", "vtkSegmentationCore", "MRMLCore", "MRMLLogic", "vtkSlicerSegmentationsModuleLogic")


class LoadableModule:
    """What `slicer.modules.NAME` is for a C++ module of Slicer."""

    def __init__(self, name: str, logic: vtk.vtkObject) -> None:
        self.name = name
        self._logic = logic

    def logic(self) -> vtk.vtkObject:
        """The module's logic, which observes the scene."""
        return self._logic


def create_scene() -> None:
    """Set `slicer.mrmlScene`, `slicer.modules` and the application logic `slicer._host_application_logic`."""
    scene = slicer.vtkMRMLScene()
    application = slicer.vtkSlicerApplicationLogic()
    application.SetMRMLScene(scene)
    application.GetColorLogic().SetMRMLScene(scene)
    application.GetColorLogic().AddDefaultColorNodes()
    application.SetSliceLogics(vtk.vtkCollection())
    application.SetViewLogics(vtk.vtkCollection())

    application.SetModuleLogic("Colors", application.GetColorLogic())
    modules = types.ModuleType("slicer.modules")
    # Slicer's own class, for colour legends; without the scene: it would look for files of colours that are not here.
    scene.RegisterNodeClass(slicer.vtkMRMLColorLegendDisplayNode())
    modules.colors = LoadableModule("Colors", slicer.vtkSlicerColorLogic())  # type: ignore[attr-defined]
    for name, cls in _LOGICS.items():
        logic = getattr(slicer, cls)()
        logic.SetMRMLApplicationLogic(application)
        logic.SetMRMLScene(scene)
        application.SetModuleLogic(name, logic)
        setattr(modules, name.lower(), LoadableModule(name, logic))
    # Without the scene: with it, it would look for terminologies that the wheel lacks, and complain of each.
    terminologies = LoadableModule("Terminologies", slicer.vtkSlicerTerminologiesModuleLogic())
    modules.terminologies = terminologies  # type: ignore[attr-defined]

    scene.AddObserver(slicer.vtkMRMLScene.NodeAddedEvent, _add_to_subject_hierarchy)
    scene.AddObserver(slicer.vtkMRMLScene.NodeRemovedEvent, _remove_from_subject_hierarchy)
    slicer.mrmlScene = scene
    slicer.modules = sys.modules["slicer.modules"] = modules
    slicer._host_application_logic = application
    for name in _COMPILED:
        sys.modules[name] = sys.modules[f"{name}Python"] = importlib.import_module(f"slicer_core.{name}")


@vtk.calldata_type(vtk.VTK_OBJECT)
def _add_to_subject_hierarchy(scene: Any, event: str, node: Any) -> None:
    """Give a node its item in the subject hierarchy: in Slicer the hierarchy's Qt plugins do."""
    shown = any(node.IsA(cls) for cls in ("vtkMRMLDisplayableNode", "vtkMRMLTableNode", "vtkMRMLPlotChartNode"))
    hierarchy = scene.GetSubjectHierarchyNode()
    if shown and not node.GetHideFromEditors() and not hierarchy.GetItemByDataNode(node):
        hierarchy.CreateItem(hierarchy.GetSceneItemID(), node)


@vtk.calldata_type(vtk.VTK_OBJECT)
def _remove_from_subject_hierarchy(scene: Any, event: str, node: Any) -> None:
    """Take a removed node's item out of the subject hierarchy, likewise."""
    hierarchy = scene.GetSubjectHierarchyNode()
    item = hierarchy.GetItemByDataNode(node) if not node.IsA("vtkMRMLSubjectHierarchyNode") else 0
    if item:
        hierarchy.RemoveItem(item, False, False)
