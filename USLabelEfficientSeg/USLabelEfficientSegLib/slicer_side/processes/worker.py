"""A command of the library in a process of its own: Slicer stays responsive, and a crash takes nothing with it.

What the worker prints goes straight into a log file. There is no pipe that has to be drained, that can fill up and
block, or that breaks when Slicer is closed; the log is complete whatever happens.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ...errors import IN_PANEL, ExitCode, InputError
from .other_python import chosen_python, environment_of, slicers_python

SECONDS_TO_SAVE = 1.4  # between the request to stop and the end by force
ERROR_PREFIX = "uslabelseg: error: "
# Progress in lines that a program can read, and remedies for a user who has buttons.
_FOR_THE_PANEL = {"USLABELSEG_PROGRESS": "json", IN_PANEL: "1"}
_KILLED = (-9, 137)
_LAUNCHER_OF_A_KILLED_CHILD = "exit abnormally"  # PythonSlicer's last line; its own exit code is 1 then
LIBRARY_COMMAND = "USLabelEfficientSegLib.cli"


@dataclass(frozen=True)
class Outcome:
    """How a worker ended, and for a failure the cause and the remedy in a sentence."""

    state: Literal["done", "cancelled", "failed"]
    sentence: str = ""


@dataclass(frozen=True)
class Progress:
    """How far work is: what is done at present, and how many things of how many."""

    doing: str
    done: int
    of: int

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return self.done / max(self.of, 1)


class Worker:
    """A running `uslabelseg` command, or that of another Python module, and everything that it has started.

    Example::

        worker = Worker(["train", "C:/studies/prostate"], Path("C:/studies/prostate/logs/train.log"))
        while (outcome := worker.poll()) is None:
            slicer.app.processEvents()

    Args:
        arguments: of the command.
        log: where its output goes; an existing file is replaced.
        environment: variables that differ from those of this process.
        module: what is run, `python -m MODULE`; `uslabelseg` runs with the Python that the user has chosen, everything
            else with Slicer's own.
        python: the Python that runs it, if it is another one.
        seconds_to_save: between the request to stop and the end by force.

    Raises:
        InputError: the log cannot be written, or there is no Python to run.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        log: Path,
        environment: Mapping[str, str] | None = None,
        *,
        module: str = LIBRARY_COMMAND,
        python: Path | None = None,
        seconds_to_save: float = SECONDS_TO_SAVE,
    ) -> None:
        self.arguments = tuple(arguments)
        self._seconds_to_save = seconds_to_save
        self.log = log
        self._stop_by: float | None = None
        self._outcome: Outcome | None = None
        self._bytes_read = 0
        self._progress: Progress | None = None
        self._records: list[dict[str, Any]] = []
        self._process = launched(module, arguments, log, environment=environment, python=python)

    @property
    def pid(self) -> int:
        """Number of the process, which leads a process group of its own."""
        return self._process.pid

    @property
    def cancelling(self) -> bool:
        """Whether the worker was asked to stop."""
        return self._stop_by is not None

    def poll(self) -> Outcome | None:
        """How the worker ended, or None while it, or a process that it has started, still runs.

        Never blocks. A worker that does not stop when asked is ended by force here, so poll until there is an outcome.
        """
        if self._outcome is not None:
            return self._outcome
        code = self._process.poll()
        if self._stop_by is not None and (code is None or group_lives(self.pid)):
            if time.monotonic() < self._stop_by:
                return None
            end_by_force(self.pid)
            code = self._process.poll()
        if code is None:
            return None
        if code != ExitCode.DONE and group_lives(self.pid):
            end_by_force(self.pid)  # the launcher was ended from outside, and what it had started goes on
        self._outcome = self._judge(code)
        return self._outcome

    def cancel(self) -> None:
        """Ask the worker to save and stop; `poll` ends it and its children when it has not done so in time."""
        if self._stop_by is None and self._outcome is None:
            self._stop_by = time.monotonic() + self._seconds_to_save
            ask_to_stop(self.pid)

    def wait(self, seconds: float | None = None) -> Outcome | None:
        """Block until the end, or for so many seconds; for scripts, and for closing Slicer."""
        until = None if seconds is None else time.monotonic() + seconds
        while (outcome := self.poll()) is None and (until is None or time.monotonic() < until):
            time.sleep(0.02)
        return outcome

    @property
    def progress(self) -> Progress | None:
        """How far it is, as it was told last; None while that is unknown."""
        self._read_log()
        return self._progress

    def records(self) -> list[dict[str, Any]]:
        """The JSON objects that the worker has printed, one a line, since the last call."""
        self._read_log()
        new, self._records = self._records, []
        return new

    def _read_log(self) -> None:
        with self.log.open("rb") as file:
            file.seek(self._bytes_read)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._bytes_read += len(whole)
        for line in whole.decode("utf-8", errors="replace").split("\n"):
            if line.startswith("{") and line.endswith("}"):
                told = json.loads(line)
                if set(told) == {"progress"}:
                    self._progress = Progress(**told["progress"])
                else:
                    self._records.append(told)

    def log_text(self) -> str:
        """All that the worker has printed so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def _judge(self, code: int) -> Outcome:
        if self.cancelling or code == ExitCode.CANCELLED:
            return Outcome("cancelled")
        if code == ExitCode.DONE:
            return Outcome("done")
        return Outcome("failed", explanation(code, self.log_text(), self.log))


def launched(
    module: str,
    arguments: Sequence[str],
    log: Path,
    *,
    environment: Mapping[str, str] | None = None,
    python: Path | None = None,
    answers: Path | None = None,
) -> subprocess.Popen[bytes]:
    """A process of its own group that gives way to Slicer, see `Worker` for what it runs.

    Args:
        module: what is run.
        arguments: of it.
        log: file for what it prints.
        environment: variables that differ from those of this process.
        python: that runs it, if it is another one.
        answers: file for its standard output; then its standard input is a pipe.

    Raises:
        InputError: a file cannot be written, or there is no Python to run.
    """
    if module == LIBRARY_COMMAND and python is None:
        python = chosen_python()
    executable = python_executable() if python is None else str(python)
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with ExitStack() as files:
            output = files.enter_context(log.open("wb"))
            process = subprocess.Popen(
                [executable, "-m", module, *arguments],
                stdin=subprocess.DEVNULL if answers is None else subprocess.PIPE,
                stdout=output if answers is None else files.enter_context(answers.open("wb")),
                stderr=subprocess.STDOUT if answers is None else output,
                env=environment_of(python, {**_FOR_THE_PANEL, **(environment or {})}),
                **_process_group(),
            )
    except OSError as error:
        if error.filename == executable:
            remedy = "choose another Python, or Slicer's own, in the section Environment"
            raise InputError(executable, f"cannot be run ({error.strerror or error})", remedy) from error
        problem = f"the calculation cannot be started ({error.strerror or error})"
        raise InputError(log, problem, "choose a folder that you may write to") from error
    _give_way_to_slicer(process.pid)
    return process


def explanation(code: int | None, text: str, log: Path) -> str:
    """Cause and remedy of a failure, from the exit code, if it is known, and what was printed into the log."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    refused = [line.removeprefix(ERROR_PREFIX) for line in lines if line.startswith(ERROR_PREFIX)]
    if code in (ExitCode.BAD_INPUT, None) and refused:
        others = (
            f" In all: {refused[-1].rstrip('.')}." if len(refused) > 1 else ""
        )  # of many files: the first cause, and the count
        return refused[0] + others
    last = lines[-1] if lines else "no message"
    if last.startswith("ModuleNotFoundError"):
        package = last.rpartition("'")[0].rpartition("'")[2]
        other = chosen_python()
        where = "" if other is None else f" in {other}"
        remedy = "press Install or Update" if other is None else "press Use another Python"
        return f"The Python package {package} is missing{where}; {remedy} in the section Environment, then start again."
    if code in _KILLED or _LAUNCHER_OF_A_KILLED_CHILD in last:
        return (
            "The system ended the calculation, most likely because memory ran out; close other programs, choose the "
            "preset Quick, or lower student.window in the expert settings (for example student.window=32). "
            f"Training continues from where it was. Log: {log}"
        )
    return f"The calculation ended unexpectedly ({last}); start again to continue. Log: {log}"


def python_executable() -> str:
    """The Python that workers run with when the user has chosen no other."""
    return slicers_python()


if sys.platform == "win32":

    def _process_group() -> dict[str, Any]:
        below_normal = subprocess.BELOW_NORMAL_PRIORITY_CLASS
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW | below_normal}

    def _give_way_to_slicer(pid: int) -> None:
        """Done by the creation flags."""

    def ask_to_stop(pid: int) -> None:
        """End the process and its children: Windows cannot ask one without a console; training resumes anyway."""
        end_by_force(pid)

    def end_by_force(pid: int) -> None:
        """End the process and its children."""
        subprocess.run(
            ["taskkill", "/PID", str(pid), "/T", "/F"],
            capture_output=True,
            creationflags=subprocess.CREATE_NO_WINDOW,
            check=False,
        )

    def group_lives(pid: int) -> bool:
        """Whether the process, or a child of it, is still there."""
        return False  # taskkill has waited for the tree

    def group_leader(pid: int) -> int:
        """The process to be asked and ended for a worker that another program has started."""
        return pid

else:

    def _process_group() -> dict[str, Any]:
        return {"start_new_session": True}

    def _give_way_to_slicer(pid: int) -> None:
        try:
            os.setpriority(os.PRIO_PGRP, pid, min(19, os.getpriority(os.PRIO_PROCESS, 0) + 10))
        except ProcessLookupError:  # it has ended already, which `poll` will tell
            return

    def ask_to_stop(pid: int) -> None:
        """Ask the process, and its children if it leads a group of its own, to save and stop."""
        _signal(pid, signal.SIGTERM)

    def end_by_force(pid: int) -> None:
        """End the process, and its children if it leads a group of its own."""
        _signal(pid, signal.SIGKILL)

    def _signal(pid: int, number: int) -> None:
        try:
            os.killpg(pid, number)
        except ProcessLookupError:  # all have ended, or it was started in a terminal and belongs to the group of that
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def group_leader(pid: int) -> int:
        """The process to be asked and ended for a worker that another program has started.

        It is the leader of the worker's group if a Slicer has started it, which gives each a session of its own:
        Slicer's launcher then. In a terminal or a script others may belong to the group, and the worker stands alone.
        """
        try:
            group, session = os.getpgid(pid), os.getsid(pid)
        except ProcessLookupError:
            return pid
        return group if group == session and group not in (0, os.getpgrp()) else pid

    def group_lives(pid: int) -> bool:
        """Whether a process of the group that this one leads is still there."""
        try:
            os.killpg(pid, 0)
        except ProcessLookupError:
            return False
        return True
