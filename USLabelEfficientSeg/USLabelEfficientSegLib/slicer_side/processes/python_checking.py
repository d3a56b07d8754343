"""Looks at the Python that trains and segments, Slicer's own or another: versions, device, speed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from slicer.i18n import tr as _

from ...errors import InputError
from .dependencies import BUNDLED, allRequirements, nameOf, satisfies
from .jobs import Job, Steps, WorkError
from .study_jobs import logsOfNoStudy

OLDEST_PYTHON = "3.11"
_MODULE = "USLabelEfficientSegLib.slicer_side.processes.python_check"


@dataclass(frozen=True)
class PythonCheck:
    """What a Python has.

    Attributes:
        python: its version.
        versions: of the packages that are needed, None for a missing one.
        device: the name of the device that it computes on, empty without torch.
        milliseconds: of a training step of a small 3-D network on it (see `python_check`), None without torch.
    """

    python: str
    versions: dict[str, str | None]
    device: str = ""
    milliseconds: float | None = None

    def sentence(self) -> str:
        """All of it, for the user."""
        versions = ", ".join(f"{name} {version or _('missing')}" for name, version in self.versions.items())
        text = _("Python {python}: {versions}.").format(python=self.python, versions=versions)
        if self.milliseconds is None:
            return text
        speed = _("It computes on: {device}; a training step of a small network takes {time} ms.")
        return f"{text} {speed.format(device=self.device, time=self.milliseconds)}"


class Unfit(NamedTuple):
    """Why a Python cannot train and segment, and what to do about it."""

    problem: str
    remedy: str


def check(job: Job, python: Path | None) -> Steps:
    """Steps that look at a Python, None for Slicer's own; they return a `PythonCheck`.

    Raises:
        InputError: while they run: it cannot be run, or is none.
    """
    names = [nameOf(text) for text in [*allRequirements(), *BUNDLED]]
    found: list[PythonCheck] = []
    try:
        yield from job.work(
            names,
            logsOfNoStudy(),
            lambda worker: found.extend(PythonCheck(**record) for record in worker.records()),
            module=_MODULE,
            python=python,
        )
    except (WorkError, json.JSONDecodeError, TypeError):
        found.clear()
    if not found:
        remedy = "choose the program python of an environment with Python 3.11-3.13"
        raise InputError(python or "Slicer's Python", f"is no Python that can be used (log: {job.log})", remedy)
    return found[0]


def why_unfit(found: PythonCheck) -> Unfit | None:
    """What keeps a Python from training and segmenting, None if nothing does."""
    if not satisfies(found.python, f"python>={OLDEST_PYTHON}"):
        return Unfit(f"is Python {found.python}", f"choose one of version {OLDEST_PYTHON} or later")
    missing = [text for text in [*allRequirements(), *BUNDLED] if not satisfies(found.versions[nameOf(text)], text)]
    if missing:
        names = ", ".join(nameOf(text) for text in missing)
        wanted = " ".join(f'"{text}"' for text in missing)
        return Unfit(f"lacks {names}", f"install them in it with: python -m pip install {wanted}")
    return None
