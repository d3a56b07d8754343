"""`uslabelseg devices`."""

import json
import os
from typing import Annotated, Any

import typer

from .remote_training import RemoteCommand


def devices(
    speed: Annotated[bool, typer.Option("--speed", help="Also time a training step of a small network.")] = False,
    remote: Annotated[
        str | None,
        typer.Option(
            "--remote", metavar="USER@HOST:FOLDER", show_default=False, help="Of another computer, reached by SSH."
        ),
    ] = None,
    remote_command: RemoteCommand = "uslabelseg",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Show where networks can be trained: graphics cards with their memory, and the processor.

    With --remote it shows whether another computer can be used by `train --remote`: it must be reached and have the
    same version of this program; the speed of its devices is shown, too.

    \b
    Examples:
      uslabelseg devices
      uslabelseg devices --remote eva@server:/data/my-study
    """
    if remote is None:
        found = _found(speed)
    else:
        from ..remote.address import Address
        from ..remote.looking import devices_of

        found = devices_of(Address.parse(remote), remote_command)
    if as_json:
        print(json.dumps({"devices": found}))
        return
    for device in found:
        memory = f", {device['memory_gb']} GB" if device["memory_gb"] else ""
        time = f", {device['milliseconds']} ms a training step of a small network" if "milliseconds" in device else ""
        print(f"{device['device']}: {device['name']}{memory}{time}")


def _found(speed: bool) -> list[dict[str, Any]]:
    """The devices of this computer."""
    import torch

    found: list[dict[str, Any]] = [
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
    if speed:
        from ..training.speed import seconds_a_step

        for device in found:
            if device["device"] != "mps":  # never measured there
                device["milliseconds"] = round(1000 * seconds_a_step(torch.device(device["device"])), 1)
    return found
