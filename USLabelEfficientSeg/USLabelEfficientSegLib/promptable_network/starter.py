"""The starter weights of the promptable network, which come with the program."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from ..student.convolution import with_fast_convolutions
from ..training.starter_files import load_starter_weights
from .network import PromptableNetwork

STARTER = Path(__file__).parent / "starter.safetensors"


@lru_cache(maxsize=2)
def load_starter(path: Path = STARTER) -> PromptableNetwork:
    """The network with the weights of a file, in evaluation mode.

    Raises:
        InputError: missing, damaged, or not weights of this network.
    """
    network = PromptableNetwork()
    load_starter_weights(path, network)
    return with_fast_convolutions(network).eval().requires_grad_(False)
