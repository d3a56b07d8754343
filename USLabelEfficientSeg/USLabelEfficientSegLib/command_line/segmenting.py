"""The command `segment`, and what it shares with `propagate`: options, and a word on each scan that is segmented."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ..text.counting import counted_of
from ..text.durations import duration
from .cohorts import ClusterAddress, Workers, where_of
from .console import console, shell
from .drawings import corrected_by
from .long_commands import Overwrite, end_batch, long_command, outputs_of, told_failures
from .options import DeviceName, PixelSize, PixelTable
from .result_lines import result_line, result_text
from .result_output import print_flags, refuse_pixel_sizes_of_volumes

if TYPE_CHECKING:
    import torch

    from ..disk.outputs import Outputs
    from ..imaging.pixel_sizes import PixelSizes
    from ..segmentation.protocols import Model
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
    typer.Option("--format", help="Of the label maps. NIfTI (nii.gz) keeps no names of organs; NRRD does."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print each result as a line of JSON for programs.")]

_AT_ONCE = 4  # each takes memory


def idle_processors(device: "torch.device") -> "Processors":
    """Processors for segmenting; their load until the first image is read tells how many are idle."""
    from ..training.processors import Processors

    processors = Processors(_AT_ONCE if device.type == "cpu" else 1)
    processors.threads()
    return processors


@long_command
def segment(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="Folder of a trained study, or a model file.", show_default=False)
    ],
    images: Images,
    output: Results,
    prompts: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Label maps of some of the volumes, of the same names, with what you have drawn there: 0 background, "
            "1, 2, ... organs, 255 elsewhere. They correct the model.",
            show_default=False,
        ),
    ] = None,
    probability: Probability = False,
    uncertainty: Uncertainty = False,
    label_format: LabelFormat = "nrrd",
    device: DeviceName = "auto",
    as_json: AsJson = False,
    pixel_sizes: PixelTable = None,
    pixel_size: PixelSize = None,
    workers: Workers = None,
    cluster: ClusterAddress = None,
    overwrite: Overwrite = False,
) -> None:
    """Find the organs in ultrasound volumes or 2-D images.

    Each volume NAME gives NAME.nrrd, a label map on exactly the grid of the volume, with the names of the organs
    (3D Slicer shows them with --format seg.nrrd), and NAME_measurements.json: volumes with their 90 % prediction
    intervals, and reasons for caution. A volume is the sum of an organ's probabilities. It holds, with its interval,
    for the model's own outline: once you correct an organ, the corrected outline counts, without an interval. The
    other organs keep theirs.

    Earlier results of the same names are replaced, unless they were corrected or are of another program: see
    --overwrite. If an image cannot be segmented, the others are done all the same, and the exit code is 2.

    Where the model is wrong, draw a slice or some strokes in the volume itself and give them with --prompts: the
    outline follows your drawing all through the volume. Its interval narrows as you draw. Volumes without a drawing are
    segmented as ever.

    With thousands of volumes, use --workers or --cluster: measurements.csv in DIR grows, and the same command goes on
    where it was stopped.

    With the model of a study of 2-D images, areas and the circumferences of the fitted ellipses are measured. PNG,
    JPEG and other files without pixel size need --pixel-sizes or --pixel-size.

    \b
    Examples:
      uslabelseg segment my-study patient7.nii.gz --output segmentations
      uslabelseg segment my-study new-volumes --output segmentations --probability --uncertainty
      uslabelseg segment my-study patient7.nii.gz --prompts drawn --output corrected
      uslabelseg segment my-study cohort --output segmentations --workers 8
      uslabelseg segment heads new-png --pixel-sizes sizes.csv --output segmentations
    """
    console.getting_ready()

    from ..disk.kinds import check_order
    from ..imaging.pixel_sizes import read_pixel_sizes
    from ..imaging.scan_files import images_by_name
    from ..segmentation.model_files import model_dimension

    check_order("segment", model, images)
    sizes = read_pixel_sizes(pixel_sizes, pixel_size)
    console.results_elsewhere = as_json
    dimension = model_dimension(model)
    refuse_pixel_sizes_of_volumes(sizes, dimension)
    found = images_by_name(images, dimension)
    outputs = outputs_of(overwrite, [model, *images, prompts])
    if (cohort := where_of(workers, cluster, as_json)) is not None:
        from .cohort_segmenting import Results, segment_cohort

        results = Results(output, probability, uncertainty, f".{label_format}")
        segment_cohort(cohort, model, found, prompts, results, outputs, device, pixel_sizes, pixel_size)
        return
    from ..segmentation.loading import load_model
    from ..segmentation.model import choose_device
    from ..training.memory import tune_memory

    where = choose_device(device)
    processors = idle_processors(where)
    trained = load_model(model, first=True)
    tune_memory()
    segment_scans(
        trained if prompts is None else corrected_by(prompts, trained, found),
        found,
        output,
        where,
        processors,
        outputs,
        pixel_sizes=sizes,
        probability=probability,
        uncertainty=uncertainty,
        label_format=label_format,
        as_json=as_json,
    )
    console.next(f"uslabelseg measure {shell(output)} --output measurements.csv")


def segment_scans(
    model: "Model",
    images: Mapping[str, Path],
    output: Path,
    device: "torch.device",
    processors: "Processors",
    outputs: "Outputs",
    *,
    pixel_sizes: "PixelSizes | None" = None,
    probability: bool,
    uncertainty: bool,
    label_format: str,
    as_json: bool,
) -> None:
    """Segment and measure scans, and tell organs and reasons for caution; exit code 2 if some failed."""
    from ..imaging.pixel_sizes import UNKNOWN_PIXEL_SIZES
    from ..measurement.segmenting import segment_and_measure

    failures = told_failures()
    started = time.monotonic()
    results = segment_and_measure(
        model,
        images,
        output,
        device,
        pixel_sizes=pixel_sizes or UNKNOWN_PIXEL_SIZES,
        probability=probability,
        uncertainty=uncertainty,
        outputs=outputs,
        failures=failures,
        threads=processors.threads,
        suffix=f".{label_format}",
    )
    for result in counted_of(results, len(images), "segmenting"):
        if as_json:
            print(result_line(result.path, result.rows, result.next_slice), flush=True)
            continue
        console.say(f"{result.path}: {result_text(result.rows)} ({duration(time.monotonic() - started)})")
        print_flags(result.rows)
        if result.next_slice is not None:
            console.say(f"  Worth drawing next: {result.next_slice}.")
        started = time.monotonic()
    end_batch(failures)
