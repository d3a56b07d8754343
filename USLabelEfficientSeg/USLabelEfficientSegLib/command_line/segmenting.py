"""Shared by `segment` and `propagate`: options of the results, and segmenting volumes with a line for each."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ..text.counting import counted_of
from ..text.durations import duration
from .console import console
from .long_commands import end_batch, told_failures
from .result_lines import result_line, result_text
from .result_output import print_flags

if TYPE_CHECKING:
    import torch

    from ..disk.outputs import Outputs
    from ..segmentation.segmenter import Segmenter
    from ..training.processors import Processors

Images = Annotated[
    list[Path],
    typer.Argument(metavar="IMAGE...", help="Files, DICOM folders or folders of images.", show_default=False),
]
Results = Annotated[Path, typer.Option("--output", metavar="DIR", help="Folder of the results.", show_default=False)]
Probability = Annotated[
    bool, typer.Option("--probability", help="Write NAME_probability.nrrd, too: the probability of each class.")
]
Uncertainty = Annotated[
    bool, typer.Option("--uncertainty", help="Write NAME_uncertainty.nrrd, too: 0 certain to 1 unknown.")
]
LabelFormat = Annotated[
    Literal["nrrd", "seg.nrrd", "nii.gz"],
    typer.Option("--format", help="Of the label maps of volumes. NIfTI (nii.gz) keeps no names of organs; NRRD does."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print each result as a line of JSON for programs.")]

_AT_ONCE = 4  # each takes memory


def idle_processors(device: "torch.device") -> "Processors":
    """Processors for segmenting; their load until the first image is read tells how many are idle."""
    from ..training.processors import Processors

    processors = Processors(_AT_ONCE if device.type == "cpu" else 1)
    processors.threads()
    return processors


def segment_volumes(
    segmenter: "Segmenter",
    images: Mapping[str, Path],
    output: Path,
    device: "torch.device",
    processors: "Processors",
    outputs: "Outputs",
    *,
    probability: bool,
    uncertainty: bool,
    label_format: str,
    as_json: bool,
) -> None:
    """Segment and measure volumes, and tell organs and reasons for caution; exit code 2 if some failed."""
    from ..measurement.measured_segmentation import segment_and_measure

    failures = told_failures()
    started = time.monotonic()
    results = segment_and_measure(
        segmenter,
        images,
        output,
        device,
        probability=probability,
        uncertainty=uncertainty,
        outputs=outputs,
        failures=failures,
        threads=processors.threads,
        suffix=f".{label_format}",
    )
    for result in counted_of(results, len(images), "segmenting"):
        if as_json:
            print(result_line(result.path, result.rows), flush=True)
            continue
        console.say(f"{result.path}: {result_text(result.rows)} ({duration(time.monotonic() - started)})")
        print_flags(result.rows)
        started = time.monotonic()
    end_batch(failures)
