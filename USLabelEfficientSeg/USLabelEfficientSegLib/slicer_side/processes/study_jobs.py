"""Work of a worker on a study: making, training, suggestions and report, each as steps of a job."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import slicer
from slicer.i18n import tr as _

from ...disk.study_layout import IMAGES
from ...errors import InputError
from ...study.stages import Stage
from ...training import processors
from ..nodes.segmentation_nodes import Organ
from ..nodes.sequences import frameNames, isImageSequence, isSequence, sequenceScans
from ..nodes.study_nodes import STUDY, inScene
from ..nodes.volume_nodes import isImage, scanFromNode
from ..session.image_folder import ImageFolder
from ..session.study_session import StudySession
from . import other_computer
from .adopted_worker import AdoptedWorker
from .aside import aside
from .jobs import Job, Steps
from .resident_worker import ResidentWorker
from .temporary_folders import temporaryFolder
from .worker import SECONDS_TO_SAVE, Worker

MrmlNode = Any


def stage(job: Job, volumeNodes: Iterable[MrmlNode], folder: Path, share: float = 0.5) -> Steps:
    """Steps that write nodes into a folder for a worker; returns the nodes by the name of their file.

    Args:
        job: whose steps these are.
        volumeNodes: volumes, 2-D images, and sequences of either; a sequence gives a file for each frame, and no node.
        folder: made if need be.
        share: of the job's progress.

    Raises:
        InputError: while they run: volumes and images together, a node that was removed or cannot be used.
    """
    from ...disk.names import safe_stems
    from ...imaging.files import write_volume

    nodes = list(volumeNodes)
    check_one_kind(nodes)
    folder.mkdir(parents=True, exist_ok=True)
    named = [(name, node) for node in nodes for name in (frameNames(node) if isSequence(node) else [node.GetName()])]
    stems = iter(safe_stems(name for name, _node in named))
    by_name: dict[str, MrmlNode] = {}
    job.span = (0.0, share)
    for number, node in enumerate(nodes):
        job.tell(_("copying"), number, len(nodes))
        if not inScene(node):
            raise InputError(node.GetName(), "was removed", "choose the volumes again")
        for scan in sequenceScans(node) if isSequence(node) else [scanFromNode(node)]:
            stem = next(stems)
            yield from aside(partial(write_volume, folder / f"{stem}.nrrd", scan))
            if not isSequence(node):
                by_name[stem] = node
            yield
    job.tell(_("copying"), len(nodes), len(nodes))
    job.span = (share, 1.0)
    return by_name


def check_one_kind(nodes: Iterable[MrmlNode]) -> None:
    """Raise `InputError` when some nodes are 2-D images, or sequences of them, and others are volumes."""
    kinds = {isImageSequence(node) if isSequence(node) else isImage(node): node.GetName() for node in nodes}
    if len(kinds) == 2:
        problem = f"is a 2-D image, and {kinds[False]} is a volume"
        raise InputError(kinds[True], problem, "tick images or volumes, and make a study of each")


def createStudy(
    job: Job,
    folder: Path,
    volumeNodes: Sequence[MrmlNode],
    organs: Sequence[Organ],
    axis: int,
    images: ImageFolder | None = None,
) -> Steps:
    """Steps that make a study; returns its session.

    Args:
        job: whose steps these are.
        folder: a new or empty one.
        volumeNodes: volumes or 2-D images of the scene, or sequences of them.
        organs: to be labelled.
        axis: of volumes: array axis across which slices are suggested and counted.
        images: a folder of 2-D images instead of nodes; it is not loaded.

    Raises:
        InputError: while they run: no volumes, or nodes and a folder; no organs, a folder that is not empty, an
            unusable volume.
    """
    if images is None and not volumeNodes:
        raise InputError("study", "has no volumes", "tick one volume or more")
    if images is not None and volumeNodes:
        problem = f"was given a folder of images and {volumeNodes[0].GetName()} of the scene"
        raise InputError("study", problem, "make it of the folder, and add the others afterwards")
    if folder.exists() and any(folder.iterdir()):
        raise InputError(folder, "is not empty", "choose a new folder for the study")
    resident = ResidentWorker(logsOfNoStudy())
    resident.start()  # it gets ready meanwhile
    try:
        with temporaryFolder() as temporary:
            staging = Path(temporary)
            by_name = {} if images is not None else (yield from stage(job, volumeNodes, staging / IMAGES))
            names = ",".join(organ.name for organ in organs)
            given = images or ImageFolder(staging / IMAGES)
            arguments = ["study", "create", str(folder), *given.arguments(), "--organs", names]
            yield from job.work([*arguments, "--slice-axis", str(axis)], logsOfNoStudy())
        session = StudySession(folder, resident)
        session.appearance.keep(organs)
        session.prepare()
        _remember(session, by_name, volumeNodes)
    except BaseException:
        resident.close()
        raise
    return session


def addImages(job: Job, session: StudySession, images: ImageFolder) -> Steps:
    """Steps that add a folder of 2-D images to a study of images; it is not loaded."""
    yield from job.work(["study", "add", str(session.folder), *images.arguments()], session.logs)
    session.refresh()


def addVolumes(job: Job, session: StudySession, volumeNodes: Sequence[MrmlNode]) -> Steps:
    """Steps that add volumes or 2-D images of the scene, or sequences of them, to a study of their kind."""
    with temporaryFolder() as temporary:
        staging = Path(temporary)
        by_name = yield from stage(job, volumeNodes, staging / IMAGES)
        yield from job.work(["study", "add", str(session.folder), "--images", str(staging / IMAGES)], session.logs)
    session.refresh()
    _remember(session, by_name, volumeNodes)


def _remember(session: StudySession, by_name: Mapping[str, MrmlNode], nodes: Sequence[MrmlNode]) -> None:
    """Note on nodes which case they show, and on sequences that the study holds their frames."""
    for name, node in by_name.items():
        if inScene(node):
            session.bind(node, name)
    for node in nodes:
        if isSequence(node) and inScene(node):
            node.SetAttribute(STUDY, session.study.created)


def train(
    job: Job,
    session: StudySession,
    *,
    preset: str,
    method: str = "cross-dimensional",
    device: str = "auto",
    changes: Mapping[str, Any] | None = None,
    until: Stage = Stage.STUDENT,
    restart: bool = False,
    fromTeacher: bool = False,
    elsewhere: Sequence[str] = (),
) -> Steps:
    """Steps that train a study, or go on with its training; see `uslabelseg train`.

    With the options of another computer (`other_computer.options`) the worker here copies the study there and follows.

    Images are trained by the only method that there is for them, and anew from their labels at once: nothing is learnt
    without labels that `fromTeacher` could keep.
    """
    session.labels.takeLeft()
    method = session.method(method)
    restart, fromTeacher = restart or (fromTeacher and session.isPlanar), fromTeacher and not session.isPlanar
    settings = [f"--set={name}={json.dumps(value)}" for name, value in (changes or {}).items()]
    arguments = ["train", str(session.folder), "--preset", preset, "--method", method, "--device", device]
    left_for_slicer = 1
    of_this_computer = ["--processes", str(max(1, processors.count() - left_for_slicer))]
    arguments += elsewhere or of_this_computer
    arguments += ["--stage", until.option, *settings, *(["--restart"] if restart else [])]
    arguments += ["--from-teacher"] if fromTeacher else []
    other_computer.started(other_computer.key_of(session), bool(elsewhere))
    try:
        seconds = other_computer.SECONDS_TO_STOP if elsewhere else SECONDS_TO_SAVE
        yield from job.work(arguments, session.logs, seconds_to_save=seconds)
    finally:
        _training_ended(session)


def follow(job: Job, session: StudySession, worker: AdoptedWorker, meanwhile: Iterator[None]) -> Steps:
    """Steps that follow a training which is running already, with the steps of `meanwhile` beside it.

    Cancelling the job stops the training; closing Slicer does not, for Slicer has not started it.
    """
    try:
        for _ in job.attend(worker):
            next(meanwhile, None)
            yield
        yield from meanwhile
    finally:
        _training_ended(session)


def runningTraining(session: StudySession) -> AdoptedWorker | None:
    """The training of a study that another program, or an earlier Slicer, has started on this computer."""
    writer = session.writer()
    if writer is None or not writer.is_here or writer.pid == os.getpid():
        return None
    logs = sorted(session.logs.glob("* train.log"))
    elsewhere = other_computer.was_started_elsewhere(other_computer.key_of(session))
    seconds = other_computer.SECONDS_TO_STOP if elsewhere else SECONDS_TO_SAVE
    return AdoptedWorker(writer.pid, session.folder, logs[-1] if logs else None, seconds)


def devices(job: Job, elsewhere: Sequence[str] = ()) -> Steps:
    """Steps that look for what can train, here or on another computer; they return it as `uslabelseg devices` tells."""
    found: list[dict[str, Any]] = []

    def watch(worker: Worker) -> None:
        for record in worker.records():
            found.extend(record["devices"])

    yield from job.work(["devices", *elsewhere, "--json"], logsOfNoStudy(), watch)
    return found


def _training_ended(session: StudySession) -> None:
    session.labels.takeLeftIfFree()  # drawn meanwhile
    session.suggestions.clear()
    session.prepare()  # with the new model


def suggest(job: Job, session: StudySession, count: int = 12) -> Steps:
    """Steps that find the slices most worth labelling next."""
    session.labels.takeLeftIfFree()  # those in the inbox count as well
    result = yield from job.ask(session.resident, "suggest", study=session.folder, count=count)
    session.suggestions.fill(result["slices"])


def logsOfNoStudy() -> Path:
    """Where the logs of work lie that belongs to no study, or to one that does not exist as yet; they are kept."""
    return Path(slicer.app.temporaryPath) / "USLabelEfficientSeg"
