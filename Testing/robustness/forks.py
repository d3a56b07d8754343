"""Commands in forks of this process, which has imported what they import but computed nothing.

So a command costs no start of Python, and what is killed is its work.
"""

import importlib
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from USLabelEfficientSegLib.cli import main

ROOT = Path(__file__).parents[2] / "USLabelEfficientSeg"


def import_all() -> None:
    """Everything that commands import, so that a fork computes from its first moment."""
    import torch

    torch.set_num_threads(1)
    library = ROOT / "USLabelEfficientSegLib"
    for path in sorted(library.rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        if "slicer_side" not in name:
            importlib.import_module(name)


class Child:
    """A forked process."""

    def __init__(self, process: int) -> None:
        self.process = process

    def kill_after(self, seconds: float) -> None:
        """Kill it at that moment, if it still runs."""
        time.sleep(seconds)
        os.kill(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)

    def wait(self) -> int:
        """Its exit code."""
        return os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])


def command(arguments: tuple[str, ...], folder: Path) -> Child:
    """A command, run in a folder."""

    def run() -> None:
        os.chdir(folder)
        main(list(arguments))

    return in_fork(run, folder.with_name("log"))


def in_fork(work: Callable[[], object], log: Path) -> Child:
    """A fork that does `work` and ends; what it prints goes to the log."""
    process = os.fork()
    if process:
        return Child(process)
    code = 1
    try:
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        # What the program remembers of its results belongs to the trial, as a user's belongs to the user.
        os.environ["USLABELSEG_STATE"] = str(log.with_name("state"))
        work()
        code = 0
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
