"""The exceptions that the library raises on purpose."""

import os
from enum import IntEnum
from pathlib import Path

# Set in the environment where the user has the panel's buttons instead of commands, and so in all its processes.
IN_PANEL = "USLABELSEG_IN_PANEL"


class ExitCode(IntEnum):
    """How a command has ended."""

    DONE = 0
    BAD_INPUT = 2  # or a file of several failed
    CANCELLED = 130  # what shells expect after Ctrl-C
    BROKEN_PIPE = 141  # what they tell of a program that SIGPIPE has ended


class InputError(ValueError):
    """Bad input from the user, told in one sentence: what it is about, the problem, the remedy.

    Args:
        subject: the file, folder, option or image the sentence is about.
        problem: what is wrong with it, as a clause that follows the subject.
        remedy: what to do about it, as an imperative; if it names an option or a command,
        in_panel: is the remedy for the user of the panel, who has buttons instead.
    """

    def __init__(self, subject: str | Path, problem: str, remedy: str, *, in_panel: str | None = None) -> None:
        super().__init__(subject, problem, remedy)
        self.subject = subject
        self.problem = problem
        self.remedy = in_panel if in_panel is not None and os.environ.get(IN_PANEL) else remedy

    def __str__(self) -> str:
        return f"{self.subject}: {self.problem}; {self.remedy}."


class Notice(UserWarning):
    """What was done with an input in a way that the user should know of; nothing is wrong.

    The library warns of it (`warnings.warn`); the command line tells each once, on the error stream.

    Args:
        subject: the file that it is about.
        text: what was done, as a clause that fits several subjects as well.
    """

    def __init__(self, subject: str | Path, text: str) -> None:
        super().__init__(subject, text)
        self.subject = subject
        self.text = text

    def __str__(self) -> str:
        return f"{self.subject}: {self.text}."


class Cancelled(Exception):  # noqa: N818 - a request, not an error
    """The user asked to stop: nothing is wrong, and the work resumes from its last checkpoint."""
