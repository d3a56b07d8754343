"""Labels on their way into a study: in its inbox, or kept by a program that was killed before it wrote them.

Every command that reads labels takes them up here first.
"""

from __future__ import annotations

from .inbox import take_labels, waiting
from .kept_slices import kept_cases, kept_files, leave_kept
from .study import Study


def take_waiting(study: Study) -> list[str]:
    """Take labels that wait into the study; returns the names of their cases. Nothing is locked where none wait.

    Raises:
        InputError: another program is writing the study, which may take hours; labels that do not fit.
    """
    if not (kept_files(study) or waiting(study)):
        return []
    leave_kept(study)
    with study.lock():
        return take_labels(study)


def waiting_cases(study: Study) -> list[str]:
    """The names of the cases whose labels wait, in their order."""
    kept = kept_cases(study)
    left = waiting(study)
    return [case.name for case in study.cases if case.name in kept or case.name in left]
