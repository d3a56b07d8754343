"""The starter weights of the promptable network, which come with the program."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from ..errors import InputError
from ..student.convolution import with_fast_convolutions
from ..training.checkpoint import load_checkpoint, save_checkpoint
from .network import PromptableNetwork

STARTER = Path(__file__).parent / "starter.safetensors"
FORMAT = 1


@lru_cache(maxsize=2)
def load_starter(path: Path = STARTER) -> PromptableNetwork:
    """The network with the weights of a file, in evaluation mode.

    Raises:
        InputError: missing, damaged, or not weights of this network.
    """
    tensors, metadata = load_checkpoint(path)
    network = PromptableNetwork()
    try:
        if metadata["starter"]["format"] > FORMAT:
            raise InputError(path, "was made by a newer version of this program", "update the program")
        network.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    except (KeyError, TypeError, RuntimeError) as error:
        problem = "holds no starter weights of this program"
        raise InputError(path, problem, "install the program again, or train them with `starter train`") from error
    return with_fast_convolutions(network).eval().requires_grad_(False)


def save_starter(path: Path, network: PromptableNetwork, card: dict[str, Any]) -> None:
    """Write weights in half precision, with a record of how they were trained."""
    tensors = {name: tensor.to(torch.float16) for name, tensor in network.state_dict().items()}
    save_checkpoint(path, tensors, {"starter": {"format": FORMAT, **card}})
