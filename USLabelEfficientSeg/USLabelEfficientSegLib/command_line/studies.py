"""`uslabelseg study`: make a study and look at it."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from .options import OrganNames, StudyFolder, parse_organs

app = typer.Typer(rich_markup_mode=None, help="Make a study from a folder of ultrasound volumes, and look at it.")


@app.command()
def create(
    study: StudyFolder,
    images: Annotated[
        Path, typer.Option(metavar="DIR", help="Volumes: NRRD, NIfTI, MetaImage, GIPL, DICOM.", show_default=False)
    ],
    labels: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Label maps, each with the name of its volume: 0 background, 1, 2, ... organs, 255 not labelled.",
        ),
    ] = None,
    label_fraction: Annotated[
        float | None,
        typer.Option(metavar="F", help="Keep this fraction of the labelled slices and hide the others."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the choice of these slices.")] = 0,
    slice_axis: Annotated[int, typer.Option(metavar="0|1|2", help="Array axis along which slices are labelled.")] = 2,
    organs: OrganNames = None,
) -> None:
    """Make a study of the volumes in a folder.

    Images and labels are checked, then copied into the new folder STUDY, which can be moved to another machine.
    A slice counts as labelled when none of its voxels is 255: label a few slices completely and leave the rest
    at 255. To try how few labels suffice, give complete labels and a label fraction.

    \b
    Examples:
      uslabelseg study create my-study --images volumes --labels labels --organs "liver,kidney"
      uslabelseg study create trial --images volumes --labels labels --label-fraction 0.005 --seed 1
    """
    from ..study.study import Study

    made = Study.create(
        study,
        images,
        labels,
        organs=parse_organs(organs),
        slice_axis=slice_axis,
        label_fraction=label_fraction,
        seed=seed,
    )
    summary = made.summary()
    print(f"Made {study}: {_overview(summary)}.")
    print(f"Next: uslabelseg train {study}")


@app.command()
def add(
    study: StudyFolder,
    images: Annotated[
        Path, typer.Option(metavar="DIR", help="Volumes: NRRD, NIfTI, MetaImage, GIPL, DICOM.", show_default=False)
    ],
) -> None:
    """Add volumes to a study. A study that is trained already has to be trained anew with them: --restart.

    \b
    Example:
      uslabelseg study add my-study --images more-volumes
    """
    from ..study.study import Study

    opened = Study.open(study)
    with opened.lock():
        names = opened.add_images(images)
    print(f"Added {', '.join(names)} to {study}: {_overview(opened.summary())}.")


@app.command()
def show(
    study: StudyFolder,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Show what a study holds: volumes, organs, labelled slices and how far it is trained.

    \b
    Example:
      uslabelseg study show my-study
    """
    from ..study.events import read_events
    from ..study.study import Study

    opened = Study.open(study)
    summary = opened.summary()
    events = read_events(opened.events.path)
    last = {name: getattr(events[-1], name) for name in ("stage", "step", "of")} if events else None
    if as_json:
        print(json.dumps({**summary, "training": last}, indent=2))
        return
    print(f"{study}: {_overview(summary)}.")
    print("Training: " + ("{stage}, {step} of {of}".format_map(last) if last else "not started"))
    for organ, counts in summary["organs"].items():
        print(f"  {organ}: on {counts['labelled_slices']} labelled slices")
    table = Table("Volume", "Voxels", "Spacing, mm", "Labelled slices")
    for case in summary["cases"]:
        table.add_row(
            case["name"],
            " x ".join(map(str, case["shape"])),
            " x ".join(f"{spacing:.3g}" for spacing in case["spacing"]),
            str(len(case["labelled_slices"])),
        )
    Console().print(table)


def _overview(summary: dict) -> str:
    return (
        f"{summary['volumes']} volumes, {summary['labelled_slices']} labelled slices "
        f"({100 * summary['label_fraction']:.2g} %) in {summary['labelled_volumes']} of them, "
        f"organs {', '.join(summary['organs'])}"
    )
