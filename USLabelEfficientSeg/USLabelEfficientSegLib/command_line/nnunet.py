"""`uslabelseg study export-nnunet`, and a data set of nnU-Net as the images and labels of a new study."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from ..errors import InputError
from .console import console
from .long_commands import long_command
from .options import StudyFolder
from .waiting import take_waiting_if_free

Source = tuple[Path, Path | None, Sequence[str] | None]


@long_command
def export_nnunet(
    study: StudyFolder,
    output: Annotated[
        Path, typer.Argument(metavar="OUTPUT", help="New folder of the data set: DatasetNNN_NAME.", show_default=False)
    ],
) -> None:
    """Write a study of volumes as a raw data set of nnU-Net v2.

    Labelled volumes become its training cases, with nnU-Net's ignore label where nothing is labelled; the others become
    images to predict. Files have the names of the cases.

    \b
    Example:
      uslabelseg study export-nnunet my-study nnUNet_raw/Dataset101_Prostate
    """
    console.getting_ready()

    from ..disk.new_folder import new_folder
    from ..study.nnunet import write_dataset
    from ..study.study import Study

    opened = Study.open(study)
    if opened.is_planar:
        raise InputError(study, "is a study of 2-D images", "export a study of volumes")
    take_waiting_if_free(opened)
    labelled = [case for case in opened.cases if case.labels is not None]
    if not labelled:
        raise InputError(study, "has no labelled slice", "label one: nnU-Net learns from labels alone")
    others = {case.name: study / case.image.file for case in opened.cases if case.labels is None}
    with new_folder(output) as folder:
        write_dataset(folder, opened, others)
    console.say(f"{output}: {len(labelled)} labelled volumes, {len(others)} to predict.")


@contextmanager
def sources(
    images: Path | None, labels: Path | None, organs: Sequence[str] | None, nnunet: Path | None
) -> Iterator[Source]:
    """Folders of images and labels, and names of organs: those given, or those of a data set of nnU-Net.

    Raises:
        InputError: both or none are given; a data set that cannot be read.
    """
    if nnunet is None:
        if images is None:
            raise InputError("study create", "has no images", "give --images DIR, or --nnunet DATASET")
        yield images, labels, organs
        return
    for option, value in {"--images": images, "--labels": labels, "--organs": organs}.items():
        if value is not None:
            raise InputError(option, "is part of the data set of --nnunet", "leave it out")
    from ..study.nnunet import read_dataset

    data = read_dataset(nnunet)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        yield *data.lay_out(Path(folder)), data.organs
