"""What was found out once, and is found again only after something that it depends on has changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

T = TypeVar("T")


class Remembered:
    """Values by name.

    Example::

        >>> remembered = Remembered()
        >>> remembered.once("sum", lambda: 1 + 2, "first")
        3
        >>> remembered.once("sum", lambda: 3 + 4, "first"), remembered.once("sum", lambda: 3 + 4, "second")
        (3, 7)
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[tuple[Any, ...], Any]] = {}

    def once(self, what: str, find: Callable[[], T], *depends: Any) -> T:
        """What `find` returns, or what it returned before, if `depends` are equal to what they were then."""
        known = self._known.get(what)
        value = find() if known is None or known[0] != depends else known[1]
        self._known[what] = (depends, value)  # the newest: comparing an object with itself takes no time
        return cast("T", value)

    def forget(self) -> None:
        """Find everything again."""
        self._known = {}
