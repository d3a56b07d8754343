"""What DICOM reports hold."""

from pathlib import Path
from typing import Any

import highdicom as hd


def content_of(report: Path) -> hd.sr.MeasurementReport:
    """The measurements of a report on disk."""
    content = hd.sr.srread(report).content
    assert isinstance(content, hd.sr.MeasurementReport)
    return content


def evaluations_of(group: Any) -> list[str]:
    """In words, what a report tells of an organ beside its measurements."""
    return [evaluation.value.meaning for evaluation in group.get_qualitative_evaluations()]
