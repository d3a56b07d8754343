"""Rivals of two networks that teach each other with their own decisions."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .networks import SliceUNet, VolumeUNet
from .training import Peer, ramp


class CrossPseudoSupervision(Peer):
    """CPS: Chen et al., "Semi-supervised semantic segmentation with cross pseudo supervision", CVPR 2021.

    arXiv 2106.01226. Faithful in its loss, on labelled and unlabelled volumes, and in that one network predicts;
    without CutMix, as when it is compared on medical volumes, and with the ramped-up weight used there.
    """

    weight = 0.1

    def build(self) -> nn.Module:
        """Two U-Nets that differ in their initial weights."""
        return nn.ModuleList([VolumeUNet(self.task.classes), VolumeUNet(self.task.classes)])

    def loss(self, progress: float, generator: torch.Generator) -> Tensor:
        """Cross-entropy of both networks on labels, and of each on what the other decides."""
        labelled = self.task.draw(self.task.labelled, generator)
        unlabelled = self.task.draw(self.task.volumes, generator).inputs
        first, second = self.networks(self.network)
        loss_first, logits_first = self.supervised(first, labelled)
        loss_second, logits_second = self.supervised(second, labelled)
        crossed = self.crossed(logits_first, logits_second)
        crossed = crossed + self.crossed(self.logits(first, unlabelled), self.logits(second, unlabelled))
        return loss_first + loss_second + self.weight * ramp(progress) * crossed

    def crossed(self, first: Tensor, second: Tensor) -> Tensor:
        """Cross-entropy of each on the other's arg max."""
        return F.cross_entropy(first, second.argmax(dim=1)) + F.cross_entropy(second, first.argmax(dim=1))

    def predictors(self) -> tuple[nn.Module, ...]:
        """The first network's average."""
        return self.networks(self.average)[:1]

    @staticmethod
    def networks(both: nn.Module) -> tuple[nn.Module, nn.Module]:
        """The two networks."""
        assert isinstance(both, nn.ModuleList)
        return both[0], both[1]


class OrthogonalCoTraining(CrossPseudoSupervision):
    """After DeSCO: Cai et al., "Orthogonal annotation benefits barely-supervised segmentation", CVPR 2023.

    arXiv 2303.13090. Simplified: two networks that see orthogonal slices teach each other where they are sure. Its
    annotation of two orthogonal slices a volume, and their propagation by registration, do not fit slices of one axis
    drawn at random, so that labels reach the second network as lines across its slices.
    """

    confidence = 0.75
    sees_slices = True

    def build(self) -> nn.Module:
        """Two U-Nets on slices: of the slice axis, and of the next axis."""
        axis = self.task.slice_axis
        return nn.ModuleList([SliceUNet(self.task.classes, a) for a in (axis, (axis + 1) % 3)])

    def crossed(self, first: Tensor, second: Tensor) -> Tensor:
        """Cross-entropy of each on the other's arg max, where its probability is high."""
        return self._taught_by(first, second) + self._taught_by(second, first)

    def _taught_by(self, logits: Tensor, other: Tensor) -> Tensor:
        confidence, decision = other.detach().softmax(dim=1).max(dim=1)
        sure = (confidence > self.confidence).float()
        return (F.cross_entropy(logits, decision, reduction="none") * sure).sum() / sure.sum().clamp_min(1)

    def predictors(self) -> tuple[nn.Module, ...]:
        """Both networks' averages vote."""
        return self.networks(self.average)
