"""Everything that the module can do, from Slicer's Python console or a script, without its panel."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from slicer.i18n import tr as _
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleLogic

from ..errors import InputError
from ..study.stages import Stage
from .nodes import study_nodes
from .nodes.segmentation_nodes import organsNamed
from .parameters import USLabelEfficientSegParameterNode
from .processes import study_jobs
from .processes.dependencies import ensureDependencies
from .processes.job_runner import JobRunner
from .processes.jobs import Job, Steps
from .results import results
from .session.study_session import StudySession


class USLabelEfficientSegLogic(ScriptedLoadableModuleLogic):
    """Everything the module can do, without its panel, from Slicer's Python console.

    Each method works until it is done, with Slicer's window alive, and returns its result; with `blocking=False` it
    returns a running `Job` at once and calls `onFinished(job)` at the end.

    Example::

        >>> logic = slicer.util.getModuleLogic("USLabelEfficientSeg")
        >>> logic.pretrainTeacher("C:/studies/prostate", volumeNodes, ["prostate"])  # doctest: +SKIP
    """

    def __init__(self) -> None:
        ScriptedLoadableModuleLogic.__init__(self)
        self.runner = JobRunner()
        self.aside = JobRunner()  # for what the resident worker answers, beside a training
        self._session: Any = None

    @property
    def session(self) -> Any:
        """The open study, a `StudySession`; None if there is none."""
        return self._session

    @session.setter
    def session(self, session: Any) -> None:
        if self._session is not None and self._session is not session:
            self.aside.stop()
            self._session.close()
        self._session = session

    def getParameterNode(self) -> USLabelEfficientSegParameterNode:
        """The settings of the panel in this scene."""
        node: Any = super().getParameterNode()
        return USLabelEfficientSegParameterNode(node)  # type: ignore[call-arg] # the wrapper's own constructor

    def installDependencies(
        self, *, update: bool = False, blocking: bool = True, onFinished: Callable[[Any], None] | None = None
    ) -> Any:
        """Install the Python packages that are missing; pip works in a process beside Slicer, in minutes.

        Args:
            update: renew those that are installed, too; torch stays as it is.
            blocking: wait for the end.
            onFinished: called with the job at its end, if not blocking.

        Returns:
            An `installation.Installation` with what has changed and whether Slicer must be restarted, or the running
            job, whose `log` is a file.

        Raises:
            InputError: this Slicer cannot be helped, or the installation failed; the sentence tells the remedy.

        Example:
            >>> logic.installDependencies().changed  # everything is there
            ()
        """
        from .processes import installation

        job = Job(_("Installation"), lambda job: installation.install(job, update), "install")
        return self._do(job, blocking, onFinished)

    def openStudy(self, studyFolder: str | Path) -> Any:
        """Open a study folder; a `StudySession` is returned, and is from now on `logic.session`.

        Raises:
            InputError: no study, a damaged one, or one of a newer version.
            MissingPackagesError: `installDependencies` must be called first.
        """
        ensureDependencies()
        if self.session is None or self.session.folder != Path(studyFolder):
            self.session = StudySession(Path(studyFolder))
            self.getParameterNode().studyFolder = str(studyFolder)  # which the panel, if there is one, shows
        return self.session

    def closeStudy(self) -> None:
        """Leave the open study; `logic.session` is None from now on.

        Raises:
            InputError: a job is running.
        """
        if self.runner.busy and self.runner.job is not None:
            raise InputError(self.runner.job.title, "is still running", "wait for its end or cancel it")
        self.session = None

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
            MissingPackagesError: `installDependencies` must be called first.
        """
        ensureDependencies()
        named = organsNamed(list(organs))
        job = Job(
            _("Making the study"),
            lambda job: study_jobs.createStudy(job, Path(studyFolder), list(volumeNodes), named, sliceAxis),
            "create",
        )
        self.session = self.runner.run(job)
        self.getParameterNode().studyFolder = str(studyFolder)
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
        return self._train(studyFolder, Stage.TEACHER, blocking, onFinished, training)

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
                (see `slicer_side.session.labelling.LabelledSlices`) become labels of the study.
            blocking: wait for the end.
            onFinished: called with the job at its end, if not blocking.
            training: `preset` ("quick", "standard", "full"), `method`, `device` ("auto", "cpu", "cuda"), `changes`
                (single settings by name), `restart` (forget earlier training) and `fromTeacher` (forget all that was
                learnt from labels). With new labels or volumes, a study with a model continues from it.

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
        session = self.openStudy(studyFolder)
        for node in labelNodes:
            volumeNode = study_nodes.volumeOf(node)
            case = session.caseOf(volumeNode)
            if case is None:
                raise InputError(node.GetName(), "is not drawn on a volume of this study", "give its own volumes")
            session.labels.takeNode(node, volumeNode)
            session.labels.save(case, studyIsBusy=False)
        return self._train(studyFolder, Stage.STUDENT, blocking, onFinished, training)

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
            options: `uncertainty`, `show3D`, `replace`, `device`; see `results.results.SegmentationRequest`.

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

        ensureDependencies()
        request = results.SegmentationRequest(Path(model), **options)
        logs = study_jobs.logsOfNoStudy()
        resident = None if self.session is None else self.session.resident
        job = Job(
            _("Segmentation"), lambda job: results.segment(job, list(volumeNodes), request, logs, resident), "segment"
        )
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
        return results.computeVolumes(segmentationNodes, tableNode)

    def _train(
        self,
        studyFolder: str | Path,
        until: Stage,
        blocking: bool,
        onFinished: Callable[[Any], None] | None,
        training: Mapping[str, Any],
    ) -> Any:

        session = self.openStudy(studyFolder)
        options = {"preset": "quick", **training}

        def steps(job: Job) -> Steps:
            yield from study_jobs.train(job, session, until=until, **options)
            return session

        return self._do(Job(_("Training"), steps, "train"), blocking, onFinished)

    def _do(self, job: Any, blocking: bool, onFinished: Callable[[Any], None] | None) -> Any:
        if blocking:
            return self.runner.run(job)
        self.runner.start(job, onFinished)
        return job
