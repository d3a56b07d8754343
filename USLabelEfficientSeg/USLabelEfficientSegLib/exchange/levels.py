"""What adapts a 2-D network to a volume, as graphs: one that measures levels of slices, one that is told levels.

A graph cannot look at all slices of a volume before it segments the first. So the levels of batch normalisation
(`slice_network.adaptation`), its means and variances in the order of the network's modules, are an output of one graph
and an input of the other.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.func import functional_call

from ..slice_network.network import SliceUNet


class ToldLevels(nn.Module):
    """A 2-D network that is told the levels of a volume.

    Args:
        network: in evaluation mode.
        share: of the volume in the levels; the rest is of the training.
    """

    of_training: Tensor

    def __init__(self, network: SliceUNet, share: float) -> None:
        super().__init__()
        self.network, self.share = copy.deepcopy(network).eval(), share
        self._names = [f"{name}.running_{kind}" for name, _ in _norms(network) for kind in ("mean", "var")]
        buffers = dict(network.named_buffers())
        self._sizes = [buffers[name].numel() for name in self._names]
        self.register_buffer("of_training", torch.cat([buffers[name] for name in self._names]))

    def forward(self, images: Tensor, levels: Tensor) -> Tensor:
        """Logits (B, classes, H, W) of images (B, 1, H, W), with levels (n,) as `MeasuredLevels` gives them."""
        mixed = (levels * self.share + self.of_training * (1 - self.share)).split(self._sizes)
        logits: Tensor = functional_call(self.network, dict(zip(self._names, mixed, strict=True)), (images,))
        return logits


class MeasuredLevels(nn.Module):
    """The levels (n,) of images (B, 1, H, W): mean and unbiased variance of each channel at each normalisation."""

    def __init__(self, network: SliceUNet) -> None:
        super().__init__()
        self.network = copy.deepcopy(network)
        for name, norm in _norms(network):
            parent, _, child = name.rpartition(".")
            setattr(self.network.get_submodule(parent), child, _OwnLevels(norm))

    def forward(self, images: Tensor) -> Tensor:
        """Each normalisation uses what it measures, so that the next one sees what it would see."""
        norms = [module for module in self.network.modules() if isinstance(module, _OwnLevels)]
        inputs: dict[nn.Module, Tensor] = {}
        hooks = [norm.register_forward_pre_hook(lambda norm, given: inputs.update({norm: given[0]})) for norm in norms]
        self.network(images)
        for hook in hooks:
            hook.remove()
        return torch.cat([level for norm in norms for level in _levels(inputs[norm])])


class TrainedLevels(nn.Module):
    """The same by batch normalisation in training, which adapts the networks of a model: the measure of the other."""

    def __init__(self, network: SliceUNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """Levels (n,) of images (B, 1, H, W)."""
        own = copy.deepcopy(self.network)
        norms = [norm for _, norm in _norms(own)]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None
        own.train()(images)
        return torch.cat(
            [level for norm in norms for level in (norm.running_mean, norm.running_var) if level is not None]
        )


class _OwnLevels(nn.Module):
    def __init__(self, norm: nn.BatchNorm2d) -> None:
        super().__init__()
        self.weight, self.bias, self.eps = norm.weight, norm.bias, norm.eps

    def forward(self, x: Tensor) -> Tensor:
        centred = x - x.mean((0, 2, 3), keepdim=True)
        scale = self.weight[:, None, None] * (centred.square().mean((0, 2, 3), keepdim=True) + self.eps).rsqrt()
        return centred * scale + self.bias[:, None, None]


def _norms(network: nn.Module) -> list[tuple[str, nn.BatchNorm2d]]:
    return [(name, module) for name, module in network.named_modules() if isinstance(module, nn.BatchNorm2d)]


def _levels(x: Tensor) -> tuple[Tensor, Tensor]:
    return x.mean((0, 2, 3)), x.var((0, 2, 3))
