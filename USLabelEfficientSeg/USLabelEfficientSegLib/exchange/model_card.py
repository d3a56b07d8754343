"""The card of an exported model, in Markdown: what it is for, was made from, how good it is, when to be careful.

Sections follow "Model Cards for Model Reporting", Mitchell et al., FAT* 2019, arXiv 1810.03993.
"""

from __future__ import annotations

from collections.abc import Iterable

from .. import __version__
from ..segmentation.loading import TrainedModel
from .facts import Facts


def model_card(model: TrainedModel, facts: Facts, licence: str, use: str) -> str:
    """The card.

    Args:
        model: of volumes or of images.
        facts: what is known of it.
        licence: under which it is given to others.
        use: a section on how this very export is used.
    """
    organs = " and ".join(model.organs)
    return "\n".join(
        [
            f"# {organs[0].upper()}{organs[1:]} in {model.dimension}-D ultrasound",
            "",
            f"A model that outlines {organs} in ultrasound {facts.scans} and measures their {_measured(model)}. "
            f"Made by US Label-Efficient Segmentation {__version__}.",
            "",
            "## Intended use",
            "",
            intended_use(model, facts),
            "",
            "## What it is",
            "",
            *_list(facts.networks),
            *([] if facts.shares is None else ["", facts.shares]),
            "",
            "| label | class |",
            "| --- | --- |",
            *(f"| {value} | {name} |" for value, name in enumerate(("background", *model.organs))),
            "",
            "## What it was trained on",
            "",
            *_list(facts.learnt_from),
            *_list(f"Usual: {one}." for one in facts.usual),
            "",
            "## How good it is",
            "",
            *_list(f"Dice {one.dice:.3f} of {one.of}, on {one.on}." for one in facts.expected),
            *([] if facts.expected else ["Its Dice was not measured on labels that it has not seen."]),
            "",
            "## How its intervals are calibrated",
            "",
            facts.intervals,
            "",
            "## Cautions",
            "",
            *_list(facts.cautions),
            "",
            "## Licence",
            "",
            licence,
            "",
            use.strip(),
            "",
        ]
    )


def intended_use(model: TrainedModel, facts: Facts) -> str:
    """What the model is for, in two sentences."""
    organs = " and ".join(model.organs)
    return (
        f"Research on {organs} in ultrasound {facts.scans} of the kind that it was trained on: outlines, and "
        f"{_measured(model)} from them, each looked at by a person. Not for diagnosis or treatment."
    )


def _measured(model: TrainedModel) -> str:
    return "areas and circumferences" if model.dimension == 2 else "volumes"


def _list(items: Iterable[str]) -> list[str]:
    return [f"- {item}" for item in items]
