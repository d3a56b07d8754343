"""How long Slicer's event loop waits for the module: the time that each slot of it takes."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

KEPT = 50
_depth = 0


@dataclass(frozen=True)
class Blocked:
    """A slot that the event loop has waited for.

    Attributes:
        seconds: until it returned.
        own_seconds: processor time of the thread meanwhile; a busy computer prolongs the other alone.
        slot: its name, and the job that it has worked on.
    """

    seconds: float
    own_seconds: float
    slot: str


longest: list[Blocked] = []
"""The slots that have blocked the event loop longest, longest first."""


def timed(slot: Callable[..., Any], values: tuple[Any, ...]) -> Any:
    """Call a slot; one that another slot causes belongs to that one."""
    global _depth
    name = _name(slot)  # a job may be another one at the end
    started, own = time.perf_counter(), time.thread_time()
    _depth += 1
    try:
        return slot(*values)
    finally:
        _depth -= 1
        if not _depth:
            _keep(Blocked(time.perf_counter() - started, time.thread_time() - own, name))


def _keep(blocked: Blocked) -> None:
    if len(longest) < KEPT or blocked.seconds > longest[-1].seconds:
        longest.append(blocked)
        longest.sort(key=lambda one: one.seconds, reverse=True)
        del longest[KEPT:]


def _name(slot: Callable[..., Any]) -> str:
    """The function of a slot; of one that only calls another, also which; of one that does a job's steps, the job."""
    name = getattr(slot, "__qualname__", repr(slot))
    inner = [cell.cell_contents for cell in getattr(slot, "__closure__", None) or ()]
    called = [cell.__qualname__ for cell in inner if callable(cell) and hasattr(cell, "__qualname__")]
    job = getattr(getattr(slot, "__self__", None), "job", None)
    doing = [] if job is None else [f"({' '.join(filter(None, (job.title, job.doing)))})"]
    return " ".join([name, *called, *doing])
