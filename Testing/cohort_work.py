"""Work for tests of cohorts: a task's file holds a number, which is doubled, or a word on what goes wrong."""

import os
import signal
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

from USLabelEfficientSegLib.cohort.tasks import Row, Task
from USLabelEfficientSegLib.errors import InputError, Notice


@dataclass(frozen=True)
class Doubling:
    """`log` receives a line each time that a task is begun; `refused` is why no task can be done."""

    log: Path
    seconds: float = 0.0
    refused: str = ""

    def prepare(self) -> None:
        if self.refused:
            raise InputError("the model", self.refused, "train it")

    def __call__(self, task: Task) -> list[Row]:
        with self.log.open("a") as log:
            log.write(f"{task.name}\n")
        time.sleep(self.seconds)
        text = task.file.read_text()
        if text == "broken":
            raise InputError(task.file, "is cut short", "copy it again")
        if text == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if text == "notice":
            warnings.warn(Notice(task.file, "is odd"), stacklevel=1)
            text = "0"
        if text == "fault":
            raise ZeroDivisionError("a fault")
        return [{"case": task.name, "half": half, "twice": 2.0 * int(text)} for half in ("left", "right")]


@dataclass(frozen=True)
class DyingOnce:
    """The first worker that prepares dies of it."""

    died: Path

    def prepare(self) -> None:
        if not self.died.exists():
            self.died.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    def __call__(self, task: Task) -> list[Row]:
        return [{"case": task.name}]


def make_tasks(folder: Path, texts: dict[str, str]) -> list[Task]:
    """A file for each text, under its name."""
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.txt").write_text(text)
    return [Task(name, folder / f"{name}.txt") for name in texts]
