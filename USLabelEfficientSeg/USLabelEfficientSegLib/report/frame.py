"""What frames the sections of every report: the notice, how to read it, when it was made."""

from collections.abc import Sequence
from datetime import date

from .. import __version__
from .blocks import Document, Section
from .content import CaseSummary, ReportContent

_NOTICE = (
    "For research use only. This is not a medical device. Its results must not be used for diagnosis or treatment; "
    "check every outline against the images."
)
_INTERVALS = "The intervals are 90 % prediction intervals: of 10 such intervals about 9 hold the true value."
_NO_INTERVALS = (
    "No prediction intervals are given: the model was not calibrated, or the segmentations are not (or no longer) its "
    "own."
)
_BOUND = "≥ marks an organ that is cut by the edge of the image: it is at least as large as given."


def framed(content: ReportContent, first: str, cases: Sequence[CaseSummary], sections: Sequence[Section]) -> Document:
    """The report of sections, of which those without content are left out.

    Args:
        content: what is reported.
        first: what the reader is to do first, a sentence.
        cases: of the report.
        sections: in their order.
    """
    made = f"{date.today().isoformat()}, uslabelseg {__version__}"
    shown = [section for section in sections if section.blocks]
    reading = [first, *_reading(content, cases)]
    return Document(content.title, content.kind.subject, made, _NOTICE, reading, shown, len(cases))


def _reading(content: ReportContent, cases: Sequence[CaseSummary]) -> list[str]:
    """What the numbers and the lines mean, in about two sentences."""
    known = any(one.interval for case in cases for row in case.rows for one in row.headline)
    numbers = [content.kind.advice, _INTERVALS if known else _NO_INTERVALS, _BOUND]
    fitted = f", thin ones the {content.kind.fitted}s" if content.kind.fitted else ""
    dashed = ", dashed white lines the reference" if any(case.has_reference for case in cases) else ""
    lines = f"Lines in an organ's colour are the outlines that were measured{fitted}{dashed}."
    if any(case.has_uncertainty for case in cases):
        lines += " The uncertainty map is bright where the model is unsure."
    return [" ".join(filter(None, numbers)), lines]
