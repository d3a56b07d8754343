"""What a Python has to offer, told by itself when this module is run with the names of packages.

It runs in the Python that is to be checked, which may be an old one without any package, so it needs none.
"""

from __future__ import annotations

import importlib.metadata
import json
import platform
import sys
from typing import Any


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

    from USLabelEfficientSegLib.training.speed import seconds_a_step

    cuda = torch.cuda.is_available()
    device = torch.device("cuda" if cuda else "cpu")
    name = torch.cuda.get_device_name(device) if cuda else f"processor, {torch.get_num_threads()} threads"
    return {"device": name, "milliseconds": round(1000 * seconds_a_step(device), 1)}


if __name__ == "__main__":
    main(sys.argv[1:])
