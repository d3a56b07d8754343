"""`uslabelseg study`: make a study, look at it, clean it."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ..errors import InputError
from ..imaging.dimension import words_of
from .cleaning import clean
from .console import console, shell
from .help_texts import EPILOG, first_sentence
from .long_commands import long_command
from .nnunet import export_nnunet, sources
from .options import OrganNames, PixelSize, PixelTable, StudyFolder, parse_organs
from .waiting import take_waiting, tell_waiting

if TYPE_CHECKING:
    from ..study.study import Study

app = typer.Typer(rich_markup_mode=None, help="Make a study from a folder of ultrasound images, and look at it.")

_IMAGES = "Volumes or 2-D images: NRRD, NIfTI, MetaImage, GIPL, DICOM; PNG, JPEG, BMP, TIFF."
Images = Annotated[Path, typer.Option(metavar="DIR", help=_IMAGES, show_default=False)]


@long_command
def create(
    study: StudyFolder,
    images: Annotated[Path | None, typer.Option(metavar="DIR", help=_IMAGES, show_default=False)] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Label maps, each with the name of its image: 0 background, 1, 2, ... organs, 255 not labelled; "
            "for one organ also masks of 0 and 255. Files that name their labels are matched by name.",
        ),
    ] = None,
    label_fraction: Annotated[
        float | None,
        typer.Option(metavar="F", help="Keep this fraction of the labelled slices or images and hide the others."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the choice of these slices.")] = 0,
    slice_axis: Annotated[int, typer.Option(metavar="0|1|2", help="Array axis along which slices are labelled.")] = 2,
    orientation: Annotated[
        Literal["as-stored", "anatomical"],
        typer.Option(
            help="as-stored keeps the order of the volumes' axes, which for a probe fits the anatomy; "
            "anatomical brings all volumes to the axes of the patient, by the directions in their files."
        ),
    ] = "as-stored",
    organs: OrganNames = None,
    dimension: Annotated[
        Literal["2", "3"] | None,
        typer.Option(help="2 for 2-D images, 3 for volumes; by default what the files are.", show_default=False),
    ] = None,
    pixel_sizes: PixelTable = None,
    pixel_size: PixelSize = None,
    nnunet: Annotated[
        Path | None,
        typer.Option(
            metavar="DATASET",
            help="Instead of images and labels: a raw data set of nnU-Net v2; its ignore label is 255 here.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Make a study of the volumes or 2-D images in a folder.

    Images and labels are checked, then copied into the new folder STUDY, which can be moved to another machine.
    A slice counts as labelled when none of its voxels is 255: label a few slices completely and leave the rest
    at 255. To try how few labels suffice, give complete labels and a label fraction.

    A folder of 2-D images gives a study of images, each labelled completely or not at all. NRRD, NIfTI, MetaImage and
    calibrated DICOM files tell their pixel size; for all others a table or --pixel-size must tell it.

    \b
    Examples:
      uslabelseg study create my-study --images volumes --labels labels --organs "liver,kidney"
      uslabelseg study create trial --images volumes --labels labels --label-fraction 0.005 --seed 1
      uslabelseg study create heads --images png --labels masks --pixel-sizes sizes.csv --organs head
      uslabelseg study create their-study --nnunet nnUNet_raw/Dataset101_Prostate
    """
    from ..imaging.pixel_sizes import read_pixel_sizes
    from ..study.building import remove_leftovers
    from ..study.study import Study

    for left in remove_leftovers(study):
        console.say(f"Removed {left}: copies of images that a killed `study create` had left.")
    with sources(images, labels, parse_organs(organs), nnunet) as (of_images, of_labels, names):
        made = Study.create(
            study,
            of_images,
            of_labels,
            organs=names,
            slice_axis=slice_axis,
            label_fraction=label_fraction,
            seed=seed,
            dimension=None if dimension is None else 2 if dimension == "2" else 3,
            pixel_sizes=read_pixel_sizes(pixel_sizes, pixel_size),
            orientation=orientation,
        )
    summary = made.summary()
    console.say(f"Made {study}: {_overview(summary)}.")
    _tell_unseen(summary)
    tell_next(made)


@long_command
def add(
    study: StudyFolder,
    images: Images,
    pixel_sizes: PixelTable = None,
    pixel_size: PixelSize = None,
) -> None:
    """Add volumes or images to a study.

    If the study is trained already, `uslabelseg train` continues from its model. `suggest` names the best slices of the
    new volumes, and `study label` takes their labels. If one file does not fit, none is added.

    \b
    Example:
      uslabelseg study add my-study --images more-volumes
    """
    from ..imaging.pixel_sizes import read_pixel_sizes
    from ..study.study import Study

    opened = Study.open(study)
    sizes = read_pixel_sizes(pixel_sizes, pixel_size)
    with opened.lock():
        names = opened.add_images(images, sizes)
    console.say(f"Added {', '.join(names)} to {study}: {_overview(opened.summary())}.")
    tell_next(opened)


@long_command
def label(
    study: StudyFolder,
    labels: Annotated[
        Path,
        typer.Option(
            metavar="DIR",
            show_default=False,
            help="Label maps, each with the name of its volume or image, or the folder that `suggest --write` made.",
        ),
    ],
) -> None:
    """Take labels that were drawn elsewhere into a study.

    Organs are matched by the names in the files; files without names have the study's numbers. Completely labelled
    slices are taken, also if they were labelled before; where a file has 255, the study keeps its labels. If one file
    does not fit, none is taken.

    \b
    Examples:
      uslabelseg suggest my-study --count 10 --write to-label
      uslabelseg study label my-study --labels to-label
    """
    from ..study.label_merging import merge_labels
    from ..study.study import Study
    from .slices import taken_slices

    opened = Study.open(study)
    take_waiting(opened)
    with opened.lock():
        taken = merge_labels(opened, labels)
    for one in taken:
        console.say(f"{one.case}: {taken_slices(opened, one)}")
    summary = opened.summary()
    console.say(f"{study}: {_overview(summary)}.")
    _tell_unseen(summary)
    tell_next(opened)


def show(
    study: StudyFolder,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Show what a study holds: volumes or images, organs and labelled slices; and how far it is trained.

    \b
    Example:
      uslabelseg study show my-study
    """
    from ..study.study import Study
    from .slices import labelled_slices

    opened = Study.open(study)
    summary = opened.summary()
    if as_json:
        print(json.dumps({**summary, "training": opened.training()}, indent=2))
        return
    console.say(f"{study}: {_overview(summary)}.")
    console.say(f"Training: {_training_text(opened)}")
    tell_what_decides(opened)
    for organ, counts in summary["organs"].items():
        console.say(f"  {organ}: on {counts['labelled_slices']} labelled {opened.words.slices}")
    _tell_unseen(summary)
    tell_stray(opened)
    tell_waiting(opened)
    rows = [
        (
            case["name"],
            " x ".join(map(str, case["shape"][: opened.dimension])),
            " x ".join(f"{spacing:.3g}" for spacing in case["spacing"][: opened.dimension]),
            labelled_slices(opened, case["name"]),
        )
        for case in summary["cases"]
    ]
    headings = ("Volume", "Voxels", "Spacing, mm", "Labelled slices")
    console.table(("Image", "Pixels", "Pixel size, mm", "Labelled") if opened.is_planar else headings, rows)
    tell_next(opened)


def tell_next(study: "Study") -> None:
    """The step that the study is ready for."""
    from ..disk.study_layout import MODEL_NAME

    folder = shell(study.folder)
    if study.is_training():
        console.next(f"uslabelseg study show {folder}, until the training has ended")
    elif not any(case.labels for case in study.cases):
        console.next(f"uslabelseg suggest {folder} --count 10 --write DIR, then label these {study.words.slices}")
    elif (study.run_folder / MODEL_NAME).exists() and not _news(study):
        console.next(f"uslabelseg segment {folder} IMAGE... --output segmentations")
    else:
        console.next(f"uslabelseg train {folder}")


def _news(study: "Study") -> str:
    """News of a study since its training was last started or continued; empty if there is none."""
    from ..study.provenance import images_added, labels_changed

    news = []
    if labels_changed(study):
        news.append("labels")
    if images_added(study):
        news.append(study.words.scans)
    return " and ".join(news)


def _training_text(study: "Study") -> str:
    """How far a study is trained."""
    from ..study.stages import stage_title

    last = study.training()
    if last is None:
        return "not started"
    if last["state"] == "finished":
        news = _news(study)
        return f"finished, without the {news} that are new since" if news else "finished"
    return f"{stage_title(last['stage'])}, {last['step']} of {last['of']}, {last['state']}"


def tell_what_decides(study: "Study") -> None:
    """What decides in the study's model, where that was measured."""
    from ..disk.study_layout import MODEL_NAME
    from ..segmentation.model_header import read_voters

    model = study.run_folder / MODEL_NAME
    if not model.exists():
        return
    try:
        voters = read_voters(model)
    except InputError as error:
        console.caution(str(error))
        return
    if voters is not None and voters.shares is not None:
        console.say(f"{voters.shares.told()}.")


def tell_stray(study: "Study") -> None:
    """Name files in the study's folders that it does not know, and how to add them."""
    from ..study.stray_files import stray_files

    folder = shell(study.folder)
    for path in stray_files(study):
        add = f"uslabelseg study add {folder} --images DIR, from a folder of its own"
        if path.parent.name == "labels":
            add = f"uslabelseg study label {folder} --labels {shell(path.parent)}"
        console.caution(f"{path}: is no part of the study and not used; add it with {add}.")


def _tell_unseen(summary: dict) -> None:
    """Warn of organs that cannot be learnt as yet; a study without any labels has another first step."""
    unseen = [organ for organ, counts in summary["organs"].items() if not counts["labelled_slices"]]
    if unseen and summary["labelled_volumes"]:
        of = words_of(summary["dimension"]).slice
        names = " or ".join(unseen)
        console.say(f"No labelled {of} shows {names}: label one that does before training, or leave the organ out.")


def _overview(summary: dict) -> str:
    from ..study.coverage import in_percent

    if summary["dimension"] == 2:
        return (
            f"{summary['volumes']} images, {summary['labelled_volumes']} of them labelled "
            f"({in_percent(summary['label_fraction'])}), organs {', '.join(summary['organs'])}"
        )
    return (
        f"{summary['volumes']} volumes, {summary['labelled_slices']} labelled slices "
        f"({in_percent(summary['label_fraction'])}) in {summary['labelled_volumes']} of them, "
        f"organs {', '.join(summary['organs'])}"
    )


for command in (create, add, label, show, clean, export_nnunet):
    app.command(short_help=first_sentence(command), epilog=EPILOG)(command)
