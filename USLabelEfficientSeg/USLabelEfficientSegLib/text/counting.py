"""Work on many files tells how far it is. Nobody listens unless a command asks for it."""

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

Told = Callable[[str, int, int], object]
Item = TypeVar("Item")

_told: ContextVar[Told | None] = ContextVar("told", default=None)


@contextmanager
def heard(told: Told | None) -> Iterator[None]:
    """Within the block, `told` receives the name of the work, the number of items done and their total."""
    token = _told.set(told)
    try:
        yield
    finally:
        _told.reset(token)


def counted(items: Collection[Item], doing: str) -> Iterator[Item]:
    """The items; the number done is told before the first and after each."""
    return counted_of(items, len(items), doing)


def counted_of(items: Iterable[Item], of: int, doing: str) -> Iterator[Item]:
    """`counted` for items that are made one by one; `of` is the expected number."""
    told = _told.get()
    if told is None:
        yield from items
        return
    told(doing, 0, of)
    for number, item in enumerate(items, start=1):
        yield item
        told(doing, number, of)
