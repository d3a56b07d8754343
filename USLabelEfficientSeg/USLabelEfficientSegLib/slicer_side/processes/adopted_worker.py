"""A training that this Slicer has not started: an earlier Slicer or a terminal did, and it still runs."""

from __future__ import annotations

import time
from pathlib import Path

from ...disk.lock import holder_of
from ...disk.study_layout import EVENTS_NAME, LOCK_NAME, run_file
from ...study.events import read_events
from ...study.stages import Stage
from .worker import SECONDS_TO_SAVE, Outcome, ask_to_stop, end_by_force, explanation, group_leader, group_lives

SECONDS_TO_GO = 0.5  # after the end by force
STOPPED = "continues from here"  # the command line's last words when it was asked to stop


class AdoptedWorker:
    """Like `Worker`, for a process that another program has started: it is known by the study that it writes.

    Its exit code is unknown. The study's lock, which the system frees, shows that it has ended; the study's events and
    its last printed line show how.

    Args:
        pid: of the process that holds the lock of the study.
        folder: of the study.
        log: the file with its output; None if it is not known.
        seconds_to_save: between the request to stop and the end by force.
    """

    def __init__(self, pid: int, folder: Path, log: Path | None, seconds_to_save: float = SECONDS_TO_SAVE) -> None:
        self.pid = pid
        self.folder = folder
        self.log = log
        self._seconds_to_save = seconds_to_save
        self._stop_by: float | None = None
        self._gone_by: float | None = None
        self._leader = group_leader(pid)
        self._outcome: Outcome | None = None

    @property
    def progress(self) -> None:
        """It tells how far it is in the events of its study."""
        return None

    @property
    def cancelling(self) -> bool:
        """Whether it was asked to stop."""
        return self._stop_by is not None

    def poll(self) -> Outcome | None:
        """How it ended, None while it goes on. Never blocks; ends it by force if it does not stop when asked."""
        if self._outcome is not None:
            return self._outcome
        now = time.monotonic()
        holder = holder_of(self.folder / LOCK_NAME)
        if holder is not None and holder.pid == self.pid:
            if self._stop_by is not None and now >= self._stop_by:
                end_by_force(self._leader)
            return None
        if self._gone_by is None:  # the lock is free a moment before the process and its children have gone
            self._gone_by = self._stop_by or now + SECONDS_TO_SAVE
        if now < self._gone_by + SECONDS_TO_GO and group_lives(self._leader):
            if now >= self._gone_by:
                end_by_force(self._leader)
            return None
        self._outcome = self._judge()
        return self._outcome

    def cancel(self) -> None:
        """Ask it to save and stop."""
        if self._stop_by is None and self._outcome is None:
            self._stop_by = time.monotonic() + self._seconds_to_save
            ask_to_stop(self._leader)

    def wait(self, seconds: float) -> Outcome | None:
        """Block until the end, or for so many seconds."""
        until = time.monotonic() + seconds
        while (outcome := self.poll()) is None and time.monotonic() < until:
            time.sleep(0.02)
        return outcome

    def _judge(self) -> Outcome:
        events = read_events(run_file(self.folder, EVENTS_NAME))
        if events and events[-1].stage == Stage.FINISHED:
            return Outcome("done")
        text = "" if self.log is None else self.log.read_text(encoding="utf-8", errors="replace")
        if self.cancelling or text.rstrip().endswith(STOPPED):
            return Outcome("cancelled")
        if self.log is None:
            return Outcome("failed", "The training ended before it was finished; start again to continue.")
        return Outcome("failed", explanation(None, text, self.log))
