"""The user's settings of SSH, `~/.ssh/config`: name, port, user, key files and a command in between."""

from __future__ import annotations

import glob
import os
import re
from pathlib import Path
from typing import Any

from ..errors import InputError
from .address import Address

_INCLUDE = re.compile(r"\s*include[\s=]+(?P<files>.+)", re.IGNORECASE)
_BLOCK = re.compile(r"\s*(host|match)[\s=]", re.IGNORECASE)
_MOST_LEVELS = 16  # of files that include others, as in OpenSSH


def settings_of(address: Address) -> dict[str, Any]:
    """What paramiko needs to connect, from the address and the user's settings.

    Raises:
        InputError: settings that are not understood.
    """
    import paramiko

    path = Path(os.path.expanduser("~/.ssh/config"))
    try:
        told: Any = paramiko.SSHConfig.from_text(_with_included(path)).lookup(address.host) if path.is_file() else {}
        port = address.port or int(told.get("port", 22))
    except (paramiko.SSHException, OSError, ValueError, ImportError) as error:
        remedy = "correct it, or leave that setting out"
        raise InputError(path, f"is not understood ({error})", remedy) from error
    if told.get("proxyjump", "none") != "none":
        instead = f"ProxyCommand ssh -W %h:%p {told['proxyjump']}"
        raise InputError(path, f"has a ProxyJump for {address.host}, which is not understood", f"write {instead}")
    settings: dict[str, Any] = {"hostname": told.get("hostname", address.host), "port": port}
    settings["username"] = address.user or told.get("user")
    if "identityfile" in told:
        settings["key_filename"] = told["identityfile"]
    if told.get("proxycommand", "none") != "none":
        settings["sock"] = paramiko.ProxyCommand(told["proxycommand"])
    return settings


def _with_included(path: Path, levels: int = _MOST_LEVELS) -> str:
    """The text of the settings with that of files which they include; paramiko passes these over without a word."""
    lines: list[str] = []
    block = "Host *"
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        included = _INCLUDE.match(line)
        if _BLOCK.match(line):
            block = line
        if included is None:
            lines.append(line)
            continue
        for pattern in included["files"].split():
            place = os.path.join(path.parent, os.path.expanduser(pattern.strip('"')))
            files = sorted(glob.glob(place)) if levels else []
            lines += [_with_included(Path(file), levels - 1) for file in files if os.path.isfile(file)]
        lines.append(block)  # a block of an included file ends with that file
    return "\n".join(lines)
