"""US Label-Efficient Segmentation in 3D Slicer: the module, its panel, its logic and its self-test.

This file only connects Slicer with the library: what the panel does is in `USLabelEfficientSegLib.slicer_side`, a file
for each of its sections.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

import slicer
import vtk
from slicer import vtkMRMLPlotChartNode, vtkMRMLScalarVolumeNode, vtkMRMLTableNode
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

from USLabelEfficientSegLib.errors import InputError


class USLabelEfficientSeg(ScriptedLoadableModule):
    """What Slicer shows of the module in its menus and help."""

    def __init__(self, parent: Any) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("US Label-Efficient Segmentation")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        parent.dependencies = ["SegmentEditor", "Segmentations", "Volumes"]
        parent.contributors = ["The US Label-Efficient Segmentation authors"]
        parent.helpText = _(
            "Finds organs in 3-D ultrasound and measures their volume, after learning from a handful of slices that "
            "you label. Work through the sections from top to bottom. Research use only: this is not a medical device."
        )
        parent.acknowledgementText = _(
            "Method: Zhang, Qin, Zhu, Ban, Anthony: Learning 3-D Ultrasound Segmentation under Extreme Label "
            "Deficiency, Ultrasound in Medicine and Biology 2026."
        )
        slicer.app.connect("startupCompleted()", registerSampleData)


def registerSampleData() -> None:
    """Add the simulated study to the Sample Data module."""
    from USLabelEfficientSegLib.slicer_side import simulated_data

    simulated_data.registerSampleData()


class Preset(Enum):
    """How thorough the training is; the values are the names of the library's presets."""

    QUICK = "quick"
    STANDARD = "standard"
    FULL = "full"

    def label(self) -> str:
        """What the panel calls it."""
        return {
            "quick": _("Quick – a laptop will do"),
            "standard": _("Standard – workstation with graphics card"),
            "full": _("Full – as published, days on a graphics card"),
        }[self.value]


class Method(Enum):
    """How the labels of a few slices are spread; the values are the library's names."""

    CROSS_DIMENSIONAL = "cross-dimensional"
    INFORMATION_DIVERGENCE = "information-divergence"

    def label(self) -> str:
        """What the panel calls it."""
        return {
            "cross-dimensional": _("A teacher for slices guides a student for volumes"),
            "information-divergence": _("Two networks for slices teach each other first"),
        }[self.value]


class ModelSource(Enum):
    """Which model segments."""

    STUDY = "study"
    FILE = "file"

    def label(self) -> str:
        """What the panel calls it."""
        return {"study": _("Model of this study"), "file": _("Model file")}[self.value]


class SliceAxis(Enum):
    """Array axis across which slices are suggested and counted."""

    K = 2
    J = 1
    I = 0  # noqa: E741 - Slicer's name of the axis

    def label(self) -> str:
        """What the panel calls it."""
        return {
            2: _("As acquired: across the third axis (K)"),
            1: _("Across the second axis (J)"),
            0: _("Across the first axis (I)"),
        }[self.value]


@parameterNodeWrapper
class USLabelEfficientSegParameterNode:
    """All settings of the panel, saved with the scene.

    studyFolder - The folder of the study.
    volumes - Volumes that belong, or are to belong, to the study.
    organs - Names, colours and terminology of the organs as JSON, until the study is made.
    sliceAxis - Axis across which slices are suggested and counted.
    preset, method, device, changes - How training is done.
    preview - Whether what is found so far is shown while training runs.
    volumesToSegment, modelSource, modelFile - What is segmented, with which model.
    uncertainty, show3D - What is made of a segmentation.
    volumesTable, lossChart - Nodes that show results.
    """

    studyFolder: str
    volumes: list[vtkMRMLScalarVolumeNode]
    organs: str
    sliceAxis: SliceAxis = SliceAxis.K
    preset: Preset = Preset.QUICK
    method: Method = Method.CROSS_DIMENSIONAL
    device: str = "auto"
    changes: str
    preview: bool = True
    volumesToSegment: list[vtkMRMLScalarVolumeNode]
    modelSource: ModelSource = ModelSource.STUDY
    modelFile: str
    uncertainty: bool = True
    show3D: bool = True
    volumesTable: vtkMRMLTableNode
    lossChart: vtkMRMLPlotChartNode


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

        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/USLabelEfficientSeg.ui"))
        self.layout.addWidget(uiWidget)
        self.layout.addStretch(1)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = USLabelEfficientSegLogic()
        self.panel = Panel(self.ui, self.logic)
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(scene, scene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(scene, scene.EndImportEvent, self.onSceneEndImport)
        self.addObserver(scene, scene.NodeAddedEvent, self.panel.refresh_soon)
        self.addObserver(scene, scene.NodeRemovedEvent, self.panel.refresh_soon)
        self.initializeParameterNode()

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

    def onSceneEndClose(self, caller: Any, event: Any) -> None:
        """Called just after the scene is closed. The study stays open, and its training goes on."""
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


class USLabelEfficientSegLogic(ScriptedLoadableModuleLogic):
    """Everything the module can do, without its panel, from Slicer's Python console.

    Each method works until it is done, with Slicer's window alive, and returns its result; with `blocking=False` it
    returns a running `Job` at once and calls `onFinished(job)` at the end.

    Example::

        >>> logic = slicer.util.getModuleLogic("USLabelEfficientSeg")
        >>> logic.pretrainTeacher("C:/studies/prostate", volumeNodes, ["prostate"])  # doctest: +SKIP
    """

    def __init__(self) -> None:
        from USLabelEfficientSegLib.slicer_side.jobs import JobRunner

        ScriptedLoadableModuleLogic.__init__(self)
        self.runner = JobRunner()
        self.session: Any = None

    def getParameterNode(self) -> USLabelEfficientSegParameterNode:
        """The settings of the panel in this scene."""
        return USLabelEfficientSegParameterNode(super().getParameterNode())

    def openStudy(self, studyFolder: str | Path) -> Any:
        """Open a study folder; a `StudySession` is returned, and is from now on `logic.session`.

        Raises:
            InputError: no study, a damaged one, or one of a newer version.
        """
        from USLabelEfficientSegLib.slicer_side.study_session import StudySession

        if self.session is None or self.session.folder != Path(studyFolder):
            self.session = StudySession(Path(studyFolder))
        return self.session

    def createStudy(
        self, studyFolder: str | Path, volumeNodes: Sequence[Any], organs: Sequence[str], sliceAxis: int = 2
    ) -> Any:
        """Make a study of volume nodes and open it.

        Args:
            studyFolder: a new or empty folder.
            volumeNodes: vtkMRMLScalarVolumeNode; those without labels help, too.
            organs: names of the organs.
            sliceAxis: array axis across which slices are suggested and counted.

        Raises:
            InputError: the folder is not empty, or a volume cannot be used.
        """
        from USLabelEfficientSegLib.slicer_side import study_session
        from USLabelEfficientSegLib.slicer_side.jobs import Job
        from USLabelEfficientSegLib.slicer_side.segmentation_nodes import organsNamed

        named = organsNamed(list(organs))
        job = Job(
            _("Making the study"),
            lambda job: study_session.createStudy(job, Path(studyFolder), list(volumeNodes), named, sliceAxis),
            "create",
        )
        self.session = self.runner.run(job)
        return self.session

    def pretrainTeacher(
        self,
        studyFolder: str | Path,
        volumeNodes: Sequence[Any] = (),
        organs: Sequence[str] = (),
        *,
        blocking: bool = True,
        onFinished: Callable[[Any], None] | None = None,
        **training: Any,
    ) -> Any:
        """Let the 2-D teacher study all slices of all volumes, without any label.

        Args:
            studyFolder: a study, or the folder of a new one.
            volumeNodes: for a new study, its volumes.
            organs: for a new study, the names of its organs.
            blocking: wait for the end.
            onFinished: called with the job at its end, if not blocking.
            training: see `distillStudent`.

        Returns:
            The `StudySession`, or the running job.

        Raises:
            InputError: a folder without study and no volumes, or training failed; the sentence tells the remedy.
            Cancelled: the training was cancelled.

        Example:
            >>> session = logic.pretrainTeacher(studyFolder, volumeNodes, ["organ A", "organ B"], changes=tinyPreset)
            >>> (session.folder / "run" / "teacher.safetensors").exists()
            True
        """
        if volumeNodes:
            self.createStudy(studyFolder, volumeNodes, organs)
        return self._train(studyFolder, "teacher", blocking, onFinished, training)

    def distillStudent(
        self,
        studyFolder: str | Path,
        labelNodes: Sequence[Any] = (),
        *,
        blocking: bool = True,
        onFinished: Callable[[Any], None] | None = None,
        **training: Any,
    ) -> Any:
        """Train the 3-D student from the labelled slices and the teacher, which is trained first if need be.

        Args:
            studyFolder: a study.
            labelNodes: segmentation nodes drawn on its volumes, a segment an organ; the slices marked as labelled
                (see `slicer_side.labelling.LabelledSlices`) become labels of the study.
            blocking: wait for the end.
            onFinished: called with the job at its end, if not blocking.
            training: `preset` ("quick", "standard", "full"), `method`, `device` ("auto", "cpu", "cuda"), `changes`
                (single settings by name) and `restart` (forget earlier training).

        Returns:
            The `StudySession`, or the running job.

        Raises:
            InputError: no labelled slice, or training failed; the sentence tells the remedy.
            Cancelled: the training was cancelled; the same call goes on from there.

        Example:
            >>> session = logic.distillStudent(studyFolder, [labelNode], changes=tinyPreset)
            >>> session.trained()
            'fully'
        """
        from USLabelEfficientSegLib.slicer_side import study_session

        session = self.openStudy(studyFolder)
        for node in labelNodes:
            volumeNode = study_session.volumeOf(node)
            case = session.caseOf(volumeNode)
            if case is None:
                raise InputError(node.GetName(), "is not drawn on a volume of this study", "give its own volumes")
            study_session.attach(node, volumeNode, study_session.LABELS)
            session.saveLabels(case, studyIsBusy=False)
        return self._train(studyFolder, "student", blocking, onFinished, training)

    def segment(
        self,
        volumeNodes: Sequence[Any],
        model: str | Path,
        *,
        blocking: bool = True,
        onFinished: Callable[[Any], None] | None = None,
        **options: Any,
    ) -> Any:
        """Find the organs in volume nodes.

        Args:
            volumeNodes: vtkMRMLScalarVolumeNode, of the study or not.
            model: folder of a trained study, or a model file.
            blocking: wait for the end.
            onFinished: called with the job at its end, if not blocking.
            options: `uncertainty`, `show3D`, `replace`, `device`; see `slicer_side.results.SegmentationRequest`.

        Returns:
            A new segmentation node for each volume, or the running job. Existing segmentations are not touched.

        Raises:
            InputError: no such model, or a volume that cannot be used.
            Cancelled: the segmentation was cancelled.

        Example:
            >>> segmentationNodes = logic.segment(volumeNodes[:1], studyFolder, show3D=False)
            >>> segmentationNodes[0].GetSegmentation().GetNthSegment(0).GetName()
            'organ A'
        """
        from USLabelEfficientSegLib.slicer_side import results
        from USLabelEfficientSegLib.slicer_side.jobs import Job

        request = results.SegmentationRequest(Path(model), **options)
        logs = Path(slicer.app.temporaryPath) / "USLabelEfficientSeg"
        job = Job(_("Segmentation"), lambda job: results.segment(job, list(volumeNodes), request, logs), "segment")
        return self._do(job, blocking, onFinished)

    def computeVolumes(self, segmentationNodes: Sequence[Any], tableNode: Any = None) -> Any:
        """Organ volumes in millilitres.

        Args:
            segmentationNodes: vtkMRMLSegmentationNode, each with its volume in the scene.
            tableNode: filled anew if given.

        Returns:
            A vtkMRMLTableNode with one row a segmentation and organ.

        Raises:
            InputError: a segmentation whose volume is missing.

        Example:
            >>> tableNode = logic.computeVolumes(segmentationNodes)
            >>> tableNode.GetNumberOfRows()
            2
        """
        from USLabelEfficientSegLib.slicer_side.results import computeVolumes

        return computeVolumes(segmentationNodes, tableNode)

    def _train(
        self,
        studyFolder: str | Path,
        until: str,
        blocking: bool,
        onFinished: Callable[[Any], None] | None,
        training: Mapping[str, Any],
    ) -> Any:
        from USLabelEfficientSegLib.slicer_side import study_session
        from USLabelEfficientSegLib.slicer_side.jobs import Job

        session = self.openStudy(studyFolder)
        options = {"preset": "quick", **training}

        def steps(job: Job) -> study_session.Steps:
            yield from study_session.train(job, session, until=until, **options)
            return session

        return self._do(Job(_("Training"), steps, "train"), blocking, onFinished)

    def _do(self, job: Any, blocking: bool, onFinished: Callable[[Any], None] | None) -> Any:
        if blocking:
            return self.runner.run(job)
        self.runner.start(job, onFinished)
        return job


class USLabelEfficientSegTest(ScriptedLoadableModuleTest):
    """The self-test that Slicer runs: from simulated volumes to organ volumes by the logic alone."""

    def setUp(self) -> None:
        """Start from an empty scene."""
        slicer.mrmlScene.Clear()

    def runTest(self) -> None:
        """Run all tests."""
        self.setUp()
        self.test_FromVolumesToOrganVolumes()

    def test_FromVolumesToOrganVolumes(self) -> None:
        """Simulated volumes, a few labelled slices, a training of seconds, segmentation, organ volumes."""
        import tempfile

        from USLabelEfficientSegLib.slicer_side import selftest

        self.delayDisplay("Simulating volumes and training for a few seconds")
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            tableNode = selftest.from_volumes_to_organ_volumes(USLabelEfficientSegLogic(), Path(folder) / "study")
        self.assertEqual(tableNode.GetNumberOfRows(), 2)
        self.delayDisplay("Test passed")
