"""Files of starter weights, which come with the program: half precision, with a record of how they were trained."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..errors import InputError
from .checkpoint import load_checkpoint, save_checkpoint

FORMAT = 1


def load_starter_weights(path: Path, network: nn.Module) -> None:
    """Give a network the weights of a file.

    Raises:
        InputError: missing, damaged, or not weights of this network.
    """
    tensors, metadata = load_checkpoint(path)
    try:
        if metadata["starter"]["format"] > FORMAT:
            raise InputError(path, "was made by a newer version of this program", "update the program")
        network.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    except (KeyError, TypeError, RuntimeError) as error:
        problem = "holds no starter weights of this program"
        raise InputError(path, problem, "install the program again, or train them with `starter train`") from error


def averaged_with(path: Path, network: nn.Module) -> None:
    """Replace a network's weights by the mean of them and those in a file, from which it was trained on.

    The mean keeps what the first ones knew of images unlike the scenes (Wortsman et al., arXiv 2109.01903).

    Raises:
        InputError: missing, damaged, or not weights of this network.
    """
    before = copy.deepcopy(network)
    load_starter_weights(path, before)
    with torch.no_grad():
        for now, earlier in zip(network.parameters(), before.parameters(), strict=True):
            now.lerp_(earlier, 0.5)


def save_starter(path: Path, network: nn.Module, card: dict[str, Any]) -> None:
    """Write weights in half precision, with a record of how they were trained."""
    tensors = {name: _half(tensor) for name, tensor in network.state_dict().items()}
    save_checkpoint(path, tensors, {"starter": {"format": FORMAT, **card}})


def _half(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.to(torch.float16) if tensor.is_floating_point() else tensor
