"""Notices: what the library did with an input, where the user should know."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..errors import Notice
from .console import console


@contextmanager
def told_notices() -> Iterator[None]:
    """Tell every `Notice` at the end of a command, equal ones together; a refusal stays one line."""
    subjects: dict[str, list[str]] = {}

    def keep(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        if not isinstance(message, Notice):
            others(message, category, *where, **more)
        elif str(message.subject) not in subjects.setdefault(message.text, []):
            subjects[message.text].append(str(message.subject))

    with warnings.catch_warnings():
        warnings.simplefilter("always", Notice)
        others, warnings.showwarning = warnings.showwarning, keep
        yield
    for text, files in subjects.items():
        more = f" and {len(files) - 1} more" if len(files) > 1 else ""
        console.caution(f"Note: {files[0]}{more}: {text}.")
