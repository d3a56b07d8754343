"""The 3-D students: some are taught, in rounds, others learn from the true labels alone; all vote.

Stage 5 of CDKD (see `pipeline`), and what follows it here: what all students predict, who see all three dimensions,
renews the pseudo-labels for the next round. With four labelled slices students that are taught are better, with fifteen
those that learn long from the labels alone, with forty even more so (docs/experiments.md): they have the more votes the
more labels there are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from torch import nn

from ..anatomy.training_volumes import TrainingVolume
from ..disk.study_layout import WEIGHTS_SUFFIX
from ..pseudolabels.fusion import FusedPrediction
from ..segmentation.inference import predict_inputs
from ..segmentation.model import SegmentationModel
from ..segmentation.preview import LivePreview
from ..student.build import build_student
from ..student.training import train_student
from ..study.settings import StudentSettings
from ..study.stages import NumberedStage, Stage, round_name
from ..training.context import TrainingContext
from ..training.loop import load_modules
from ..training.seeds import step_seed
from ..training.several_devices import on_devices
from .calibrating import scaled
from .run import CONTINUED_LABEL_SHARE, Run


@dataclass(frozen=True)
class Students:
    """Those that are taught, and those that learn from the labels alone."""

    taught: Sequence[nn.Module]
    alone: Sequence[nn.Module]


@dataclass(frozen=True)
class Member:
    """How one student is trained.

    Attributes:
        stage: name in events.
        volumes: that it learns from.
        settings: with its steps and the weight of its pseudo-labels.
        file: of its checkpoint, in the run folder.
        draws: name and number that its random numbers follow from.
        start: the student that it learns on from, or the location prior of a new one.
    """

    stage: str
    volumes: Sequence[TrainingVolume]
    settings: StudentSettings
    file: str
    draws: tuple[str, int]
    start: nn.Module | None = None


def distilled_students(
    run: Run,
    volumes: Sequence[TrainingVolume],
    round_number: int,
    start: Sequence[nn.Module] | None = None,
    *,
    beside: Sequence[nn.Module] = (),
) -> list[nn.Module]:
    """Stage 5: 3-D students learn from true labels, pseudo-labels and the teacher's correlations.

    The first start from random weights, later ones from the students in `start`. A continued training draws other
    samples than the one before it. Those in `beside` vote, too, where somebody looks at the training.
    """
    settings = run.student_settings
    if not settings.uncertainty_weights:
        volumes = [volume.equally_trusted() for volume in volumes]
    weight = settings.teacher_label_weight if round_number == 1 else settings.pseudo_label_weight
    members = [
        Member(
            stage=str(NumberedStage(Stage.STUDENT, round_number, member)),
            volumes=volumes,
            settings=settings.model_copy(update={"pseudo_label_weight": weight}),
            file=f"student_{round_name(round_number)}_{member}{WEIGHTS_SUFFIX}",
            draws=(str(NumberedStage(Stage.STUDENT, round_number)), member),
            start=run.location_prior if start is None else start[member - 1],
        )
        for member in range(1, settings.members + 1)
    ]
    for member in members[1:]:
        offered(run, member)
    return [_trained(run, member, lambda student: Students([student], beside)) for member in members]


def offer_students_of_labels_alone(run: Run, start: Sequence[nn.Module] | None = None) -> None:
    """They need no teacher: from now on, and until it is their turn, another process may train them."""
    for member in _members_of_labels_alone(run, start):
        offered(run, member)


def students_of_labels_alone(
    run: Run, start: Sequence[nn.Module] | None = None, *, beside: Sequence[nn.Module] = ()
) -> list[nn.Module]:
    """Students that no teacher misleads: they learn from the true labels alone, and long; or learn on.

    They have no location prior either, which keeps from what is plain to see where there are labels enough.
    """
    members = _members_of_labels_alone(run, start)
    return [_trained(run, member, lambda student: Students(beside, [student])) for member in members]


def _members_of_labels_alone(run: Run, start: Sequence[nn.Module] | None) -> list[Member]:
    settings, steps = run.settings.student, run.label_steps
    if not steps:
        return []
    if start is not None:
        settings, steps = run.student_settings, math.ceil(CONTINUED_LABEL_SHARE * steps)
    return [
        Member(
            stage=str(NumberedStage(Stage.LABELS_ALONE, member=member)),
            volumes=[volume for volume in run.volumes if volume.labels is not None],
            settings=settings.model_copy(update={"steps": steps, "pseudo_label_weight": 0.0}),
            file=f"student_labels_{member}{WEIGHTS_SUFFIX}",
            draws=(Stage.LABELS_ALONE, member),
            start=None if start is None else start[member - 1],
        )
        for member in range(1, settings.members + 1)
    ]


def offered(run: Run, member: Member) -> None:
    """Another process may train the student now, if a processor is idle, see `training.side_by_side`."""
    run.beside.offer(*_training(run, member), steps=member.settings.steps)


def _trained(run: Run, member: Member, together: Callable[[nn.Module], Students]) -> nn.Module:
    train, context = _training(run, member)
    run.beside.settle(context.checkpoint_path, observed_elsewhere(run, member, together))
    return on_devices(run.devices, train, context, after_step=observed(run, member, together))


def _training(run: Run, member: Member) -> tuple[partial[nn.Module], TrainingContext]:
    name, number = member.draws
    name = name if run.earlier is None else f"{name} {run.identity}"
    seed = step_seed(run.settings.seed, name, number)
    context = replace(run.context(member.stage, member.file), seed=seed, identity={"run": run.identity})
    design, mirrored, start = run.design, run.mirrored, member.start
    return (
        partial(train_student, member.volumes, design, member.settings, mirrored_axes=mirrored, start=start),
        context,
    )


def observed(run: Run, member: Member, together: Callable[[nn.Module], Students]) -> Callable[[int, nn.Module], None]:
    """What is to be called with a student after every step: the live preview, and the run's observer."""
    preview = _preview(run, member, together)

    def after_step(step: int, student: nn.Module) -> None:
        preview(step, student)
        if run.observer is not None:
            done = (step + 1) / member.settings.steps
            run.observer(member.stage, done, lambda: scaled(run, trained_model(run, together(student))))

    return after_step


def observed_elsewhere(run: Run, member: Member, together: Callable[[nn.Module], Students]) -> Callable[[int], None]:
    """What is to be called while another process trains the student: the live preview, of its latest checkpoint."""
    preview, checkpoint = _preview(run, member, together), run.folder / member.file

    def meanwhile(step: int) -> None:
        if step and preview.due() and checkpoint.exists():
            student = build_student(run.design).requires_grad_(False)
            load_modules(checkpoint, {"average": student})
            preview(step - 1, student.eval())

    return meanwhile


def _preview(run: Run, member: Member, together: Callable[[nn.Module], Students]) -> LivePreview:
    volumes = {volume.name: volume for volume in run.volumes}
    stage = member.stage, member.settings.steps
    return LivePreview(run.study, volumes, lambda student: trained_model(run, together(student)), stage, run.device)


def renewed(run: Run, volumes: Sequence[TrainingVolume], students: Students, round_number: int) -> list[TrainingVolume]:
    """The students' own predictions, which see all three dimensions, replace the teacher's pseudo-labels."""
    model = scaled(run, trained_model(run, students))
    features = {volume.name: volume.features for volume in volumes}

    def taught(volume: TrainingVolume) -> TrainingVolume:
        def predict() -> FusedPrediction:
            return predict_inputs(model, volume.inputs, volume.sector, run.device)

        prediction = run.stored_prediction(f"round_{round_name(round_number)}", volume, predict)
        return volume.taught(prediction.probability, prediction.weight, features[volume.name])

    return run.each_volume(str(NumberedStage(Stage.PSEUDO_LABELS, round_number)), taught)


def trained_model(run: Run, students: Students) -> SegmentationModel:
    """The students of the last round vote, and the location prior; the file tells what they were made from."""
    prior = run.location_prior if run.settings.segmentation.prior_votes else None
    share = run.labelled_slices / (run.labelled_slices + run.settings.student.half_of_votes_at)
    return SegmentationModel(
        networks=(*students.taught, *students.alone),
        design=run.design,
        organs=run.study.organs,
        max_voxels=run.settings.working_grid.max_voxels,
        window=run.settings.student.window,
        overlap=run.settings.segmentation.overlap,
        mirrored_axes=run.mirrored,
        template=run.template,
        prior=prior,
        weights=vote_weights(len(students.taught), len(students.alone), int(prior is not None), share),
        provenance=run.provenance,
        orientation=run.study.orientation,
    )


def vote_weights(taught: int, alone: int, prior: int, share: float) -> tuple[float, ...]:
    """Weights, which add up to 1, of so many taught students, students of the labels alone, and location priors.

    Args:
        taught, alone, prior: how many there are.
        share: of all votes that the students of the labels alone have between them, if there are others.
    """
    others = taught + prior
    of_alone = (share if others else 1.0) if alone else 0.0
    of_others = (1 - of_alone) / max(others, 1)
    return (*[of_others] * taught, *[of_alone / max(alone, 1)] * alone, *[of_others] * prior)
