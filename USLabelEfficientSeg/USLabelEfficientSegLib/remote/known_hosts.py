"""Which keys of a server the user knows, as OpenSSH's `known_hosts` tells.

paramiko reads these files as well, but stops at the marks `@revoked` and `@cert-authority` and knows no patterns.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from ..errors import InputError
from .address import Address

_FILES = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2", "/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")
_USUAL_PORT = 22
_REVOKED, _AUTHORITY = "@revoked", "@cert-authority"


@dataclass
class KnownKeys:
    """Of one server.

    Attributes:
        name: of the server in the files.
        keys: that it may show (paramiko's `PKey`).
        revoked: keys that it must not show.
        by_authority: whether whoever signs its key is known, in place of the key.
    """

    name: str
    keys: list[Any] = field(default_factory=list)
    revoked: list[Any] = field(default_factory=list)
    by_authority: bool = False


def known_keys(hostname: str, port: int) -> KnownKeys:
    """What the user and the system know of a server; lines that cannot be read are passed over, as OpenSSH does."""
    known = KnownKeys(hostname if port == _USUAL_PORT else f"[{hostname}]:{port}")
    for mark, names, rest in _lines():
        if not _names_it(names, known.name):
            continue
        if mark == _AUTHORITY:
            known.by_authority = True
        elif (key := _key(rest)) is not None:
            (known.revoked if mark == _REVOKED else known.keys).append(key)
    known.keys = [key for key in known.keys if key not in known.revoked]
    return known


def refusing(address: Address, known: KnownKeys) -> Any:
    """A policy of paramiko by which a server that shows no known key is refused, with the key's fingerprint."""
    import paramiko

    def refusal(key: Any) -> InputError:
        host, place = address.host, f"{f'-p {address.port} ' if address.port else ''}{address.person}"
        if key in known.revoked:
            return InputError(host, "shows a key that is marked as revoked", "ask who looks after it")
        if known.by_authority:
            problem = "is known here by a certificate, which is not understood"
            scan = f"ssh-keyscan {f'-p {address.port} ' if address.port else ''}{host}"
            return InputError(host, problem, f"make its own key known: {scan} >> ~/.ssh/known_hosts")
        problem = f"is not known here; its key is {key.fingerprint}"
        return InputError(host, problem, f"if that is right, make it known: ssh {place}")

    class Refusing(paramiko.MissingHostKeyPolicy):
        def missing_host_key(self, client: Any, hostname: str, key: Any) -> None:
            raise refusal(key)

    return Refusing()


def _lines() -> Iterator[tuple[str, str, str]]:
    """Mark or nothing, names and key of each line of all files."""
    for file in _FILES:
        with suppress(OSError):
            for line in Path(os.path.expanduser(file)).read_text(encoding="utf-8", errors="replace").splitlines():
                mark, _, rest = line.strip().partition(" ") if line.lstrip().startswith("@") else ("", "", line.strip())
                names, _, key = rest.lstrip().partition(" ")
                if key and not names.startswith("#"):
                    yield mark, names, key


def _names_it(names: str, name: str) -> bool:
    """Whether one of the patterns, or hashes, names a server, and none says that it does not."""
    from paramiko import HostKeys

    found = False
    for pattern in names.split(","):
        if pattern.startswith("|1|"):
            with suppress(ValueError, AssertionError):
                found |= HostKeys.hash_host(name, pattern) == pattern
        elif pattern.startswith("!"):
            if _fits(name, pattern[1:]):
                return False
        else:
            found |= _fits(name, pattern)
    return found


def _fits(name: str, pattern: str) -> bool:
    return fnmatchcase(name.lower(), pattern.lower().replace("[", "[[]"))  # * and ? alone are special


def _key(text: str) -> Any:
    """The key of a line, None if it is none that paramiko knows."""
    import paramiko

    kind, _, rest = text.strip().partition(" ")
    data = rest.split()[0] if rest.split() else ""
    try:
        entry = paramiko.hostkeys.HostKeyEntry.from_line(f"server {kind} {data}")
    except (paramiko.SSHException, paramiko.hostkeys.InvalidHostKey, ValueError):
        return None
    return None if entry is None else entry.key
