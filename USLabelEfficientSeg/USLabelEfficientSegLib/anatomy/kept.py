"""What is too much for memory lies in files and is read when it is asked for; the latest stays, within a bound.

A study of thousands of volumes does not fit into memory. Of a small one all is among the latest: nothing is read twice.
A source tells a value each time it is called; what uses it does not know whether it is kept, read or computed again.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar, overload
from uuid import uuid4

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from ..disk.files import writing
from ..errors import InputError

T = TypeVar("T")
R = TypeVar("R")
Source = Callable[[], T]
MOST_BYTES = 192 * 2**20  # of the latest values of all sources
FEWEST = 8  # values that have room, however large they are


class Latest:
    """The latest values of all sources, shared by threads.

    Args:
        most_bytes: of their tensors, together.
        fewest: values for which there is room in any case.
    """

    def __init__(self, most_bytes: int = MOST_BYTES, fewest: int = FEWEST) -> None:
        self.most_bytes = most_bytes
        self.fewest = fewest
        self._values: OrderedDict[str, tuple[Any, int]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, key: str) -> Any | None:
        """The value of a key; None if it is not among the latest."""
        with self._lock:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key][0]

    def put(self, key: str, value: Any) -> None:
        """Add a value, at the cost of those that nobody has asked for longest."""
        size = sum(part.nbytes for part in vars(value).values() if isinstance(part, Tensor))
        room = max(self.most_bytes, self.fewest * size)
        with self._lock:
            self._drop(key)
            if size > room:
                return
            self._values[key] = value, size
            self._bytes += size
            while self._bytes > room:
                self._drop(next(iter(self._values)))

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._values.clear()
            self._bytes = 0

    def _drop(self, key: str) -> None:
        if key in self._values:
            self._bytes -= self._values.pop(key)[1]


LATEST = Latest()


@dataclass(frozen=True)
class InMemory(Generic[T]):
    """A source of a value that stays."""

    value: T

    def __call__(self) -> T:
        """The value."""
        return self.value


class Again(Generic[T]):
    """A source of a value that is made again when it is no longer among the latest.

    Args:
        make: makes it, the same each time; another process can call it, too, if it can be pickled.
    """

    def __init__(self, make: Source[T]) -> None:
        self._make = make
        self._key = uuid4().hex

    def __call__(self) -> T:
        """The value, which nobody may change."""
        found: T | None = LATEST.get(self._key)
        if found is None:
            found = self._make()
            LATEST.put(self._key, found)
        return found


def kept(path: Path, value: T) -> Source[T]:
    """A source of a value that lies in a file from now on, until the training ends.

    Args:
        path: of the file, in a folder that is there.
        value: whose attributes are tensors, all given to its class by name.

    Raises:
        InputError: the disk is full, or the folder cannot be written; when it is called, the file is gone.
    """
    tensors = {name: tensor.contiguous() for name, tensor in vars(value).items()}
    with writing(path):
        path.write_bytes(save(tensors))  # not flushed: after a crash it is made anew
    source = Again(partial(_read, path, type(value)))
    LATEST.put(source._key, value)
    return source


def _read(path: Path, kind: Callable[..., T]) -> T:
    try:
        return kind(**load(path.read_bytes()))
    except (OSError, SafetensorError, TypeError) as error:
        problem = "is not there any more: the study was moved, renamed or removed while it was being written"
        if os.path.exists(path.parent.parent):
            raise InputError(path, "was changed or removed during the training", "start again") from error
        raise InputError(path.parents[2], problem, "start again with its new folder") from error


class OnDemand(Sequence[R]):
    """A sequence whose items are made when they are asked for, and not kept.

    Args:
        items: that they are made of.
        make: of one item.
    """

    def __init__(self, items: Sequence[T], make: Callable[[T], R]) -> None:
        self._items: Sequence[Any] = items
        self._make: Callable[[Any], R] = make

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, index: int) -> R: ...

    @overload
    def __getitem__(self, index: slice) -> OnDemand[R]: ...

    def __getitem__(self, index: int | slice) -> R | OnDemand[R]:
        if isinstance(index, slice):
            return OnDemand(self._items[index], self._make)
        return self._make(self._items[index])
