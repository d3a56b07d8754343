"""One training of a study: what every stage of the pipeline needs to know."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import torch

from ..anatomy.alignment import Template, align_group
from ..anatomy.location_prior import LocationPrior, fit_location_prior
from ..anatomy.training_volumes import TrainingVolume, prepare_volume
from ..disk.files import writing
from ..disk.names import safe_stems
from ..disk.study_layout import ALIGNMENT_NAME, PSEUDO_LABELS, WEIGHTS_SUFFIX
from ..divergence.swin_unet import SwinUnet
from ..divergence.swin_weights import load_swin_weights
from ..errors import Cancelled, InputError, Notice
from ..imaging.normalisation import AnatomicalFrame
from ..pseudolabels.fusion import FusedPrediction
from ..pseudolabels.storage import stored_prediction
from ..segmentation.model import SegmentationModel
from ..segmentation.model_provenance import without_names
from ..student.build import StudentDesign
from ..student.symmetry import mirror_axes
from ..study.provenance import digest, image_checksums, label_checksums, start_run
from ..study.settings import Settings, StudentSettings, TeacherSettings
from ..study.stages import Stage
from ..study.study import Study
from ..teacher.checkpoints import load_vit
from ..teacher.pretraining import check_patches
from ..teacher.vit import VisionTransformer
from ..training.checkpoint import load_checkpoint, save_checkpoint
from ..training.context import TrainingContext
from ..training.seeds import step_generator
from ..training.several_devices import device_name
from ..training.side_by_side import NOBODY, SideBySide
from ..training.threads import in_threads
from .earlier_training import TEACHER_NAME as TEACHER_NAME
from .earlier_training import EarlierModel, EarlierTeacher, set_aside

FEWEST_STUDENT_STEPS = 150
CONTINUED_SHARE = 0.5  # of the steps, when the weights are those of an earlier training
CONTINUED_LABEL_SHARE = 0.125  # likewise, of those that learn long from the labels alone
CONTINUED_LEARNING_RATE = 0.3  # of the students', which a larger one would lead away from what they know

T = TypeVar("T")
Observer = Callable[[str, float, Callable[[], SegmentationModel]], None]


@dataclass(frozen=True)
class Run:
    """A study opened for training.

    Attributes:
        study: volumes and sparse labels; the caller holds its lock.
        settings: of all stages.
        device: where networks are trained.
        volumes: on the working grid.
        mirrored: axes along which mirror images are as plausible as the volumes.
        initial_teacher: pretrained weights to start the teacher from, None for random ones.
        cancelled: asked often; the run stops soon after it says so.
        template: what the volumes were aligned to, None before or without.
        earlier: the model that the training continues from, None if it learns from the labels anew.
        earlier_teacher: the teacher that is to see more volumes now, None if it has seen them all.
        observer: told about students after every step, see `pipeline.train`.
        devices: how many train the teacher, and each student, together.
        beside: trains in other processes what is offered to it.
    """

    study: Study
    settings: Settings
    device: torch.device
    volumes: list[TrainingVolume]
    mirrored: tuple[int, ...]
    initial_teacher: VisionTransformer | None
    cancelled: Callable[[], bool] | None
    template: Template | None = None
    earlier: EarlierModel | None = None
    earlier_teacher: EarlierTeacher | None = None
    observer: Observer | None = None
    devices: int = 1
    beside: SideBySide = NOBODY

    @property
    def folder(self) -> Path:
        """Where the stages leave their results."""
        return self.study.run_folder

    @property
    def identity(self) -> str:
        """Fingerprint of everything that the labelled stages depend on."""
        made_from = [self.settings.model_dump(mode="json"), image_checksums(self.study), label_checksums(self.study)]
        return digest(made_from if self.earlier is None else [*made_from, self.earlier.sha256])

    @cached_property
    def provenance(self) -> dict[str, Any]:
        """What a model of this run tells of its making, see `segmentation.model_provenance`."""
        return without_names(
            {
                "settings": self.settings.model_dump(mode="json"),
                "images": image_checksums(self.study),
                "labels": label_checksums(self.study),
                **({} if self.earlier is None else {"continued_from": self.earlier.record}),
            }
        )

    @property
    def design(self) -> StudentDesign:
        """Of the students: that of the earlier model, or the study's classes and its typical voxel."""
        if self.earlier is not None:
            return self.earlier.model.design
        spacing = torch.tensor([volume.spacing for volume in self.volumes]).median(dim=0).values.tolist()
        return StudentDesign(
            network=self.settings.student.network,
            classes=len(self.study.organs) + 1,
            spacing=(spacing[0], spacing[1], spacing[2]),
            slice_axis=self.study.slice_axis,
            widths=self.settings.student.widths,
        )

    @property
    def labelled_slices(self) -> int:
        """How many there are in all volumes."""
        return sum(len(case.labels.slices) for case in self.study.cases if case.labels is not None)

    @property
    def student_settings(self) -> StudentSettings:
        """The student's settings with no more steps than labels and earlier training leave to be done."""
        settings = self.settings.student
        steps = self._at_most(settings.steps, settings.steps_per_labelled_slice)
        if self.earlier is None:
            return settings.model_copy(update={"steps": steps})
        learning_rate = CONTINUED_LEARNING_RATE * settings.learning_rate
        return settings.model_copy(update={"steps": _continued(steps), "learning_rate": learning_rate})

    @property
    def label_steps(self) -> int:
        """Steps of the students that learn from the true labels alone, likewise; 0 where these are too few."""
        settings = self.settings.student
        if self.labelled_slices < settings.label_steps_from:
            return 0
        return self._at_most(settings.label_steps, settings.label_steps_per_labelled_slice)

    def _at_most(self, steps: int, per_labelled_slice: float) -> int:
        if not per_labelled_slice:
            return steps
        return min(steps, max(FEWEST_STUDENT_STEPS, round(per_labelled_slice * self.labelled_slices)))

    @property
    def teacher_settings(self) -> TeacherSettings:
        """The teacher's settings, with fewer steps if it has studied most of the volumes before."""
        settings = self.settings.teacher
        if self.earlier_teacher is None:
            return settings
        return settings.model_copy(update={"steps": _continued(settings.steps)})

    @cached_property
    def location_prior(self) -> LocationPrior | None:
        """Where the labelled slices show the organs; None if the settings want none."""
        if not self.settings.location_prior:
            return None
        labelled = [(volume.labels, volume.position) for volume in self.volumes if volume.labels is not None]
        return fit_location_prior([target for target, _ in labelled], [position for _, position in labelled])

    def stored_prediction(
        self, kind: str, volume: TrainingVolume, make: Callable[[], FusedPrediction]
    ) -> FusedPrediction:
        """A pseudo-label of a volume, made unless the run folder holds the one of this run and this very volume.

        Args:
            kind: which teacher or round it is from; names a folder.
            volume: of the study.
            make: what predicts it.
        """
        case = self.study.case(volume.name)
        path = self.folder / PSEUDO_LABELS / kind / f"{self._stems[case.name]}{WEIGHTS_SUFFIX}"
        shape = (len(self.study.organs) + 1, *volume.shape)
        return stored_prediction(path, digest([self.identity, case.name, case.image.sha256]), make, shape)

    @cached_property
    def _stems(self) -> dict[str, str]:
        """A file name of its own for each case, also where case does not count; the file tells whose it is."""
        names = [case.name for case in self.study.cases]
        return dict(zip(names, safe_stems(names), strict=True))

    def generator(self, name: str) -> torch.Generator:
        """Random numbers that depend on the seed and `name` alone."""
        return step_generator(self.settings.seed, name)

    def context(self, stage: str, file: str) -> TrainingContext:
        """Of the training of a network.

        Args:
            stage: its name in events.
            file: name of its checkpoint in the run folder.
        """
        return TrainingContext(
            stage=stage,
            checkpoint_path=self.folder / file,
            seed=self.settings.seed,
            events=self.study.events,
            device=self.device,
            cancelled=self.cancelled,
        )

    def each_volume(
        self,
        stage: str,
        make: Callable[[TrainingVolume], T],
        *,
        volumes: Sequence[TrainingVolume] | None = None,
        told: bool = True,
    ) -> list[T]:
        """`make` of all volumes, or of those given, as many at once as processors are idle.

        Told in events, unless they are not to be; can be cancelled between volumes.
        """
        chosen = self.volumes if volumes is None else volumes
        made: list[T] = []

        def each() -> Iterator[TrainingVolume]:
            for volume in chosen:
                stop_if(self.cancelled, f"{stage} stopped after {len(made)} of {len(chosen)} volumes")
                yield volume

        for one in in_threads(self.beside.idle, make, each()):
            made.append(one)
            if told:
                self.study.events.emit(stage, len(made), len(chosen))
        return made


def open_run(
    study: Study,
    settings: Settings,
    device: torch.device,
    cancelled: Callable[[], bool] | None,
    from_teacher: bool = False,
    devices: int = 1,
) -> Run:
    """Record the run, and bring the study's volumes and sparse labels to the working grid; see `pipeline.train`."""
    study.check_files()
    initial_teacher = None
    if settings.teacher.weights is not None:  # before anything is written: the file may be a wrong one
        initial_teacher = load_vit(Path(settings.teacher.weights))
        check_patches(initial_teacher, settings.teacher)
    if settings.divergence.transformer_weights is not None:
        weights = Path(settings.divergence.transformer_weights)
        load_swin_weights(SwinUnet(2, width=settings.divergence.transformer_width), weights)
    set_aside(study, settings, from_teacher)
    earlier, earlier_teacher = EarlierModel.of(study), EarlierTeacher.of(study)
    where = device_name(device, devices)
    start_run(study, settings, where, continued_from=None if earlier is None else earlier.record)
    volumes = []
    for number, case in enumerate(study.cases, start=1):
        stop_if(cancelled, f"reading stopped after {number - 1} of {len(study.cases)} volumes")
        labels = study.read_labels(case.name)
        volumes.append(prepare_volume(study.read_scan(case.name), labels, settings.working_grid.max_voxels))
        study.events.emit(Stage.READING_VOLUMES, number, len(study.cases))
    mirrored = mirror_axes([volume.grey for volume in volumes])
    return Run(
        study, settings, device, volumes, mirrored, initial_teacher, cancelled,
        earlier=earlier, earlier_teacher=earlier_teacher, devices=devices,
    )  # fmt: skip


def aligned(run: Run) -> Run:
    """The run with each volume's anatomy lined up with that of the others, see `anatomy.alignment`.

    Without a location prior positions need not agree, and nothing is aligned. The frame of an earlier model stays.
    """
    if not run.settings.location_prior or not run.settings.alignment:
        return run
    path = run.folder / ALIGNMENT_NAME
    stored = _stored_alignment(path, run)
    if stored is not None:
        run.study.events.emit(Stage.ALIGNMENT, 1, 1, message="already trained")
        return _in_frames(run, *stored)

    def progress(step: int, steps: int) -> None:
        stop_if(run.cancelled, f"alignment stopped after {step - 1} of {steps} steps")
        run.study.events.emit(Stage.ALIGNMENT, step, steps)

    if run.earlier is not None and run.earlier.model.template is not None:
        frames, template = [], run.earlier.model.template
        for number, volume in enumerate(run.volumes, start=1):
            progress(number, len(run.volumes))
            frames.append(template.frame_of(volume.grey))
    else:
        assert run.location_prior is not None
        frames, template = align_group([volume.grey for volume in run.volumes], run.location_prior, progress)
    record = {"run": run.identity, "frames": [[frame.shift, frame.scale] for frame in frames]}
    save_checkpoint(path, {"edges": template.edges, "window": template.window}, record)
    return _in_frames(run, frames, template)


def _stored_alignment(path: Path, run: Run) -> tuple[list[AnatomicalFrame], Template] | None:
    """The frames of the volumes and their template in a file of this run; None where they are to be found anew."""
    if not path.exists():
        return None
    try:
        tensors, metadata = load_checkpoint(path)
        if metadata["run"] != run.identity:
            return None
        frames = [_frame(*(tuple(map(float, part)) for part in bounds)) for bounds in metadata["frames"]]
        template = Template(tensors["edges"], tensors["window"])
        if len(frames) == len(run.volumes) and template.is_valid():
            return frames, template
    except (InputError, KeyError, TypeError, ValueError, IndexError):
        pass
    warnings.warn(Notice(path, "was damaged and is made again"), stacklevel=2)
    return None


def _in_frames(run: Run, frames: Sequence[AnatomicalFrame], template: Template) -> Run:
    volumes = [replace(volume, frame=frame) for volume, frame in zip(run.volumes, frames, strict=True)]
    return replace(run, volumes=volumes, template=template)


def _frame(shift: Sequence[float], scale: Sequence[float]) -> AnatomicalFrame:
    return AnatomicalFrame((shift[0], shift[1], shift[2]), (scale[0], scale[1], scale[2]))


def forget_run(study: Study) -> None:
    """Remove everything that earlier trainings left in the study."""
    if study.run_folder.exists():
        with writing(study.run_folder):
            shutil.rmtree(study.run_folder)


def stop_if(cancelled: Callable[[], bool] | None, message: str) -> None:
    """Raise `Cancelled` with `message` if the user has asked to stop."""
    if cancelled is not None and cancelled():
        raise Cancelled(f"{message}; the same command continues it")


def _continued(steps: int) -> int:
    return max(1, round(CONTINUED_SHARE * steps))
