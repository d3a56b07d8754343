"""Labels on their way into a study: in its inbox, or kept by a program that was killed before it wrote them.

Every command that reads labels takes them up here first.
"""

from __future__ import annotations

from .inbox import Taken, take_labels, waiting
from .kept_slices import kept_cases, kept_files, leave_kept
from .study import Study


def take_waiting(study: Study) -> Taken:
    """Take labels that wait into the study. Nothing is locked where none wait.

    Raises:
        InputError: another program is writing the study, which may take hours; labels in the inbox that do not fit;
            the study cannot be written.
    """
    if not (kept_files(study) or waiting(study)):
        return Taken()
    left = leave_kept(study)
    if not waiting(study):
        return left
    with study.lock():
        taken = take_labels(study)
    return Taken(taken.cases, [*left.set_aside, *taken.set_aside], left.unfit)


def waiting_cases(study: Study) -> list[str]:
    """The names of the cases whose labels wait, in their order."""
    kept = kept_cases(study)
    left = waiting(study)
    return [case.name for case in study.cases if case.name in kept or case.name in left]
