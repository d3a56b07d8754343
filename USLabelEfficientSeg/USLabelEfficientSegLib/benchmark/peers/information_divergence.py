"""IDL as a rival on volumes: two unlike networks teach each other on slices, and the smaller one segments."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...divergence.batches import draw_batch
from ...divergence.objective import images_of_step, weighted_losses
from ...divergence.pair import NetworkPair
from ...divergence.prediction import predict_images
from ...divergence.rounds import round_position
from ...divergence.slices import training_slices
from ...student.training import AVERAGE_DECAY
from ...study.setting_sections import DivergenceSettings
from ...teacher.slices import in_slice_axes
from ...training.moving_average import average_state, mean_first
from .training import Peer, Task

# The terms of the paper, which all last for the whole training.
PUBLISHED = DivergenceSettings(
    partner="swin-unet",
    rounds=1,
    information_divergence=1.0,
    interpolation_start=1 / 30,
    unlabelled_start=0.0,
    ramp_up=1.0,
    strong_views=False,
)
_LOWEST, _HIGHEST = 0.005, 0.995  # quantiles that become black and white, as in training


class InformationDivergence(Peer):
    """IDL: Wang et al., "Leveraging information divergence", arXiv 2509.06495.

    Faithful in its networks and losses. Simplified: a narrow Swin-Unet without public weights, slices at twice the
    working grid, AdamW, poses beyond the paper's, four labelled and four unlabelled slices a step.
    """

    sees_slices = True

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.average.eval()
        grid = max(size for volume in task.volumes for size in volume.shape)
        self.image_size = min(PUBLISHED.image_size, 2 * grid)
        self.images = training_slices(task.volumes, task.slice_axis, self.image_size)

    @property
    def learning_rate(self) -> float:
        """That of our own training of the pair."""
        return PUBLISHED.learning_rate

    def build(self) -> nn.Module:
        """UNeXt and Swin-Unet."""
        return NetworkPair(self.task.classes, PUBLISHED.transformer_width)

    def loss(self, progress: float, generator: torch.Generator) -> Tensor:
        """The sum of all terms on labelled and unlabelled slices."""
        pair, average = self.network, self.average
        assert isinstance(pair, NetworkPair) and isinstance(average, NetworkPair)
        position = round_position(min(round(progress * PUBLISHED.steps), PUBLISHED.steps - 1), PUBLISHED)
        batch = draw_batch(self.images, PUBLISHED, images_of_step(position, PUBLISHED), generator).to(self.task.device)
        with self.precision():
            terms = weighted_losses(pair, average, batch, PUBLISHED, position, generator)
        return torch.stack(list(terms.values())).sum()

    def update_average(self, step: int) -> None:
        """Also of the statistics that batch normalisation keeps."""
        average_state(self.average, self.network, mean_first(step, AVERAGE_DECAY))

    def predictors(self) -> tuple[nn.Module, ...]:
        """UNeXt alone, as published."""
        assert isinstance(self.average, NetworkPair)
        spacing = self.task.volumes[0].spacing
        rows, columns = in_slice_axes(self.task.slice_axis)
        pixel_size = spacing[rows], spacing[columns]
        return (SlicesOfVolumes(self.average.unext, self.task.slice_axis, pixel_size, self.image_size),)


class SlicesOfVolumes(nn.Module):
    """A network on grey slices behind the interface of networks on volumes; it only predicts.

    Args:
        network: on images (B, 3, H, W).
        axis: array axis along which slices lie.
        pixel_size: spacing of rows and columns.
        image_size: longer side at which the network reads slices.
    """

    def __init__(self, network: nn.Module, axis: int, pixel_size: tuple[float, float], image_size: int) -> None:
        super().__init__()
        self.network = network
        self.axis = axis
        self.pixel_size = pixel_size
        self.image_size = image_size

    def forward(self, volume: Tensor) -> Tensor:
        """Log-probabilities (1, C, I, J, K) of a volume (1, 5, I, J, K), from its first channel."""
        slices = grey_of(volume[0, 0]).movedim(self.axis, 0)
        probability = predict_images(self.network, slices, self.pixel_size, self.image_size)
        return probability.clamp_min(1e-6).log().movedim(0, self.axis + 1)[None].to(volume)


def grey_of(image: Tensor) -> Tensor:
    """Grey values (I, J, K) in [0, 1] of normalised intensities, 0 where they are exactly 0, outside the sector."""
    inside = image != 0
    values = image[inside].sort().values
    low, high = (values[round(q * (len(values) - 1))] for q in (_LOWEST, _HIGHEST))
    return ((image - low) / (high - low).clamp_min(1e-6)).clamp(0, 1) * inside
