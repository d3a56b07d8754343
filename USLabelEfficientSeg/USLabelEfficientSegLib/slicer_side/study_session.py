"""A study folder and the nodes that show it: what the panel and the logic work on.

Volumes of the study are recognised by attributes that are saved with the scene, so that opening the scene or the
study brings everything together again. Results belong to the nodes that a job was started with, whatever is selected
when it ends.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import slicer

from ..errors import InputError
from .jobs import Job, Steps
from .segmentation_nodes import Organ
from .slice_suggestions import Suggestions
from .volume_nodes import nodeFromVoxels, ultrasoundVolumeFromNode

if TYPE_CHECKING:
    from ..annotation.sparse_labels import LabelledSlice, SparseLabels
    from ..study.study import Study
    from .labelling import LabelledSlices

MrmlNode = Any

CASE = "USLabelEfficientSeg.Case"  # attribute of a volume node: its name in the study
STUDY = "USLabelEfficientSeg.Study"  # attribute: which study, by the time of its creation
ROLE = "USLabelEfficientSeg.Role"  # attribute of a node that this module has made: what it is
VOLUME = "USLabelEfficientSeg.Volume"  # node reference from a segmentation to its volume
LABELS, RESULT, PREVIEW, UNCERTAINTY = "labels", "result", "preview", "uncertainty"
APPEARANCE = "organs.json"  # in the study folder: colours and terminology, which the library needs not know


class StudySession:
    """An open study.

    Example::

        session = StudySession(Path("C:/studies/prostate"))
        for case in session.cases():
            print(case, session.volumeNode(case))

    Args:
        folder: of the study.

    Raises:
        InputError: no study, a damaged one, or one of a newer version.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.suggestions = Suggestions()
        self._shown: dict[str, dict[LabelledSlice, list[str]]] = {}
        self.refresh()

    @property
    def study(self) -> Study:
        """The study as it was on disk when `refresh` was called last."""
        return self._study

    def refresh(self) -> None:
        """Read the study again, after a job may have changed it."""
        from ..study.study import Study

        self._study = Study.open(self.folder)

    @property
    def logs(self) -> Path:
        """Where workers leave what they print."""
        return self.folder / "logs"

    @property
    def events(self) -> Path:
        """Where training tells how far it is."""
        return self.folder / "run" / "events.jsonl"

    @property
    def model(self) -> Path | None:
        """The trained model, None before there is one."""
        from ..study.study import MODEL_NAME

        path = self._study.run_folder / MODEL_NAME
        return path if path.exists() else None

    def cases(self) -> list[str]:
        """Names of the volumes, sorted."""
        return [case.name for case in self._study.cases]

    def organs(self) -> list[Organ]:
        """The organs with their colours and terminology."""
        from .segmentation_nodes import organsNamed

        path = self.folder / APPEARANCE
        looks = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        return [
            Organ(organ.name, tuple(looks[organ.name]["colour"]), looks[organ.name]["terminology"])
            if organ.name in looks
            else organ
            for organ in organsNamed(self._study.organs)
        ]

    def setAppearance(self, organs: Sequence[Organ]) -> None:
        """Keep colours and terminology of organs with the study."""
        from ..study.files import atomic_write_json

        looks = {organ.name: {"colour": list(organ.colour), "terminology": organ.terminology} for organ in organs}
        atomic_write_json(self.folder / APPEARANCE, looks)

    # Volumes

    def volumeNode(self, case: str) -> MrmlNode | None:
        """The volume node of a case, None when the scene has none."""
        created = self._study.summary()["created"]
        for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode"):
            if node.GetAttribute(CASE) == case and node.GetAttribute(STUDY) == created:
                return node
        return None

    def caseOf(self, volumeNode: MrmlNode | None) -> str | None:
        """The case that a volume node shows, None when it is not of this study."""
        if volumeNode is None or volumeNode.GetAttribute(STUDY) != self._study.summary()["created"]:
            return None
        case = volumeNode.GetAttribute(CASE)
        return case if case in self.cases() else None

    def bind(self, volumeNode: MrmlNode, case: str) -> None:
        """Remember on the node that it shows a case of this study."""
        volumeNode.SetAttribute(CASE, case)
        volumeNode.SetAttribute(STUDY, self._study.summary()["created"])

    def load(self, job: Job) -> Steps:
        """Steps that bring all volumes and labels of the study into the scene, except those that are there."""
        cases = self.cases()
        for number, case in enumerate(cases):
            job.progress = number / len(cases)
            if self.volumeNode(case) is None:
                volume = self._study.read_volume(case)
                self.bind(nodeFromVoxels(case, volume.voxels, volume.geometry), case)
                yield
            if self._study.case(case).labels is not None:
                self.labelling(case)
            yield

    # Labels

    def labelNode(self, volumeNode: MrmlNode) -> MrmlNode | None:
        """The segmentation node with the labels of a volume, None when there is none yet."""
        return next(iter(madeFor(volumeNode, LABELS)), None)

    def labelling(self, case: str) -> LabelledSlices:
        """The labelled slices of a case; made from what the study holds when the scene has none.

        Raises:
            InputError: the volume is not in the scene.
        """
        from .labelling import LabelledSlices, labellingFromStudy
        from .segmentation_nodes import createLabelSegmentation

        volume_node = self.volumeNode(case)
        if volume_node is None:
            raise InputError(case, "is not loaded", "open the study again to load it")
        node = self.labelNode(volume_node)
        if node is not None:
            return LabelledSlices(node, volume_node)
        if self._study.case(case).labels is not None:
            labelling = labellingFromStudy(self._study, case, volume_node, self.organs())
        else:
            labelling = LabelledSlices(createLabelSegmentation(volume_node, self.organs()), volume_node)
        attach(labelling.segmentationNode, volume_node, LABELS)
        return labelling

    def labelledSlices(self, case: str) -> list[tuple[LabelledSlice, list[str]]]:
        """The labelled slices of a case and the organs that each showed when it was saved last."""
        labelling = self.labelling(case)
        if case not in self._shown:
            self._remember(case, labelling.sparseLabels(self.organs()))
        return [(labelled, self._shown[case].get(labelled, [])) for labelled in labelling.items()]

    def _remember(self, case: str, labels: SparseLabels) -> None:
        """Which organs the labelled slices show."""
        self._shown[case] = {}
        for labelled in self.labelling(case).items():
            classes = np.unique(np.take(labels.voxels, labelled.index, axis=labelled.axis))
            self._shown[case][labelled] = [labels.organs[value - 1] for value in classes if value]

    def saveLabels(self, case: str, studyIsBusy: bool) -> None:
        """Store the labels of a case in the study folder at once; while it is trained, in its inbox.

        Raises:
            InputError: organs overlap in a labelled slice, or the folder cannot be written.
        """
        from ..study.inbox import leave_labels

        labels = self.labelling(case).sparseLabels(self.organs())
        self._remember(case, labels)
        leave_labels(self._study, case, labels)
        if not studyIsBusy:
            self.takeLabels()

    def takeLabels(self) -> None:
        """Take over what was left in the inbox while the study was trained.

        Raises:
            InputError: another program is writing the study.
        """
        from ..study.inbox import take_labels

        self.refresh()
        with self._study.lock():
            take_labels(self._study)

    def takeLabelsIfFree(self) -> None:
        """Like `takeLabels`, but while another program writes the study the labels stay in the inbox for later."""
        with suppress(InputError):
            self.takeLabels()

    def useResultSlice(self, resultNode: MrmlNode, axis: int, index: int) -> str:
        """Make a corrected slice of a result a label of its volume; returns the case.

        Raises:
            InputError: the volume is not of this study, or organs overlap in the result.
        """
        from .segmentation_nodes import labelMapFromSegmentation

        volume_node = volumeOf(resultNode)
        case = self.caseOf(volume_node)
        if case is None:
            name = resultNode.GetName() if volume_node is None else volume_node.GetName()
            raise InputError(name, "is not a volume of this study", "add it to the study in section 1 first")
        organs = self.organs()
        voxels = labelMapFromSegmentation(resultNode, volume_node, organs)
        self.labelling(case).setLabels(axis, index, np.take(voxels, index, axis=axis), organs)
        return case

    # Training

    def trained(self) -> str:
        """How far the study is trained: "" not at all, "partly", or "fully"."""
        if self.model is not None:
            return "fully"
        return "partly" if (self.folder / "run" / "run.json").exists() else ""

    def trainedWith(self, preset: str, method: str, changes: Mapping[str, Any]) -> bool:
        """Whether what is trained so far goes with these settings and with the volumes of the study."""
        from ..study.provenance import image_checksums, read_settings
        from ..study.settings import changed
        from ..study.settings import preset as preset_settings

        stored = read_settings(self._study)
        if stored is None:
            return True
        record = json.loads((self.folder / "run" / "run.json").read_text(encoding="utf-8"))
        same_volumes = record["data"]["images"] == image_checksums(self._study)
        return same_volumes and stored == changed(preset_settings(preset), {"method": method, **changes})

    def labelsAreNew(self) -> bool:
        """Whether labels have changed since the last training."""
        from ..study.provenance import labels_changed

        return labels_changed(self._study)


def attach(node: MrmlNode, volumeNode: MrmlNode, role: str) -> None:
    """Note on a segmentation or uncertainty node what it is and of which volume."""
    node.SetAttribute(ROLE, role)
    node.SetNodeReferenceID(VOLUME, volumeNode.GetID())


def volumeOf(segmentationNode: MrmlNode) -> MrmlNode | None:
    """The volume of a segmentation of this module, or the one that the segmentation was drawn on."""
    return segmentationNode.GetNodeReference(VOLUME) or segmentationNode.GetNodeReference(
        slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
    )


def madeFor(volumeNode: MrmlNode | None, role: str) -> list[MrmlNode]:
    """Nodes that this module has made in a role, for one volume or for all."""
    return [
        node
        for node in slicer.util.getNodesByClass("vtkMRMLDisplayableNode")
        if node.GetAttribute(ROLE) == role and (volumeNode is None or node.GetNodeReference(VOLUME) is volumeNode)
    ]


def showOnly(*nodes: MrmlNode) -> None:
    """Show these labels or results in the views, and hide all others that this module has made."""
    for role in (LABELS, RESULT):
        for node in madeFor(None, role):
            node.SetDisplayVisibility(node in nodes)


def inScene(node: MrmlNode) -> bool:
    """Whether a node is still in Slicer's scene."""
    return node.GetScene() is slicer.mrmlScene


def stage(volumeNodes: Iterable[MrmlNode], folder: Path) -> Steps:
    """Steps that write volume nodes into a folder for a worker; returns the nodes by the name of their file."""
    from ..imaging.files import write_volume
    from ..study.creation import safe_stems

    nodes = list(volumeNodes)
    folder.mkdir(parents=True, exist_ok=True)
    names = safe_stems(node.GetName() for node in nodes)
    for node, name in zip(nodes, names, strict=True):
        if not inScene(node):
            raise InputError(node.GetName(), "was removed", "choose the volumes again")
        write_volume(folder / f"{name}.nrrd", ultrasoundVolumeFromNode(node))
        yield
    return dict(zip(names, nodes, strict=True))


def createStudy(job: Job, folder: Path, volumeNodes: Sequence[MrmlNode], organs: Sequence[Organ], axis: int) -> Steps:
    """Steps that make a study of volume nodes; returns its session.

    Raises:
        InputError: while they run: no volumes, no organs, a folder that is not empty, an unusable volume.
    """
    if not volumeNodes:
        raise InputError("study", "has no volumes", "tick one volume or more")
    if folder.exists() and any(folder.iterdir()):
        raise InputError(folder, "is not empty", "choose a new folder for the study")
    with temporaryFolder() as temporary:
        staging = Path(temporary)
        by_name = yield from stage(volumeNodes, staging / "images")
        job.progress = 0.5
        names = ",".join(organ.name for organ in organs)
        arguments = ["study", "create", str(folder), "--images", str(staging / "images"), "--organs", names]
        yield from job.work([*arguments, "--slice-axis", str(axis)], staging / "logs")
    session = StudySession(folder)
    session.setAppearance(organs)
    for name, node in by_name.items():
        if inScene(node):
            session.bind(node, name)
    return session


def addVolumes(job: Job, session: StudySession, volumeNodes: Sequence[MrmlNode]) -> Steps:
    """Steps that add volume nodes to a study."""
    with temporaryFolder() as temporary:
        staging = Path(temporary)
        by_name = yield from stage(volumeNodes, staging / "images")
        yield from job.work(["study", "add", str(session.folder), "--images", str(staging / "images")], session.logs)
    session.refresh()
    for name, node in by_name.items():
        if inScene(node):
            session.bind(node, name)


def train(
    job: Job,
    session: StudySession,
    *,
    preset: str,
    method: str = "cross-dimensional",
    device: str = "auto",
    changes: Mapping[str, Any] | None = None,
    until: str = "student",
    restart: bool = False,
) -> Steps:
    """Steps that train a study, or go on with its training; see `uslabelseg train`."""
    session.takeLabels()
    settings = [f"--set={name}={json.dumps(value)}" for name, value in (changes or {}).items()]
    arguments = ["train", str(session.folder), "--preset", preset, "--method", method, "--device", device]
    arguments += ["--stage", until, *settings, *(["--restart"] if restart else [])]
    try:
        yield from job.work(arguments, session.logs)
    finally:
        session.takeLabelsIfFree()  # those that were drawn meanwhile
        session.suggestions.clear()


def suggest(job: Job, session: StudySession, count: int = 12) -> Steps:
    """Steps that find the slices most worth labelling next."""
    session.takeLabels()
    yield from job.work(["suggest", str(session.folder), "--count", str(count), "--json"], session.logs)
    assert job.log is not None
    text = job.log.read_text(encoding="utf-8")
    session.suggestions.fill(json.loads(text[text.index("[") :]))


def report(job: Job, session: StudySession, output: Path) -> Steps:
    """Steps that write the report of a trained study; returns its path."""
    yield from job.work(["report", str(session.folder), "--output", str(output)], session.logs)
    return output


def temporaryFolder() -> TemporaryDirectory[str]:
    """A folder in the place that the user has set for temporary files, removed at the end of a `with` block."""
    return TemporaryDirectory(dir=slicer.app.temporaryPath, ignore_cleanup_errors=True)
