"""`uslabelseg propagate`."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import InputError
from ..text.display import printable
from .cohorts import ClusterAddress, Workers, where_of
from .console import console, shell
from .long_commands import Overwrite, long_command, outputs_of
from .options import DeviceName, OrganNames, parse_organs
from .segmenting import (
    AsJson,
    Images,
    LabelFormat,
    Probability,
    Results,
    Uncertainty,
    idle_processors,
    segment_scans,
)

if TYPE_CHECKING:
    from ..prompting.propagation import Propagation


@long_command
def propagate(
    images: Images,
    labels: Annotated[
        Path,
        typer.Option(
            metavar="DIR",
            help="Label maps of the same names: 0 background, 1, 2, ... organs, 255 where nothing was drawn.",
            show_default=False,
        ),
    ],
    output: Results,
    organs: OrganNames = None,
    probability: Probability = False,
    uncertainty: Uncertainty = False,
    label_format: LabelFormat = "nrrd",
    weights: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Other weights than the program's own.", show_default=False),
    ] = None,
    device: DeviceName = "auto",
    as_json: AsJson = False,
    workers: Workers = None,
    cluster: ClusterAddress = None,
    overwrite: Overwrite = False,
) -> None:
    """Fill in the organs of volumes in which one to three slices are labelled: no study, no training.

    A network that has learnt organs from simulated ultrasound continues your drawing in a volume: whole slices, or
    strokes (255 elsewhere). Slices across each other tell it most. Your drawing stays as it is. The volumes have no
    prediction intervals; the model of a trained study gives them.

    \b
    Example:
      uslabelseg propagate volumes --labels slices --output segmentations --organs prostate
    """
    console.getting_ready()

    from ..imaging.files import find_images
    from ..imaging.scan_files import images_by_name

    console.results_elsewhere = as_json
    found = images_by_name(images)
    outputs = outputs_of(overwrite, [labels, *images])
    if (cohort := where_of(workers, cluster, as_json)) is not None:
        from .cohort_segmenting import Propagating, Results, organs_drawn, propagate_cohort

        files = find_images(labels, labels=True)
        results = Results(output, probability, uncertainty, f".{label_format}")
        names = organs_drawn(files, parse_organs(organs))
        work = Propagating(names, results, device, weights and weights.absolute())
        propagate_cohort(cohort, _labelled(found, files, labels), work, files, outputs)
        return
    from ..segmentation.model import choose_device
    from ..training.memory import tune_memory

    where = choose_device(device)
    processors = idle_processors(where)
    propagation = _of_labels(labels, parse_organs(organs), weights)
    labelled = _labelled(found, propagation.labels, labels)
    tune_memory()
    segment_scans(
        propagation,
        labelled,
        output,
        where,
        processors,
        outputs,
        probability=probability,
        uncertainty=uncertainty,
        label_format=label_format,
        as_json=as_json,
    )
    console.next(f"uslabelseg report {shell(output)} --images IMAGES --output report.html")


def _labelled(images: Mapping[str, Path], labels: Collection[str], folder: Path) -> dict[str, Path]:
    """The images that have labels; the others are told. Raises `InputError` if there are none."""
    without = [name for name in images if name not in labels]
    if len(without) == len(images):
        raise InputError(folder, "has no label of the name of an image", "give labels the names of their images")
    if without:
        console.say(f"Passed over, without labels: {', '.join(map(printable, without))}")
    return {name: path for name, path in images.items() if name in labels}


def _of_labels(folder: Path, organs: list[str] | None, weights: Path | None) -> "Propagation":
    """The drawings by the name of the volume, with labels 1, 2, ... for the organs."""
    from ..annotation.label_files import read_volume_labels
    from ..annotation.segments import LabelFile, matched
    from ..imaging.files import find_images
    from ..promptable_network.starter import load_starter
    from ..prompting.propagation import Propagation
    from ..study.organs import study_organs

    files = find_images(folder, labels=True)
    drawn = {name: read_volume_labels(path) for name, path in files.items()}
    names = study_organs([LabelFile.of(files[name], one) for name, one in drawn.items()], organs)
    network = load_starter() if weights is None else load_starter(weights)
    return Propagation({name: matched(one, names, files[name]) for name, one in drawn.items()}, names, network)
