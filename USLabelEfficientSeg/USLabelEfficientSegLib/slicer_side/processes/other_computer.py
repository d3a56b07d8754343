"""Another computer that trains, reached by SSH: its address and the command there, in the user's settings.

The worker here is the command `train --remote`: it copies the study, follows the training there, and writes the same
events as one that trains here. No password is kept: keys come from the user's SSH agent and files.
"""

from __future__ import annotations

from typing import Any

import slicer

ADDRESS, COMMAND = "USLabelEfficientSeg/OtherComputer", "USLabelEfficientSeg/CommandThere"
USUAL_COMMAND = "uslabelseg"
SECONDS_TO_STOP = 30.0  # a training there is asked by way of the network, and saves its state


def chosen_address() -> str:
    """The address as the user has written it, `user@host:/folder`; empty where this computer trains."""
    return _read(ADDRESS)


def command_there() -> str:
    """How `uslabelseg` is called on the other computer."""
    return _read(COMMAND) or USUAL_COMMAND


def choose(address: str, command: str) -> None:
    """Let an address train from now on, by a command there; this computer if it is empty."""
    settings = slicer.app.userSettings()
    for name, text in ((ADDRESS, address.strip()), (COMMAND, command.strip())):
        if text and text != USUAL_COMMAND:
            settings.setValue(name, text)
        else:
            settings.remove(name)
    settings.sync()


def options() -> list[str]:
    """Options of `train` and `devices` for it; none where this computer trains.

    Raises:
        InputError: the address is none.
    """
    from ...remote.address import Address

    address = chosen_address()
    if not address:
        return []
    Address.parse(address)  # told at once, and not by the worker
    return ["--remote", address, "--remote-command", command_there()]


def _read(name: str) -> str:
    application: Any = getattr(slicer, "app", None)
    return "" if application is None else str(application.userSettings().value(name) or "")
