"""Bars for people: one a stage, and one of the whole work."""

import sys
import time
from contextlib import suppress

from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Column

from ..study.events import Event
from ..study.stages import Stage, stage_title
from ..study.total_progress import Plan, TotalProgress
from ..text.display import printable
from ..text.durations import duration
from .console import console
from .interruption import SAVING, Interruption
from .progress import losses_in
from .terminal import Terminal

SECONDS_BETWEEN_FRAMES = 0.2
_STAGE_WIDTH, _BAR_WIDTH, _TIME_WIDTH = 38, 16, 14  # with the percentage 79 columns
TOTAL = "Total"


class ProgressBars:
    """A bar for each stage and one for the whole work, in fixed columns that fit into 80.

    Bars that are `brief` vanish when the work is done.
    """

    def __init__(
        self,
        plan: Plan = (),
        interruption: Interruption | None = None,
        *,
        brief: bool = False,
    ) -> None:
        self._tasks: dict[str, TaskID] = {}
        self._total = TotalProgress(plan)
        self._interruption = interruption
        self._shown_at = 0.0
        losses = [TextColumn("{task.fields[note]}", markup=False)] if console.verbose else []
        self._progress = Progress(
            TextColumn("{task.description}", markup=False, table_column=Column(width=_STAGE_WIDTH, no_wrap=True)),
            BarColumn(bar_width=_BAR_WIDTH),
            TextColumn("{task.percentage:>3.0f} %", table_column=Column(width=5, no_wrap=True)),
            TextColumn("{task.fields[left]}", markup=False, table_column=Column(width=_TIME_WIDTH, no_wrap=True)),
            *losses,
            console=Terminal(file=console.stream),
            transient=brief,
            redirect_stdout=not console.results_elsewhere,  # results stay where they belong
            redirect_stderr=sys.stderr.isatty(),
            auto_refresh=False,  # a thread of its own would write into a terminal that is gone
        )

    def __enter__(self) -> "ProgressBars":
        if self._interruption is not None:
            self._interruption.told_elsewhere = True  # in the midst of a frame it would double its lines
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._progress.refresh()
            self._progress.stop()
        if self._interruption is not None:
            self._interruption.told_elsewhere = False

    def __call__(self, event: Event) -> None:
        """Bring the bar of the event's stage, and the total, up to date."""
        if event.stage == Stage.FINISHED:
            return
        left = f"{duration(event.seconds_left)} left" if event.seconds_left and event.step < event.of else ""
        self._show(stage_title(event.stage), event.step, event.of, left, ", ".join(losses_in(event)), self._word(event))
        self._total(event)
        if self._total.known:
            seconds = self._total.seconds_left
            self._show(TOTAL, self._total.share, 1, "" if seconds is None else f"{duration(seconds)} left")
        if self._interruption is not None and self._interruption.untold:
            self._interruption.untold = False
            self._progress.console.print(SAVING, markup=False, highlight=False)
        now = time.monotonic()
        if now - self._shown_at >= SECONDS_BETWEEN_FRAMES or event.step == event.of:
            self._shown_at = now
            self._progress.refresh()

    @staticmethod
    def _word(event: Event) -> str:
        """What stands behind the title of counted work, such as how many files have failed."""
        return f" ({event.message})" if event.message is not None and event.numbered is None else ""

    def _show(self, name: str, done: float, of: float, left: str, note: str = "", word: str = "") -> None:
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(printable(name), total=of, left="", note="")
            if name != TOTAL and TOTAL in self._tasks:  # the last line is that of all
                self._progress.remove_task(self._tasks.pop(TOTAL))
        title = printable(f"{name}{word}")
        self._progress.update(self._tasks[name], description=title, completed=done, total=of, left=left, note=note)
