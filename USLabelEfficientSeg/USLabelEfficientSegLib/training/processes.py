"""Processes that train for this one: what they get, how they end, and what they report."""

from __future__ import annotations

import io
import multiprocessing
import os
import pickle
import signal
import threading
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np
from torch import Tensor

from ..errors import Cancelled, InputError

REMEDY = "the same command continues from the last checkpoint"


def pickled(value: Any) -> bytes:
    """For another process: tensors travel by way of the CPU, memory-mapped files by their names."""
    buffer = io.BytesIO()
    _Pickler(buffer, pickle.HIGHEST_PROTOCOL).dump(value)
    return buffer.getvalue()


def work_for_parent(name: str, tell: Callable[[Exception], object], work: Callable[[], None]) -> NoReturn:
    """In the new process: do `work`, tell of an error, and end at once, also when the parent ends.

    Signals are left to the parent, which gets them, too, and knows what to do.
    """
    for wish in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, wish):
            signal.signal(getattr(signal, wish), signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    code = 1
    try:
        work()
        code = 0
    except (Cancelled, InputError) as error:
        tell(error)
    except Exception as error:
        what = f"{type(error).__name__}: {error}".splitlines()[0]
        told = InputError(name, f"failed while it trained ({what})", REMEDY)
        told.add_note(traceback.format_exc())
        tell(told)
    os._exit(code)  # torch takes time to end, and could wait for a failed process


def ended_without_a_word(name: str, code: int) -> InputError:
    """How a process ended that had no time to say why."""
    way = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
    return InputError(name, f"{way} while it trained", REMEDY)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


class _Pickler(pickle.Pickler):
    def reducer_override(self, value: Any) -> Any:
        if type(value) is Tensor:
            return value.cpu().__reduce_ex__(pickle.HIGHEST_PROTOCOL)
        if type(value) is np.memmap:
            return np.memmap, (value.filename, value.dtype, "r", value.offset, value.shape)
        return NotImplemented
