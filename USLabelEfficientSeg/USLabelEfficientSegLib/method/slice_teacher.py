"""The protocol of a 2-D teacher of the 3-D students, and the teachers by the names of their methods.

A further teacher is a file like `vit_teacher`, a line in `SLICE_TEACHERS`, and its times in `planned_stages`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from ..anatomy.kept import Source
from ..anatomy.training_volumes import TrainingVolume
from ..pseudolabels.views import SlicePredictor
from ..study.settings import Settings
from ..study.stages import Stage
from ..training.context import TrainingContext
from .pair_teacher import PairTeacher
from .run import Run
from .vit_teacher import ViTTeacher


class SliceTeacher(Protocol):
    """Learns from the slices of a run's volumes, and proposes labels for all of them; each stage resumes.

    Attributes:
        stages: that it learns in.
        without_labels: the stages that need no label.
        pseudo_label_folder: where its pseudo-labels are kept.
    """

    stages: ClassVar[tuple[Stage, ...]]
    without_labels: ClassVar[tuple[Stage, ...]]
    pseudo_label_folder: ClassVar[str]

    def __init__(self, run: Run) -> None: ...

    @staticmethod
    def check(settings: Settings) -> None:
        """Refuse settings that cannot be followed, before anything is written. Raises `InputError`."""

    @staticmethod
    def shared_batches(settings: Settings) -> dict[str, int]:
        """Batches that several devices would share, by the names of their settings."""

    def first_training(self) -> tuple[Callable[[TrainingContext], object], TrainingContext]:
        """The training of its first stage, and its context."""

    def learn(self) -> Iterator[Stage]:
        """Learn from slices and labels; each stage is yielded when it is done."""

    def learn_features(self) -> None:
        """Learn no more than `features` needs: an earlier model proposes the labels."""

    def predictors(self, volume: TrainingVolume) -> Sequence[SlicePredictor]:
        """Networks on the volume's slices; their mean is its pseudo-label before the refinement in 3-D."""

    def features(self, volume: TrainingVolume) -> Source[NDArray[np.float16]] | None:
        """A source of (n, C, h, w) of its n slices, for students to imitate; None: the teacher has no such features."""


SLICE_TEACHERS: Mapping[str, type[SliceTeacher]] = {
    "cross-dimensional": ViTTeacher,
    "information-divergence": PairTeacher,
}
