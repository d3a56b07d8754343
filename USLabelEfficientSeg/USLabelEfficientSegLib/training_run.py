"""One training of a study: what every stage of the pipeline needs to know."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch

from .divergence.swin_unet import SwinUnet
from .divergence.swin_weights import load_swin_weights
from .errors import Cancelled
from .imaging.normalisation import Frame
from .student.build import StudentDesign
from .student.symmetry import mirror_axes
from .study.alignment import Template, align_group
from .study.checkpoint import load_checkpoint, save_checkpoint
from .study.files import writing
from .study.location_prior import LocationPrior, fit_location_prior
from .study.loop import step_seed
from .study.provenance import (
    digest,
    image_checksums,
    label_checksums,
    labels_changed,
    read_settings,
    start_run,
)
from .study.settings import Settings, StudentSettings
from .study.study import Study
from .study.training_volumes import TrainingVolume, prepare_volume
from .teacher.checkpoints import load_vit
from .teacher.pretraining import check_patches
from .teacher.vit import VisionTransformer

TEACHER_NAME = "teacher.safetensors"
FEWEST_STUDENT_STEPS = 150
ALIGNMENT_NAME = "alignment.safetensors"


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
    """

    study: Study
    settings: Settings
    device: torch.device
    volumes: list[TrainingVolume]
    mirrored: tuple[int, ...]
    initial_teacher: VisionTransformer | None
    cancelled: Callable[[], bool] | None
    template: Template | None = None

    @property
    def folder(self) -> Path:
        """Where the stages leave their results."""
        return self.study.run_folder

    @property
    def identity(self) -> str:
        """Fingerprint of everything that the labelled stages depend on."""
        return digest([self.settings.model_dump(mode="json"), image_checksums(self.study), label_checksums(self.study)])

    @property
    def design(self) -> StudentDesign:
        """Of the students: the study's classes and its typical voxel."""
        spacing = torch.tensor([volume.spacing for volume in self.volumes]).median(dim=0).values.tolist()
        return StudentDesign(
            network=self.settings.student.network,
            classes=len(self.study.organs) + 1,
            spacing=(spacing[0], spacing[1], spacing[2]),
            slice_axis=self.study.slice_axis,
            widths=self.settings.student.widths,
        )

    @property
    def student_settings(self) -> StudentSettings:
        """The student's settings with no more steps than the labelled slices are good for."""
        settings = self.settings.student
        if not settings.steps_per_labelled_slice:
            return settings
        slices = sum(len(case.labels.slices) for case in self.study.cases if case.labels is not None)
        enough = max(FEWEST_STUDENT_STEPS, round(settings.steps_per_labelled_slice * slices))
        return settings.model_copy(update={"steps": min(settings.steps, enough)})

    @cached_property
    def location_prior(self) -> LocationPrior | None:
        """Where the labelled slices show the organs; None if the settings want none."""
        if not self.settings.location_prior:
            return None
        labelled = [(volume.labels, volume.position) for volume in self.volumes if volume.labels is not None]
        return fit_location_prior([target for target, _ in labelled], [position for _, position in labelled])

    def generator(self, name: str) -> torch.Generator:
        """Random numbers that depend on the seed and `name` alone."""
        return torch.Generator().manual_seed(step_seed(self.settings.seed, name, 0))

    def each_volume(self, stage: str, make: Callable[[TrainingVolume], TrainingVolume]) -> list[TrainingVolume]:
        """`make` of every volume, with progress; can be cancelled between volumes."""
        made = []
        for number, volume in enumerate(self.volumes, start=1):
            stop_if(self.cancelled, f"{stage} stopped after {number - 1} of {len(self.volumes)} volumes")
            made.append(make(volume))
            self.study.events.emit(stage, number, len(self.volumes))
        return made


def open_run(study: Study, settings: Settings, device: torch.device, cancelled: Callable[[], bool] | None) -> Run:
    """Record the run, and bring the study's volumes and sparse labels to the working grid."""
    study.check_files()
    initial_teacher = None
    if settings.teacher.weights is not None:  # before anything is written: the file may be a wrong one
        initial_teacher = load_vit(Path(settings.teacher.weights))
        check_patches(initial_teacher, settings.teacher)
    if settings.divergence.transformer_weights is not None:
        weights = Path(settings.divergence.transformer_weights)
        load_swin_weights(SwinUnet(2, width=settings.divergence.transformer_width), weights)
    if labels_changed(study) and read_settings(study) == settings:
        _forget_labelled_stages(study)
    start_run(study, settings, str(device))
    volumes = []
    for number, case in enumerate(study.cases, start=1):
        stop_if(cancelled, f"reading stopped after {number - 1} of {len(study.cases)} volumes")
        labels = study.read_labels(case.name)
        volumes.append(prepare_volume(study.read_volume(case.name), labels, settings.working_grid.max_voxels))
        study.events.emit("reading volumes", number, len(study.cases))
    mirrored = mirror_axes([volume.grey for volume in volumes])
    return Run(study, settings, device, volumes, mirrored, initial_teacher, cancelled)


def aligned(run: Run) -> Run:
    """The run with each volume's anatomy lined up with that of the others, see `study.alignment`.

    Without a location prior positions need not agree, and nothing is aligned.
    """
    if run.location_prior is None or not run.settings.alignment:
        return run
    path = run.folder / ALIGNMENT_NAME
    if path.exists():
        tensors, metadata = load_checkpoint(path)
        if metadata["run"] == run.identity:
            template = Template(tensors["edges"], tensors["window"])
            return _in_frames(run, [_frame(*bounds) for bounds in metadata["frames"]], template)

    def progress(step: int, steps: int) -> None:
        stop_if(run.cancelled, f"alignment stopped after {step - 1} of {steps} steps")
        run.study.events.emit("alignment", step, steps)

    frames, template = align_group([volume.grey for volume in run.volumes], run.location_prior, progress)
    record = {"run": run.identity, "frames": [[frame.shift, frame.scale] for frame in frames]}
    save_checkpoint(path, {"edges": template.edges, "window": template.window}, record)
    return _in_frames(run, frames, template)


def _in_frames(run: Run, frames: Sequence[Frame], template: Template) -> Run:
    volumes = [replace(volume, frame=frame) for volume, frame in zip(run.volumes, frames, strict=True)]
    return replace(run, volumes=volumes, template=template)


def _frame(shift: Sequence[float], scale: Sequence[float]) -> Frame:
    return Frame((shift[0], shift[1], shift[2]), (scale[0], scale[1], scale[2]))


def forget_run(study: Study) -> None:
    """Remove everything that earlier trainings left in the study."""
    if study.run_folder.exists():
        with writing(study.run_folder):
            shutil.rmtree(study.run_folder)


def stop_if(cancelled: Callable[[], bool] | None, message: str) -> None:
    """Raise `Cancelled` with `message` if the user has asked to stop."""
    if cancelled is not None and cancelled():
        raise Cancelled(f"{message}; the same command continues it")


def _forget_labelled_stages(study: Study) -> None:
    """Keep the teacher, which has seen no label, and remove what was learnt from labels that have changed since."""
    for path in study.run_folder.glob("*.safetensors"):
        if path.name != TEACHER_NAME:
            path.unlink()
    message = "labels have changed: all but the teacher is trained anew"
    study.events.emit("reading volumes", 0, len(study.cases), message=message)
