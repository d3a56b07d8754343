"""3-D convolutions that are fast on a CPU for single small volumes, as students see them."""

from __future__ import annotations

import platform
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import TypeVar

import torch
from torch import Tensor, nn

from .weight_gradients import WeightGradients, weight_gradients_beside

Network = TypeVar("Network", bound=nn.Module)

#: whether oneDNN is there, on the processors on which it was measured to be faster
ONEDNN = torch.backends.mkldnn.is_available() and platform.machine().lower() in {"x86_64", "amd64"}
_FEW = 20_480  # torch compares the product of all sizes but the last with this


class FastConv3d(nn.Conv3d):
    """`nn.Conv3d` with the same weights and result, several times faster on one small volume.

    For a batch of one and few voxels torch falls back to a convolution without oneDNN, which takes three to seven times
    as long (`use_mkldnn` in ATen's Convolution.cpp, torch 2.13). An input in oneDNN's layout is never sent there.

    Attributes:
        beside: who computes the gradients of weights and biases; None: the backward pass.
    """

    beside: WeightGradients | None = None

    def forward(self, input: Tensor) -> Tensor:
        """The convolution of (B, C, I, J, K)."""
        slow = self.kernel_size != (1, 1, 1) and _is_slow_in_torch(input)
        if self.beside is not None and torch.is_grad_enabled():
            return self.beside.convolve(self, input, in_onednn=slow)
        return super().forward(input.to_mkldnn()).to_dense() if slow else super().forward(input)


class FastConvTranspose3d(nn.ConvTranspose3d):
    """`nn.ConvTranspose3d` likewise."""

    beside: WeightGradients | None = None

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """The transposed convolution of (B, C, I, J, K)."""
        slow = _is_slow_in_torch(input)
        if self.beside is not None and torch.is_grad_enabled() and output_size is None:
            return self.beside.convolve(self, input, in_onednn=slow)
        if slow:
            return super().forward(input.to_mkldnn(), output_size).to_dense()
        return super().forward(input, output_size)


def _is_slow_in_torch(volume: Tensor) -> bool:
    batch, channels, i, j, _ = volume.shape
    small = batch == 1 and channels * i * j <= _FEW
    return ONEDNN and small and volume.device.type == "cpu" and volume.dtype == torch.float32


def with_fast_convolutions(network: Network) -> Network:
    """The same network, changed in place: its 3-D convolutions are the fast ones. Weights and their names stay."""
    for module in network.modules():
        if type(module) is nn.Conv3d:
            module.__class__ = FastConv3d
        elif type(module) is nn.ConvTranspose3d:
            module.__class__ = FastConvTranspose3d
    return network


def with_weight_gradients_beside(
    network: nn.Module, thread: ThreadPoolExecutor | None
) -> AbstractContextManager[WeightGradients | None]:
    """Within, a second thread computes the gradients of the fast convolutions' weights, see `weight_gradients`."""
    return weight_gradients_beside(network, (FastConv3d, FastConvTranspose3d), thread)
