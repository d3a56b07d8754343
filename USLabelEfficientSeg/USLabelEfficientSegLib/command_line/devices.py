"""`uslabelseg devices`."""

import json
import os
from typing import Annotated

import typer


def devices(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Show where networks can be trained on this computer: graphics cards with their memory, and the processor.

    \b
    Example:
      uslabelseg devices
    """
    import torch

    found = [
        {
            "device": f"cuda:{number}",
            "name": torch.cuda.get_device_name(number),
            "memory_gb": round(torch.cuda.get_device_properties(number).total_memory / 2**30, 1),
        }
        for number in range(torch.cuda.device_count())
    ]
    if torch.backends.mps.is_available():
        found.append({"device": "mps", "name": "Apple GPU", "memory_gb": None})
    found.append({"device": "cpu", "name": f"processor with {os.cpu_count()} threads", "memory_gb": None})
    if as_json:
        print(json.dumps({"devices": found}))
        return
    for device in found:
        memory = f", {device['memory_gb']} GB" if device["memory_gb"] else ""
        print(f"{device['device']}: {device['name']}{memory}")
