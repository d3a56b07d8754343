"""The moving average of a network (mean teacher, arXiv 1703.01780)."""

from torch import nn


def update_average(average: nn.Module, network: nn.Module, step: int, decay: float) -> None:
    """`average <- m average + (1 - m) network` for weights and batch-norm statistics.

    `m = min(decay, 1 - 1 / (step + 1))`: the plain mean at first, so that the random start is soon forgotten.
    """
    momentum = min(decay, 1 - 1 / (step + 1))
    kept, new = average.state_dict(), network.state_dict()
    for name, tensor in kept.items():
        if tensor.is_floating_point():
            tensor.lerp_(new[name], 1 - momentum)
        else:
            tensor.copy_(new[name])
