"""What a Python has to offer, told by itself when this module is run with the names of packages.

It runs in the Python that is to be checked, which may be an old one without any package, so it needs none.
"""

from __future__ import annotations

import importlib.metadata
import json
import platform
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def main(names: list[str]) -> None:
    """Print as a JSON line the versions of Python and of packages, None for a missing one, the device and its speed."""
    found: dict[str, Any] = {"python": platform.python_version(), "versions": {name: _version(name) for name in names}}
    if found["versions"].get("torch"):
        found.update(_device())
    print(json.dumps(found), flush=True)


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _device() -> dict[str, Any]:
    import torch

    cuda = torch.cuda.is_available()
    device = torch.device("cuda" if cuda else "cpu")
    name = torch.cuda.get_device_name(device) if cuda else f"processor, {torch.get_num_threads()} threads"
    return {"device": name, "milliseconds": round(1000 * seconds_a_step(device), 1)}


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


if __name__ == "__main__":
    main(sys.argv[1:])
