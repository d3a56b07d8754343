"""Labels on their way into the study folder: written beside Slicer's event loop, in the order in which they came."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import InputError

if TYPE_CHECKING:
    from ...annotation.sparse_labels import SparseLabels
    from ...study.inbox import Given, Held

Write = Callable[[], None]
_MOMENT = 0.03  # seconds


class LabelSaving:
    """Writes in a thread of its own; of labels of one case that wait, only the newest are written.

    The thread is begun at once and is no daemon: what was given is on disk when the process has ended. What a killed
    process was given, `study/kept_slices.py` has.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: dict[str, Write] = {}
        self._writing: str | None = None  # the case
        self._thread: threading.Thread | None = None
        self._errors: list[BaseException] = []

    @property
    def busy(self) -> bool:
        """Whether something is still to be written."""
        return self._thread is not None

    def save(self, case: str, write: Write, *, wait: bool = False) -> None:
        """Write labels after those that were given before.

        Args:
            case: whose labels they are.
            write: writes them.
            wait: for a moment, in which small ones are written.
        """
        with self._guard:
            self._waiting.pop(case, None)
            self._waiting[case] = write
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="USLabelEfficientSeg labels")
                self._thread.start()
            thread = self._thread
        if wait:
            thread.join(_MOMENT)

    def wait_for(self, case: str) -> None:
        """Return when the labels of a case are written, or that has failed."""
        with self._guard:
            concerned = case == self._writing or case in self._waiting
        if concerned:
            self.wait()

    def wait(self) -> None:
        """Return when all is written, or has failed."""
        while (thread := self._thread) is not None:
            thread.join()

    def settle(self) -> None:
        """Return when all is written. Raises what writing has raised since the last call, the first of several."""
        self.wait()
        errors, self._errors = self._errors, []
        if errors:
            raise errors[0]

    def _work(self) -> None:
        while (write := self._next()) is not None:
            try:
                write()
            except BaseException as error:  # raised in the main thread, where somebody can tell it
                self._errors.append(error)

    def _next(self) -> Write | None:
        with self._guard:
            self._writing = next(iter(self._waiting), None)
            if self._writing is None:
                self._thread = None
                return None
            return self._waiting.pop(self._writing)


def write_labels(
    folder: Path, case: str, labels: SparseLabels, held: Held, busy: bool, given: Callable[[Given], None]
) -> None:
    """Write all labels of a case into a study, with what others have drawn there since.

    Args:
        folder: of the study.
        case: its name there.
        labels: of it.
        held: what was known of the labels on disk.
        busy: the study is being trained, so that they go into its inbox.
        given: called with what became of them, also if they are in the inbox against the wish.

    Raises:
        InputError: the folder cannot be written, or another program is writing the study: then they are in the inbox.
    """
    from ...study.inbox import leave_labels, put_labels
    from ...study.study import Study

    study = Study.open(folder)
    if busy:
        given(leave_labels(study, case, labels, held))
        return
    try:
        with study.lock():
            given(put_labels(study, case, labels, held))
    except InputError:
        given(leave_labels(study, case, labels, held))
        raise
