"""One training of a study, and all that its stages need to know."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from operator import attrgetter
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from ..anatomy.alignment import Template
from ..anatomy.kept import OnDemand
from ..anatomy.location_prior import LocationPrior, fit_location_prior
from ..anatomy.targets import SoftTarget
from ..anatomy.training_volumes import TrainingVolume
from ..calibration.shares import Shares
from ..disk.files import writing
from ..disk.in_use import remove_tree
from ..disk.names import safe_stems
from ..errors import Cancelled
from ..segmentation.model import SegmentationModel
from ..segmentation.slice_voters import SliceVoters
from ..study.provenance import digest, image_checksums, label_checksums
from ..study.settings import Settings
from ..study.stages import Stage
from ..study.study import Study
from ..training.context import TrainingContext
from ..training.seeds import step_generator
from ..training.side_by_side import NOBODY, SideBySide
from ..training.threads import in_threads
from .earlier_training import Learnt
from .plan import TrainingPlan

T = TypeVar("T")
Observer = Callable[[str, float, Callable[[], SegmentationModel]], None]
Stages = Generator[Stage, None, SegmentationModel]  # yields every stage that is done


@dataclass(frozen=True)
class Computing:
    """Where the networks of a run are trained, and who follows it.

    Attributes:
        device: where networks are trained.
        devices: how many train the ViT, and each student, together.
        beside: trains offered stages in other processes, and knows whether the user has asked to stop.
        observer: told about networks after every step, see `pipeline.train`.
    """

    device: torch.device
    devices: int = 1
    beside: SideBySide = NOBODY
    observer: Observer | None = None

    def cancelled(self) -> bool:
        """Whether the user has asked to stop; asked often, the run stops soon after it says so."""
        return self.beside.asked_to_stop()


@dataclass(frozen=True)
class Run:
    """A study opened for training.

    Attributes:
        study: volumes and sparse labels; the caller holds its lock.
        settings: of all stages.
        volumes: on the working grid.
        mirrored: axes along which mirror images are as plausible as the volumes.
        computing: where, and for whom.
        learnt: networks from before this training.
        plan: how long each network is trained.
        template: that the volumes were aligned to, None before or without alignment.
        slices: trained 2-D networks, None before or without them.
        shares: what the candidates weigh, once it is measured.
        alone: settings of 2-D networks that are the whole model, if these have the students' time; None: the same.
    """

    study: Study
    settings: Settings
    volumes: list[TrainingVolume]
    mirrored: tuple[int, ...]
    computing: Computing
    learnt: Learnt
    plan: TrainingPlan
    template: Template | None = None
    slices: SliceVoters | None = None
    shares: Shares = field(default_factory=Shares)
    alone: Settings | None = None

    @property
    def folder(self) -> Path:
        """Where the stages leave their results."""
        return self.study.run_folder

    @cached_property
    def identity(self) -> str:
        """Fingerprint of everything that the labelled stages depend on."""
        made_from = [self.settings.model_dump(mode="json"), image_checksums(self.study), label_checksums(self.study)]
        return digest(made_from if self.learnt.model is None else [*made_from, self.learnt.model.sha256])

    @cached_property
    def location_prior(self) -> LocationPrior | None:
        """Where the labelled slices show the organs; None if the settings want none, or if it says nothing here."""
        if not self.settings.location_prior or not self.shares.location_helps:
            return None
        return fit_location_prior(labels_of(self.labelled), OnDemand(self.labelled, lambda volume: volume.position))

    @property
    def labelled(self) -> list[TrainingVolume]:
        """The volumes with labels."""
        return [volume for volume in self.volumes if volume.is_labelled]

    @property
    def greys(self) -> Sequence[Tensor]:
        """Intensities (I, J, K) in [0, 1] of each volume, read when they are asked for."""
        return OnDemand(self.volumes, attrgetter("grey"))  # which another process can call, too

    @cached_property
    def stems(self) -> dict[str, str]:
        """Names of files for the cases, each of its own also where upper and lower case are the same to a disk."""
        names = [case.name for case in self.study.cases]
        return dict(zip(names, safe_stems(names), strict=True))

    def context(self, stage: str, file: str) -> TrainingContext:
        """Of the training of a network, by its name in events and that of its checkpoint in the run folder."""
        return TrainingContext(
            stage=stage,
            checkpoint_path=self.folder / file,
            seed=self.settings.seed,
            events=self.study.events,
            device=self.computing.device,
            cancelled=self.computing.cancelled,
        )

    def generator(self, name: str) -> torch.Generator:
        """Random numbers that depend on the seed and `name` alone."""
        return step_generator(self.settings.seed, name)

    def each_volume(
        self,
        stage: str,
        make: Callable[[TrainingVolume], T],
        *,
        volumes: Sequence[TrainingVolume] | None = None,
        told: bool = True,
    ) -> list[T]:
        """`make` of all volumes, or of those given, see `in_turn`."""
        return list(self.in_turn(stage, make, volumes=volumes, told=told))

    def in_turn(
        self,
        stage: str,
        make: Callable[[TrainingVolume], T],
        *,
        volumes: Sequence[TrainingVolume] | None = None,
        told: bool = True,
    ) -> Iterator[T]:
        """`make` of all volumes, or of those given, one after the other, as many at once as processors are idle.

        Told in events, unless they are not to be; can be cancelled between volumes.
        """
        chosen = self.volumes if volumes is None else volumes
        made = 0

        def each() -> Iterator[TrainingVolume]:
            for volume in chosen:
                stop_if(self.computing.cancelled, f"{stage} stopped after {made} of {len(chosen)} volumes")
                yield volume

        for one in in_threads(self.computing.beside.idle, make, each()):
            made += 1
            if told:
                self.study.events.emit(stage, made, len(chosen))
            yield one


def labels_of(volumes: Sequence[TrainingVolume]) -> Sequence[SoftTarget]:
    """The labels of labelled volumes, read when they are asked for."""

    def labels(volume: TrainingVolume) -> SoftTarget:
        assert volume.truth is not None
        return volume.truth()

    return OnDemand(volumes, labels)


def forget_run(study: Study) -> None:
    """Remove everything that earlier trainings left in the study."""
    if study.run_folder.exists():
        with writing(study.run_folder):
            remove_tree(study.run_folder)


def stop_if(cancelled: Callable[[], bool] | None, message: str) -> None:
    """Raise `Cancelled` with `message` if the user has asked to stop."""
    if cancelled is not None and cancelled():
        raise Cancelled(f"{message}; the same command continues it")


def walk(stages: Stages, last: Stage) -> SegmentationModel | None:
    """Do the stages up to the `last` one; the model, which is there after all of them."""
    while True:
        try:
            if next(stages) is last:
                return None
        except StopIteration as end:
            model: SegmentationModel = end.value
            return model
