"""What another computer has to offer for training: the version of the program, its devices, their speed."""

from __future__ import annotations

import json
from typing import Any

from ..errors import InputError
from .address import Address
from .connection import Connection
from .training import check_version

_SECONDS = 120.0  # the first import of torch from a slow disk


def devices_of(address: Address, program: str) -> list[dict[str, Any]]:
    """The devices of another computer, as `uslabelseg devices --speed --json` tells them there.

    Args:
        address: the computer.
        program: the command `uslabelseg` there, in words of the shell.

    Raises:
        InputError: it cannot be reached, is not known, or has not this version of the program.
    """
    with Connection(address, lambda sentence: None) as connection:
        check_version(connection, program)
        answer = connection.insist(lambda: connection.run(f"{program} devices --speed --json", _SECONDS))
        try:
            found: list[dict[str, Any]] = json.loads(answer.output)["devices"]
        except (ValueError, KeyError, TypeError) as error:
            last = (answer.errors.strip().splitlines() or ["it does not say why"])[-1]
            problem = f"does not tell its devices ({last})"
            raise InputError(address.host, problem, "install the same version on both") from error
        return found
