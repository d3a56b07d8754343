"""How fast a device trains, by a few steps of a small network: a number to compare computers with."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def seconds_a_step(device: torch.device, steps: int = 3) -> float:
    """The fastest of a few training steps of a small network: two 3-D convolutions, 16 channels, 48 x 48 x 48 voxels.

    Args:
        device: where they are done.
        steps: how many are tried after the first one, which warms up.

    Returns:
        Seconds.
    """
    import torch

    network = torch.nn.Sequential(
        torch.nn.Conv3d(1, 16, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv3d(16, 16, 3, padding=1)
    ).to(device)
    image = torch.zeros(1, 1, 48, 48, 48, device=device)
    seconds = []
    for _ in range(1 + steps):
        start = time.perf_counter()
        network(image).mean().backward()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - start)
    return min(seconds[1:])
