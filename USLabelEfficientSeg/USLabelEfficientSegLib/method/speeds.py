"""How fast this computer trains: the networks of a run, tried on its own data for a few seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from pydantic import BaseModel, ConfigDict, Field

from ..anatomy.training_volumes import TrainingVolume
from ..errors import Cancelled
from ..segmentation.slice_voters import SliceVoter, SliceVoters
from ..slice_network.network import SliceUNet
from ..slice_network.slices import slice_size, slices_to_learn
from ..study.coverage import labelled_axes
from ..study.events import EventLog
from ..study.settings import changed
from ..training.context import TrainingContext
from .fine_volumes import fine_volumes
from .plan import labelled_slices
from .run import Run
from .slice_networks import SliceTraining
from .slice_networks import training_of as slice_training_of
from .slice_teacher import SLICE_TEACHERS
from .students import Member, training_of

TRIED_STEPS = 8  # of a network
MOST_SECONDS = 5.0  # for them
_NAME = "speed"


class Speeds(BaseModel):
    """Seconds that parts of a training take.

    Attributes:
        reading: a volume, brought to the grid of the 2-D networks.
        slice_step: a step of the 2-D networks, all axes together; 0: there are none.
        slice_vote: their votes on a volume.
        teacher_step: a step of the slice teacher's first stage; 0: it is trained already.
        student_step: a step of a student.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    reading: float = Field(ge=0)
    slice_step: float = Field(ge=0)
    slice_vote: float = Field(ge=0)
    teacher_step: float = Field(ge=0)
    student_step: float = Field(gt=0)


def measured_speeds(run: Run, teacher_is_trained: bool) -> Speeds:
    """The speeds of a run's networks on its device, one after the other, with the threads that they are trained with.

    Args:
        run: with a labelled volume.
        teacher_is_trained: and takes no time any more.
    """
    few = {name: TRIED_STEPS for name in ("teacher.steps", "divergence.slice_steps", "student.steps")}
    settings = changed(run.settings, few)
    run = replace(run, settings=settings, plan=run.learnt.plan(settings, labelled_slices(run.study)))
    axes = sorted(labelled_axes(run.study))
    of_slices = [_of_slices(run, axis) for axis in axes] if settings.slice_network.steps else []
    teacher = SLICE_TEACHERS[settings.method](run)
    return Speeds(
        reading=_of_reading(run, run.labelled[0].name),
        slice_step=sum(step for step, _ in of_slices),
        slice_vote=sum(vote for _, vote in of_slices),
        teacher_step=0.0 if teacher_is_trained else seconds_a_step(*teacher.first_training()),
        student_step=_of_students(run, run.labelled),
    )


def seconds_a_step(train: Callable[[TrainingContext], object], context: TrainingContext) -> float:
    """Mean duration of a training's first steps but the very first, which warms up; nothing of it is kept.

    Args:
        train: of at least three steps.
        context: of the training.
    """
    ends: list[float] = []

    def enough() -> bool:
        if context.device.type == "cuda":
            torch.cuda.synchronize(context.device)
        ends.append(time.perf_counter())
        return len(ends) >= TRIED_STEPS or (len(ends) > 1 and ends[-1] - ends[0] > MOST_SECONDS)

    with TemporaryDirectory(ignore_cleanup_errors=True) as folder, suppress(Cancelled):
        elsewhere, unheard = Path(folder) / "checkpoint", EventLog(Path(folder) / "events")
        train(replace(context, checkpoint_path=elsewhere, events=unheard, cancelled=enough))
    return (ends[-1] - ends[0]) / (len(ends) - 1)


def _of_reading(run: Run, name: str) -> float:
    started = time.perf_counter()
    next(fine_volumes(run, {name}))
    return time.perf_counter() - started


def _of_slices(run: Run, axis: int) -> tuple[float, float]:
    """Seconds of a step, and of the votes on a volume, of a 2-D network along an axis."""
    settings = run.settings.slice_network
    known = {case.name: dict(case.labels.slices) for case in run.study.cases if case.labels is not None}
    along = next(name for name, slices in known.items() if axis in slices)
    across = next((name for name, slices in known.items() if set(slices) - {axis}), along)  # one that labels lines
    volumes = {volume.name: volume for volume in fine_volumes(run, {along, across})}
    volume = volumes[along]
    size = slice_size([volume], axis, settings.max_voxels)
    slices = slices_to_learn(volumes.values(), axis, len(volumes), size)
    # A whole training, however short, has its share of steps with unlabelled slices.
    step = seconds_a_step(*slice_training_of(run, SliceTraining(axis, size, slices, _NAME, _NAME, TRIED_STEPS)))
    network = SliceUNet(slices.images.classes, widths=settings.widths)
    voters = SliceVoters((SliceVoter(network, axis, size),), settings.max_voxels, settings.widths, settings.adaptation)
    started = time.perf_counter()
    next(voters.votes(volume, run.mirrored, run.computing.device))
    return step, time.perf_counter() - started


def _of_students(run: Run, labelled: Sequence[TrainingVolume]) -> float:
    """Seconds of a step of a student that learns from labels."""
    settings = run.settings.student.model_copy(update={"pseudo_label_weight": 0.0})
    return seconds_a_step(*training_of(run, Member(_NAME, labelled, settings, _NAME, (_NAME, 1))))
