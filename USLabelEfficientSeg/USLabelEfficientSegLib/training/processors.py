"""How many processes of a training may run now: as many as there are processors not busy with other programs."""

from __future__ import annotations

import ctypes
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SECONDS_BETWEEN_LOOKS = 3.0
_NEARLY = 0.3  # of a processor that others use is not worth waiting for


@dataclass(frozen=True)
class Usage:
    """The work of all processors together since some moment, in seconds, idle time included."""

    busy: float
    all: float


class Processors:
    """Tells now and then how many processes of ours may run side by side.

    Args:
        most: processes that there may be at all; None: as many as processors.
        usage: of the processors of this computer; None if the system does not tell, and then there is one process.

    Attributes:
        most: processes that there may be at all.
    """

    def __init__(self, most: int | None = None, usage: Callable[[], Usage | None] | None = None) -> None:
        self.most = min(most or count(), count())
        self._usage = usage or usage_here
        self._allowed = 1
        self._looked: tuple[float, Usage, float] | None = None

    def allowed(self, own: float) -> int:
        """Processes that may run now, at least one, by the work of the processors since the last look.

        Args:
            own: seconds that processors have worked for us so far; all other work was for others.
        """
        now = time.monotonic()
        if self.most == 1 or (self._looked is not None and now - self._looked[0] < SECONDS_BETWEEN_LOOKS):
            return self._allowed
        usage = self._usage()
        if usage is None:
            return 1
        if self._looked is not None:
            _, before, own_before = self._looked
            share = 1 / max(usage.all - before.all, 1e-3)
            for_others = max(0.0, usage.busy - before.busy - (own - own_before)) * share * count()
            self._allowed = max(1, min(self.most, int(count() - for_others + _NEARLY)))
        self._looked = now, usage, own
        return self._allowed

    def threads(self) -> int:
        """Threads of this process that may compute now, when there is no other one of ours."""
        return self.allowed(time.process_time())


def count() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def usage_here() -> Usage | None:
    """The work of this computer's processors so far; on Linux, of the processors that this process may use."""
    if sys.platform == "win32":
        return _usage_on_windows()
    return _usage_on_macos() if sys.platform == "darwin" else _usage_on_linux()


def _usage_on_linux(path: Path = Path("/proc/stat")) -> Usage | None:
    """By proc(5): user, nice, system, idle, iowait, irq, softirq, steal of each in hundredths of a second."""
    mine = {f"cpu{number}" for number in os.sched_getaffinity(0)}
    try:
        lines = [line.split() for line in path.read_text().splitlines()]
    except OSError:
        return None
    rows = [[int(part) for part in parts[1:9]] for parts in lines if parts and parts[0] in mine]
    return _usage([sum(column) / 100 for column in zip(*rows, strict=True)], idle=(3, 4))


def _usage_on_macos() -> Usage | None:
    """By <mach/host_info.h>: user, system, idle, nice of all processors in hundredths of a second."""
    library = ctypes.CDLL(None)
    ticks, size = (ctypes.c_uint * 4)(), ctypes.c_uint(4)
    cpu_load = 3  # HOST_CPU_LOAD_INFO
    if library.host_statistics(library.mach_host_self(), cpu_load, ticks, ctypes.byref(size)) != 0:
        return None
    return _usage([value / 100 for value in ticks], idle=(2,))


def _usage_on_windows() -> Usage | None:
    """By GetSystemTimes: idle, kernel (idle included) and user time in tenths of a microsecond."""
    times = [ctypes.c_ulonglong() for _ in range(3)]
    library = ctypes.WinDLL("kernel32")  # type: ignore[attr-defined,unused-ignore]
    if not library.GetSystemTimes(*map(ctypes.byref, times)):
        return None
    idle, kernel, user = (value.value / 1e7 for value in times)
    return _usage([idle, kernel - idle, user], idle=(0,))


def _usage(seconds: list[float], idle: tuple[int, ...]) -> Usage | None:
    if not seconds:
        return None
    return Usage(sum(value for number, value in enumerate(seconds) if number not in idle), sum(seconds))
