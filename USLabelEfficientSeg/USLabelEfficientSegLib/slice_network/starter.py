"""The starter weights of the 2-D network, which come with the program."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from ..training.starter_files import load_starter_weights
from .network import SliceUNet
from .starter_training import OUTPUTS

STARTER = Path(__file__).parent / "starter.safetensors"


@lru_cache(maxsize=2)
def load_starter(path: Path = STARTER) -> SliceUNet:
    """The network that was trained on scenes; it is not to be changed.

    Raises:
        InputError: missing, damaged, or not weights of this network.
    """
    network = SliceUNet(len(OUTPUTS))
    load_starter_weights(path, network)
    return network.eval().requires_grad_(False)


def start_from(starter: SliceUNet, network: SliceUNet) -> None:
    """Give a network of the same widths what the starter knows: all weights but those of its last convolution."""
    weights = {name: tensor for name, tensor in starter.state_dict().items() if not name.startswith("logits.")}
    network.load_state_dict({**network.state_dict(), **weights})
