"""Stage 5: 3-D students. Distilled ones are taught, in rounds; supervised ones learn from the true labels alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from torch import nn

from ..anatomy.training_volumes import TrainingVolume
from ..disk.study_layout import WEIGHTS_SUFFIX
from ..segmentation.preview import LivePreview, PreviewOfVolumes
from ..student.build import build_student
from ..student.training import train_student
from ..study.setting_sections import StudentSettings
from ..study.stages import NumberedStage, Stage, round_name
from ..training.context import TrainingContext
from ..training.loop import load_modules
from ..training.seeds import step_seed
from ..training.several_devices import on_devices
from .calibrating import scaled
from .run import Run
from .voting import Students, student_design, voting_model


@dataclass(frozen=True)
class Member:
    """How one student is trained.

    Attributes:
        stage: name in events.
        volumes: that it learns from.
        settings: with its steps and the weight of its pseudo-labels.
        file: of its checkpoint, in the run folder.
        draws: name and number that its random numbers follow from.
        start: an earlier student that learns on, or the location prior of a new one.
    """

    stage: str
    volumes: Sequence[TrainingVolume]
    settings: StudentSettings
    file: str
    draws: tuple[str, int]
    start: nn.Module | None = None


def distilled_students(
    run: Run, volumes: Sequence[TrainingVolume], round_number: int, before: Students | None = None
) -> list[nn.Module]:
    """Students that learn from true labels, pseudo-labels and the teacher's correlations.

    Args:
        run: of the volumes.
        volumes: with pseudo-labels and the teacher's features.
        round_number: round 1 starts from random weights, later rounds from the previous students; a continued training
            draws other samples than the first one.
        before: students of the previous round; its supervised ones also vote in the live preview.
    """
    settings, before = run.plan.distilled, before or Students()
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
            start=before.distilled[member - 1] if before.distilled else run.location_prior,
        )
        for member in range(1, settings.members + 1)
    ]
    for member in members[1:]:
        offer(run, member)
    return [trained(run, member, lambda student: Students([student], before.supervised)) for member in members]


def supervised_students(run: Run, distilled: Sequence[nn.Module], before: Students | None = None) -> list[nn.Module]:
    """Students that no teacher misleads: they learn only from true labels, and long; none with few labels.

    They have no location prior either: with enough labels it hides what the image plainly shows.

    Args:
        run: of the volumes.
        distilled: students that also vote in the live preview.
        before: students of an earlier model; its supervised ones learn on.
    """
    members = supervised_members(run, before)
    return [trained(run, member, lambda student: Students(distilled, [student])) for member in members]


def offer_supervised_students(run: Run) -> None:
    """Offer supervised students, which need no teacher: until their turn comes, another process may train them."""
    for member in supervised_members(run, earlier_students(run)):
        offer(run, member)


def supervised_members(run: Run, before: Students | None) -> list[Member]:
    """How supervised students are trained."""
    settings = run.plan.supervised
    if settings is None:
        return []
    start = [] if before is None else before.supervised
    return [
        Member(
            stage=str(NumberedStage(Stage.SUPERVISED, member=member)),
            volumes=run.labelled,
            settings=settings.model_copy(update={"pseudo_label_weight": 0.0}),
            file=f"student_labels_{member}{WEIGHTS_SUFFIX}",
            draws=(Stage.SUPERVISED, member),
            start=start[member - 1] if start else None,
        )
        for member in range(1, settings.members + 1)
    ]


def earlier_students(run: Run) -> Students | None:
    """The students of the model that the training continues from; None if it learns anew from the labels."""
    if run.learnt.model is None:
        return None
    networks = [network.to(run.computing.device) for network in run.learnt.model.model.networks]
    members = run.settings.student.members
    return Students(networks[:members], networks[members:])


def offer(run: Run, member: Member) -> None:
    """Another process may train the student now, if a processor is idle, see `training.side_by_side`."""
    run.computing.beside.offer(*training_of(run, member), steps=member.settings.steps)


def trained(run: Run, member: Member, together: Callable[[nn.Module], Students]) -> nn.Module:
    """The trained student; for the live preview it votes `together` with others."""
    train, context = training_of(run, member)
    run.computing.beside.settle(context.checkpoint_path, observed_elsewhere(run, member, together))
    return on_devices(run.computing.devices, train, context, after_step=observed(run, member, together))


def training_of(run: Run, member: Member) -> tuple[partial[nn.Module], TrainingContext]:
    """A student's training and its context."""
    name, number = member.draws
    name = name if run.learnt.model is None else f"{name} {run.identity}"
    seed = step_seed(run.settings.seed, name, number)
    context = replace(run.context(member.stage, member.file), seed=seed, identity={"run": run.identity})
    design, mirrored, start = student_design(run), run.mirrored, member.start
    train = partial(train_student, member.volumes, design, member.settings, mirrored_axes=mirrored, start=start)
    return train, context


def observed(run: Run, member: Member, together: Callable[[nn.Module], Students]) -> Callable[[int, nn.Module], None]:
    """The calls with a student after every step: the live preview, and the run's observer."""
    preview, observer = preview_of(run, member, together), run.computing.observer

    def after_step(step: int, student: nn.Module) -> None:
        preview(step, student)
        if observer is not None:
            done = (step + 1) / member.settings.steps
            observer(member.stage, done, lambda: scaled(run, voting_model(run, together(student))))

    return after_step


def observed_elsewhere(run: Run, member: Member, together: Callable[[nn.Module], Students]) -> Callable[[int], None]:
    """The call while another process trains the student: the live preview, of its latest checkpoint."""
    preview, checkpoint = preview_of(run, member, together), run.folder / member.file

    def meanwhile(step: int) -> None:
        if step and preview.due() and checkpoint.exists():
            student = build_student(student_design(run)).requires_grad_(False)
            load_modules(checkpoint, {"average": student})
            preview(step - 1, student.eval())

    return meanwhile


def preview_of(run: Run, member: Member, together: Callable[[nn.Module], Students]) -> LivePreview:
    """The live preview of a student."""
    volumes = {volume.name: volume for volume in run.volumes}
    stage = member.stage, member.settings.steps
    device = run.computing.device
    segmented = PreviewOfVolumes(run.study, volumes, lambda student: voting_model(run, together(student)), device)
    return LivePreview(run.study, volumes, segmented, stage)
