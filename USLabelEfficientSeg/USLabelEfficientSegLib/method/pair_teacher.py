"""IDL's slice teacher: UNeXt and its partner teach each other on all slices; it has no features to imitate.

"Leveraging Information Divergence for Robust Semi-Supervised Fetal Ultrasound Image Segmentation", Wang et al.,
arXiv 2509.06495. Students that it teaches learn without correlation distillation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar

from ..anatomy.training_volumes import TrainingVolume
from ..disk.study_layout import PAIR_NAME
from ..divergence.pair import NetworkPair
from ..divergence.slices import SliceNetwork, pixel_size, training_slices
from ..divergence.swin_unet import SwinUnet
from ..divergence.swin_weights import load_swin_weights
from ..divergence.training import train_pair
from ..pseudolabels.views import SlicePredictor
from ..study.setting_sections import DivergenceSettings
from ..study.settings import Settings
from ..study.stages import Stage
from ..training.context import TrainingContext
from .run import Run


class PairTeacher:
    """A `SliceTeacher` that learns from slices and labels in one stage.

    Args:
        run: whose volumes it learns from.
    """

    stages: ClassVar[tuple[Stage, ...]] = (Stage.TEACHER,)
    without_labels: ClassVar[tuple[Stage, ...]] = ()
    pseudo_label_folder: ClassVar[str] = "divergence"

    pair: NetworkPair

    def __init__(self, run: Run) -> None:
        self.run = run
        # Finer than half a voxel there is nothing to see.
        self.slice_size = min(run.settings.divergence.image_size, 2 * run.settings.working_grid.max_voxels)

    @staticmethod
    def check(settings: Settings) -> None:
        """Refuse weights to start from that are no Swin-Unet's. Raises `InputError`."""
        check_partner(settings.divergence)

    @staticmethod
    def shared_batches(settings: Settings) -> dict[str, int]:
        """None: the networks are trained on one device."""
        return {}

    def first_training(self) -> tuple[partial[NetworkPair], TrainingContext]:
        """That of both networks, in one round: the students' follow."""
        run = self.run
        slices = training_slices(run.volumes, run.study.slice_axis, self.slice_size, in_memory=False)
        steps = run.settings.divergence.slice_steps
        settings = run.settings.divergence.model_copy(update={"rounds": 1, "steps": steps})
        return partial(train_pair, slices, settings), run.context(Stage.DIVERGENCE, PAIR_NAME)

    def learn(self) -> Iterator[Stage]:
        """Both networks learn from each other."""
        train, context = self.first_training()
        self.pair = train(context)
        yield Stage.TEACHER

    def learn_features(self) -> None:
        """There are none."""

    def predictors(self, volume: TrainingVolume) -> Sequence[SlicePredictor]:
        """Both networks; where they disagree, the pseudo-label counts less."""
        size = pixel_size(volume, self.run.study.slice_axis)
        return [SliceNetwork(network, size, self.slice_size) for network in self.pair.networks().values()]

    def features(self, volume: TrainingVolume) -> None:
        """None."""
        return None


def check_partner(settings: DivergenceSettings) -> None:
    """Refuse weights to start from that are no Swin-Unet's. Raises `InputError`."""
    if settings.transformer_weights is not None:
        load_swin_weights(SwinUnet(2, width=settings.transformer_width), Path(settings.transformer_weights))
