"""US Label-Efficient Segmentation in 3D Slicer: the module, its panel, its logic and its self-test.

This file only connects Slicer with the library: what the panel does is in `USLabelEfficientSegLib.slicer_side`, a file
for each of its sections, and so is the logic, which Slicer finds here by its name.
"""

import unittest
from pathlib import Path
from typing import Any

import slicer
import vtk
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

from USLabelEfficientSegLib.slicer_side.logic import USLabelEfficientSegLogic

TUTORIAL = "https://github.com/us-label-efficient-seg/SlicerUSLabelEfficientSeg/blob/main/docs/tutorial.md"


class USLabelEfficientSeg(ScriptedLoadableModule):
    """What Slicer shows of the module in its menus and help."""

    def __init__(self, parent: Any) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("US Label-Efficient Segmentation")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        parent.dependencies = ["SegmentEditor", "Segmentations", "Volumes"]
        parent.contributors = ["US Label-Efficient Segmentation contributors"]
        parent.helpText = _(
            "Finds organs in 3-D ultrasound and measures their volume, after learning from a handful of slices that "
            "you label. Work through the steps from top to bottom. Research use only: this is not a medical device."
        )
        parent.helpText += f'<p><a href="{TUTORIAL}">{_("Tutorial and documentation")}</a></p>'
        parent.acknowledgementText = _(
            "Method: Zhang, Qin, Zhu, Ban, Anthony: Learning 3-D Ultrasound Segmentation under Extreme Label "
            "Deficiency, Ultrasound in Medicine and Biology 2026."
        )
        slicer.app.connect("startupCompleted()", registerSampleData)
        slicer.app.connect("startupCompleted()", goOnInstalling)


def registerSampleData() -> None:
    """Add the simulated study to the Sample Data module."""
    from USLabelEfficientSegLib.slicer_side.nodes import simulated_data

    simulated_data.registerSampleData()


def goOnInstalling() -> None:
    """Open the panel if an installation has waited for Slicer's restart; the panel goes on with it."""
    from USLabelEfficientSegLib.slicer_side.processes import installation

    if installation.goesOnAfterRestart():
        slicer.util.selectModule("USLabelEfficientSeg")


class USLabelEfficientSegWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel in Slicer's life: opened, left, entered, scene closed, reloaded."""

    def __init__(self, parent: Any = None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic: USLabelEfficientSegLogic | None = None
        self.panel: Any = None
        self._parameterNode: Any = None
        self._parameterNodeGuiTag: int | None = None

    def setup(self) -> None:
        """Called when the user opens the module the first time."""
        from USLabelEfficientSegLib.slicer_side.panel import Panel
        from USLabelEfficientSegLib.slicer_side.steps.steps import load_steps

        ScriptedLoadableModuleWidget.setup(self)
        frame = slicer.util.loadUI(self.resourcePath("UI/USLabelEfficientSeg.ui"))
        self.layout.addWidget(frame)
        environment = slicer.util.loadUI(self.resourcePath("UI/Environment.ui"))
        self.layout.addStretch(1)
        frame.setMRMLScene(slicer.mrmlScene)
        self.ui = load_steps(frame, self.resourcePath)
        frame.layout().addWidget(environment)  # as wide as the steps
        self.logic = USLabelEfficientSegLogic()
        self.panel = Panel(self.ui, slicer.util.childWidgetVariables(environment), self.logic)
        self.layout.insertWidget(0, self.panel.environment.notice)
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(scene, scene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(scene, scene.EndImportEvent, self.onSceneEndImport)
        self.addObserver(scene, scene.NodeAddedEvent, self.panel.refresh_soon)
        self.addObserver(scene, scene.NodeRemovedEvent, self.panel.nodes_removed)
        self.initializeParameterNode()
        self.panel.reopen()  # of a scene that was loaded before the module was opened
        self.panel.environment.take_up()

    def cleanup(self) -> None:
        """Called when Slicer closes or the module is reloaded: training stops and can be resumed."""
        self.panel.close()
        self.setParameterNode(None)
        self.removeObservers()

    def enter(self) -> None:
        """Called each time the user opens this module."""
        self.initializeParameterNode()
        self.panel.enter()

    def exit(self) -> None:
        """Called each time the user opens a different module; what is running goes on."""
        self.panel.leave()

    def onSceneStartClose(self, caller: Any, event: Any) -> None:
        """Called just before the scene is closed."""
        self.panel.labels.forget()
        self.setParameterNode(None)
        self.panel.nodes_removed()

    def onSceneEndClose(self, caller: Any, event: Any) -> None:
        """Called just after the scene is closed. A running job goes on, and its study stays open."""
        self.panel.scene_closed()
        self.initializeParameterNode()

    def onSceneEndImport(self, caller: Any, event: Any) -> None:
        """Called after a scene was loaded: open the study that was open when it was saved."""
        self.initializeParameterNode()
        self.panel.reopen()

    def initializeParameterNode(self) -> None:
        """Ensure that the parameter node exists and is observed."""
        self.setParameterNode(self.logic.getParameterNode())

    def setParameterNode(self, parameterNode: Any) -> None:
        """Bind the widgets to a parameter node, or to none."""
        if self._parameterNode is not None:
            self._parameterNode.disconnectGui(self._parameterNodeGuiTag)
            self.removeObserver(self._parameterNode, vtk.vtkCommand.ModifiedEvent, self.panel.refresh_soon)
        self._parameterNode = parameterNode
        self.panel.parameters = parameterNode
        if parameterNode is not None:
            self._parameterNodeGuiTag = parameterNode.connectGui(self.ui)
            self.addObserver(parameterNode, vtk.vtkCommand.ModifiedEvent, self.panel.refresh_soon)
            if self.logic.session is not None and not parameterNode.studyFolder:
                parameterNode.studyFolder = str(self.logic.session.folder)
            self.panel.refresh()


class USLabelEfficientSegTest(ScriptedLoadableModuleTest):
    """The self-test that Slicer runs: from simulated volumes to organ volumes by the logic alone."""

    def setUp(self) -> None:
        """Start from an empty scene."""
        slicer.mrmlScene.Clear()

    def runTest(self) -> None:
        """Run all tests."""
        self.setUp()
        try:
            self.test_FromVolumesToOrganVolumes()
        except unittest.SkipTest as skipped:
            self.delayDisplay(str(skipped))

    def test_FromVolumesToOrganVolumes(self) -> None:
        """Simulated volumes, a few labelled slices, a training of seconds, segmentation, organ volumes."""
        import tempfile

        from USLabelEfficientSegLib.slicer_side import selftest

        missing = selftest.whatIsMissing()
        if missing:
            self.skipTest(missing)

        self.delayDisplay("Simulating volumes and training for a few seconds")
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            tableNode = selftest.from_volumes_to_organ_volumes(USLabelEfficientSegLogic(), Path(folder) / "study")
        self.assertEqual(tableNode.GetNumberOfRows(), 2)
        self.delayDisplay("Test passed")
