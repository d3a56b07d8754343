"""Processes that train one network together, each on a device of its own, with a share of every batch.

With N processes, the loss of process p a mean over its share and g_p its gradient,

    g = (g_1 + ... + g_N) / N

is the gradient of the mean over the whole batch, because all shares are equal. This does not hold for a loss that
relates samples to each other: statistics over the batch, pairs of samples, a mean over all labelled voxels of several
volumes. No stage that is trained this way has such a loss: the student's is a mean over samples, each normalised by
itself, and the teachers' are means over slices. The samples differ from those of a single process, which draws them in
another order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn


def _unchanged(tensor: Tensor) -> Tensor:
    return tensor


@dataclass(frozen=True)
class Group:
    """One of the processes, as a training loop and its steps see it.

    Attributes:
        rank: its number, from 0; number 0 writes checkpoints and events.
        size: how many processes there are.
        mean: of a tensor over all processes, which all must ask for at the same point of their step.
    """

    rank: int = 0
    size: int = 1
    mean: Callable[[Tensor], Tensor] = _unchanged

    def share(self, batch_size: int) -> int:
        """Samples of a batch that this process draws; `batch_size` is a multiple of the group's size."""
        return batch_size // self.size

    def stream(self, stage: str) -> str:
        """Name of this process's random numbers in a stage."""
        return stage if self.size == 1 else f"{stage}, process {self.rank} of {self.size}"

    def average(self, tensors: Iterable[Tensor]) -> None:
        """Replace each tensor by its mean over all processes."""
        if self.size == 1:
            return
        every = list(tensors)
        mean = self.mean(torch.cat([tensor.detach().flatten() for tensor in every]))
        for tensor, part in zip(every, mean.split([tensor.numel() for tensor in every]), strict=True):
            tensor.copy_(part.view(tensor.shape))

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Call it after the last backward pass of a step, before anything looks at the gradients.

        A share may lack the gradient of a parameter. A parameter without any gradient keeps none, as with one process.
        """
        if self.size == 1:
            return
        every = list(parameters)
        present = torch.tensor([float(parameter.grad is not None) for parameter in every], device=every[0].device)
        self.average([present])
        given = [parameter for parameter, share in zip(every, present.tolist(), strict=True) if share > 0]
        for parameter in given:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        self.average([parameter.grad for parameter in given if parameter.grad is not None])


ALONE = Group()
