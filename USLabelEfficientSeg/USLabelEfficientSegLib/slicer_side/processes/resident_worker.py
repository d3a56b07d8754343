"""The worker that stays while a study is open: it answers at once, because everything is loaded already.

Requests go to its standard input, answers come through a file (`serving.protocol`): a file is read without waiting, on
every system, whatever the worker does. When its input is closed it ends, so it never outlives Slicer, not even a crash.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO

from ...errors import InputError
from .worker import (
    LIBRARY_COMMAND,
    SECONDS_TO_SAVE,
    Outcome,
    Progress,
    end_by_force,
    explanation,
    group_lives,
    launched,
)

_TRIES = 2  # of a request during which the worker ends
_SECONDS_TO_GO = 2.0  # after the end by force
_SLEEPING = {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0"}  # threads of torch that wait use no processor
_numbers = count(1)


class Asked:
    """A request: like `Worker` it is polled until there is an outcome.

    Attributes:
        id: of the request.
        log: what the worker prints.
        progress: how far it is; None while that is unknown.
        result: of a request that is done.
    """

    def __init__(self, resident: ResidentWorker, id: int, request: Mapping[str, Any], log: Path) -> None:
        self.id, self.log = id, log
        self.progress: Progress | None = None
        self.result: dict[str, Any] = {}
        self.tries = 0
        self._resident, self._request = resident, request
        self._records: list[dict[str, Any]] = []
        self._told = 0  # records that were given already, or before a second try
        self._stop_by: float | None = None
        self._outcome: Outcome | None = None

    @property
    def line(self) -> str:
        """The request as the worker reads it."""
        return json.dumps({"id": self.id, **self._request}) + "\n"

    @property
    def cancelling(self) -> bool:
        """Whether it was asked to stop."""
        return self._stop_by is not None

    @property
    def overdue(self) -> bool:
        """Whether it was asked to stop, and has not for too long."""
        return self._outcome is None and self._stop_by is not None and time.monotonic() > self._stop_by

    def poll(self) -> Outcome | None:
        """How it ended, None while it goes on. Never blocks."""
        if self._outcome is None:
            self._resident.poll()
        return self._outcome

    def wait(self, seconds: float) -> Outcome | None:
        """Block until the end, or for so many seconds."""
        until = time.monotonic() + seconds
        while (outcome := self.poll()) is None and time.monotonic() < until:
            time.sleep(0.005)
        return outcome

    def cancel(self) -> None:
        """Ask it to stop; a worker that goes on is ended by force and started again for the next request."""
        if self._outcome is None and self._stop_by is None:
            self._stop_by = time.monotonic() + SECONDS_TO_SAVE
            self._resident.cancel(self.id)

    def records(self) -> list[dict[str, Any]]:
        """The parts of the result since the last call; none comes twice."""
        new = self._records[self._told :]
        self._told = max(self._told, len(self._records))
        return new

    def take(self, answer: Mapping[str, Any]) -> None:
        """Take up an answer of the worker."""
        if "progress" in answer:
            self.progress = Progress(**answer["progress"])
        elif "record" in answer:
            self._records.append(answer["record"])
        elif answer["end"] == "failed":
            self.end(Outcome("failed", answer["sentence"]))
        else:
            self.result = answer.get("result", {})
            self.end(Outcome(answer["end"]))

    def begin_again(self) -> None:
        """The worker has ended; another will do all of it."""
        self._records.clear()

    def end(self, outcome: Outcome) -> None:
        """How it has ended, unless that is known already."""
        self._outcome = self._outcome or outcome


class ResidentWorker:
    """A process of `uslabelseg serve`: started with the first request at the latest, and again when it was killed.

    Example::

        resident = ResidentWorker(Path(slicer.app.temporaryPath))
        asked = resident.ask("suggest", study="C:/studies/prostate", count=3)
        while asked.poll() is None:
            slicer.app.processEvents()
        print(asked.result["slices"])
        resident.close()

    Args:
        folder: for its answers and its log; they are removed at the end, unless it failed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ids = count(1)
        self._process: subprocess.Popen[bytes] | None = None
        self._asked: dict[int, Asked] = {}
        self._stem = folder
        self._answers: BinaryIO | None = None
        self._rest = b""
        self._unsent: list[str] = []
        self._hears = False  # it reads its input: until then a long line could block
        self._closed = False

    @property
    def pid(self) -> int | None:
        """Number of the process; None while there is none."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start the process, unless it runs.

        Raises:
            InputError: it is closed, its files cannot be written, or there is no Python to run.
        """
        if self._closed:  # who asks late, such as a training that ends after its study was left, starts none
            raise InputError("The study", "was closed meanwhile", "open it again")
        if self._process is not None and self._process.poll() is None:
            return
        self._forget_process()
        name = f"{datetime.now():%Y-%m-%d %H-%M-%S} resident {os.getpid()} {next(_numbers)}"
        self._stem = self._folder / name
        self._process = launched(
            LIBRARY_COMMAND,
            ["serve"],
            self._file(".log"),
            environment=_SLEEPING,
            answers=self._file(".jsonl"),
        )
        self._answers = self._file(".jsonl").open("rb")

    def ask(self, request: str, **arguments: Any) -> Asked:
        """Ask for something; see the page "The command line" for what there is.

        Raises:
            InputError: as `start` does.
        """
        self.poll()
        self.start()
        told = {name: str(value) if isinstance(value, Path) else value for name, value in arguments.items()}
        asked = Asked(self, next(self._ids), {"request": request, **told}, self._file(".log"))
        self._asked[asked.id] = asked
        self._send(asked)
        return asked

    def cancel(self, id: int) -> None:
        """Ask the worker to stop a request; one that it was not sent as yet ends at once."""
        asked = self._asked.get(id)
        if asked is not None and asked.line in self._unsent:
            self._unsent.remove(asked.line)
            self._asked.pop(id).end(Outcome("cancelled"))
            return
        self._unsent.append(json.dumps({"cancel": id}) + "\n")
        self._write()

    def poll(self) -> None:
        """Take up what the worker has answered, and start it again if it has ended. Never blocks."""
        if self._process is None:
            return
        code = self._process.poll()  # before its last answers are read
        self._read()
        if code is not None:
            self._has_ended(code)
        elif any(asked.overdue for asked in self._asked.values()):
            end_by_force(self._process.pid)

    def end(self) -> None:
        """End the process now; what was asked is cancelled. It can be asked again."""
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            end_by_force(process.pid)
            with suppress(subprocess.TimeoutExpired):
                process.wait(_SECONDS_TO_GO)
        for asked in self._asked.values():
            asked.end(Outcome("cancelled"))
        self._forget_process()
        for suffix in (".jsonl", ".log"):
            with suppress(OSError):  # on Windows a child of the launcher may hold it a moment longer
                self._file(suffix).unlink(missing_ok=True)
        self._asked.clear()

    def close(self) -> None:
        """End the process for good: the study is left, and whoever still asks is refused."""
        self._closed = True
        self.end()

    def _file(self, suffix: str) -> Path:
        return self._stem.with_name(self._stem.name + suffix)

    def _send(self, asked: Asked) -> None:
        asked.tries += 1
        asked.log = self._file(".log")
        self._unsent.append(asked.line)
        self._write()

    def _write(self) -> None:
        if not self._hears or self._process is None or self._process.stdin is None:
            return
        lines, self._unsent = self._unsent, []
        with suppress(OSError):  # it has ended, which `poll` will find
            self._process.stdin.write("".join(lines).encode())
            self._process.stdin.flush()

    def _read(self) -> None:
        if self._answers is None:
            return
        *lines, self._rest = (self._rest + self._answers.read()).split(b"\n")
        for line in lines:
            answer = json.loads(line)
            if "protocol" in answer:
                self._hears = True
                self._write()
            elif (asked := self._asked.get(answer["id"])) is not None:
                asked.take(answer)
                if "end" in answer:
                    del self._asked[asked.id]

    def _has_ended(self, code: int) -> None:
        """The worker was killed, or has failed: what was asked is asked once again."""
        log = self._file(".log")
        text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
        self._forget_process()
        left, self._asked = self._asked, {}
        for asked in left.values():
            if asked.cancelling:
                asked.end(Outcome("cancelled"))
            elif asked.tries >= _TRIES:
                asked.end(Outcome("failed", explanation(code, text, log)))
            else:
                self._asked[asked.id] = asked
        if self._asked:
            self.start()
        for asked in self._asked.values():
            asked.begin_again()
            self._send(asked)

    def _forget_process(self) -> None:
        """The process has ended; where Slicer's launcher was ended from outside, what it had started ends now."""
        if self._process is not None:
            if group_lives(self._process.pid):
                end_by_force(self._process.pid)
            if self._process.stdin is not None:
                with suppress(OSError):
                    self._process.stdin.close()
        if self._answers is not None:
            self._answers.close()
        self._process, self._answers, self._rest, self._unsent, self._hears = None, None, b"", [], False
