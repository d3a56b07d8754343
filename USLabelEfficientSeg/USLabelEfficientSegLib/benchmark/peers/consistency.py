"""Rivals whose network must agree with a moving average of itself on unlabelled volumes."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...imaging.normalisation import IMAGE_CHANNELS
from .networks import VolumeUNet
from .training import Peer, perturbed, ramp


class MeanTeacher(Peer):
    """Tarvainen & Valpola, "Mean teachers are better role models", NeurIPS 2017, arXiv 1703.01780.

    Faithful in its loss (mean squared difference of probabilities, ramped up) and its teacher; both see the same pose
    with different intensities. The weight is that of UA-MT's published code, as usual in medical segmentation.
    """

    weight = 0.1

    def loss(self, progress: float, generator: torch.Generator) -> Tensor:
        """Cross-entropy of a labelled volume, and consistency on any volume."""
        supervised, _ = self.supervised(self.network, self.task.draw(self.task.labelled, generator))
        inputs = self.task.draw(self.task.volumes, generator).inputs
        return supervised + self.weight * ramp(progress) * self.consistency(inputs, progress, generator)

    def consistency(self, inputs: Tensor, progress: float, generator: torch.Generator) -> Tensor:
        """Mean squared difference between the probabilities of network and teacher."""
        taught = self.probability(self.network, perturbed(inputs, generator))
        return F.mse_loss(taught, self.teacher(perturbed(inputs, generator)))

    @torch.no_grad()
    def teacher(self, inputs: Tensor) -> Tensor:
        """Probabilities of the moving average."""
        return self.probability(self.average, inputs)

    def probability(self, network: nn.Module, inputs: Tensor) -> Tensor:
        """Class probabilities (1, C, I, J, K)."""
        return self.logits(network, inputs).softmax(dim=1)


class UncertaintyAwareMeanTeacher(MeanTeacher):
    """UA-MT: Yu et al., "Uncertainty-aware self-ensembling model", MICCAI 2019, arXiv 1907.07034.

    Faithful: eight noisy passes of the teacher with dropout, its entropy, the rising threshold from 3/4 of the largest
    entropy on, the loss on certain voxels. Simplified: the network, a residual U-Net for V-Net; noise by intensities.
    """

    passes = 8
    dropout = 0.1

    def build(self) -> nn.Module:
        """The U-Net with dropout, which makes the passes differ."""
        return VolumeUNet(self.task.classes, self.dropout)

    def consistency(self, inputs: Tensor, progress: float, generator: torch.Generator) -> Tensor:
        """Squared difference where the mean of the teacher's passes has an entropy below the threshold."""
        mean = torch.stack([self.teacher(perturbed(inputs, generator)) for _ in range(self.passes)]).mean(dim=0)
        entropy = -(mean * mean.clamp_min(1e-6).log()).sum(dim=1)
        certain = (entropy < (0.75 + 0.25 * ramp(progress)) * math.log(self.task.classes)).float()
        taught = self.probability(self.network, perturbed(inputs, generator))
        target = self.teacher(perturbed(inputs, generator))
        return ((taught - target).square().mean(dim=1) * certain).sum() / certain.sum().clamp_min(1)


class InterpolationConsistency(MeanTeacher):
    """ICT: Verma et al., "Interpolation consistency training", IJCAI 2019, arXiv 1903.03825.

    Faithful in its loss, Beta(0.2, 0.2) included. Volumes of different size are mixed on the grid of the first.
    """

    concentration = 0.2

    def consistency(self, inputs: Tensor, progress: float, generator: torch.Generator) -> Tensor:
        """Difference between the prediction of a mix and the mix of the teacher's predictions."""
        other = self.task.draw(self.task.volumes, generator).inputs
        image = F.interpolate(other[:, :IMAGE_CHANNELS], size=inputs.shape[2:], mode="trilinear")
        other = torch.cat([image, inputs[:, IMAGE_CHANNELS:]], dim=1)
        share = float(torch.distributions.Beta(self.concentration, self.concentration).sample())
        target = torch.lerp(self.teacher(other), self.teacher(inputs), share)
        return F.mse_loss(self.probability(self.network, torch.lerp(other, inputs, share)), target)
