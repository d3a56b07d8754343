"""Where a study is trained: `user@host:/path`, or `ssh://user@host:port/path`."""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from ..errors import InputError

_PERSON = r"(?:(?P<user>[^@:/\s]+)@)?(?P<host>\[[0-9a-fA-F:.]+\]|[^@:/\s\[\]]+)"
_SHORT = re.compile(rf"{_PERSON}:(?P<folder>.+)")
_LONG = re.compile(rf"ssh://{_PERSON}(?::(?P<port>\d{{1,5}}))?(?P<folder>/.+)")


@dataclass(frozen=True)
class Address:
    """A folder on another computer.

    Attributes:
        host: its name, as in the settings of SSH.
        folder: of the study; relative to the user's own folder there, or absolute.
        user: who works there; None: as the settings of SSH say.
        port: of its SSH; None: as the settings of SSH say.
    """

    host: str
    folder: PurePosixPath
    user: str | None = None
    port: int | None = None

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Read an address.

        Raises:
            InputError: it has another form, or no folder of a study.

        Examples:
            >>> Address.parse("eva@server:/data/my-study")
            Address(host='server', folder=PurePosixPath('/data/my-study'), user='eva', port=None)
            >>> str(Address.parse("ssh://server:2222/data/my-study"))
            'server:/data/my-study'
        """
        found = (_LONG if text.startswith("ssh://") else _SHORT).fullmatch(text)
        parts = found.groupdict() if found else {}
        folder = PurePosixPath(parts.get("folder", "").removeprefix("~/"))
        if not found or not folder.name:
            raise InputError(
                text or "the address", "is no folder on another computer", "write it as user@host:/folder/of/study"
            )
        if ".." in folder.parts or not str(folder).isprintable():
            raise InputError(text, "is no plain path", "write it without .. and control characters")
        port = parts.get("port")
        return cls(parts["host"].strip("[]"), folder, parts["user"], int(port) if port else None)

    def __str__(self) -> str:
        return f"{self.person}:{self.folder}"

    @property
    def person(self) -> str:
        """`user@host`."""
        return f"{self.user}@{self.host}" if self.user else self.host
