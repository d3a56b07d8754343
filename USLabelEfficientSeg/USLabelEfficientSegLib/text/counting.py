"""Work on many files tells how far it is. Nobody listens unless a command asks for it."""

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol, TypeVar

Item = TypeVar("Item")


class Told(Protocol):
    """Receives the name of the work, the number of items done, their total, and perhaps a word on those done."""

    def __call__(self, doing: str, done: int, of: int, message: str | None = None, /) -> object:
        """Called before the first item and after each."""


_told: ContextVar[Told | None] = ContextVar("told", default=None)


@contextmanager
def heard(told: Told | None) -> Iterator[None]:
    """Within the block, `told` receives how far counted work is."""
    token = _told.set(told)
    try:
        yield
    finally:
        _told.reset(token)


def counted(items: Collection[Item], doing: str) -> Iterator[Item]:
    """The items; the number done is told before the first and after each."""
    return counted_of(items, len(items), doing)


def counted_of(
    items: Iterable[Item], of: int, doing: str, message: Callable[[], str | None] = lambda: None
) -> Iterator[Item]:
    """`counted` for items that are made one by one; `of` is the expected number, `message` a word on those done."""
    told = _told.get()
    if told is None:
        yield from items
        return
    told(doing, 0, of)
    for number, item in enumerate(items, start=1):
        yield item
        word = message()
        told(doing, number, of) if word is None else told(doing, number, of, word)
