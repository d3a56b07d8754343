"""`uslabelseg split`."""

from pathlib import Path
from typing import Annotated

import typer

from .console import console, shell
from .long_commands import Overwrite, long_command, outputs_of


@long_command
def split(
    image: Annotated[Path, typer.Argument(help="Image with several time points (4-D).", show_default=False)],
    output: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder of the volumes; made if need be.", show_default=False)
    ],
    overwrite: Overwrite = False,
) -> None:
    """Write each time point of a 4-D image as a volume of its own: NAME_000.nrrd, NAME_001.nrrd, ...

    The volumes have the image's grid and its grey values. Files that other programs wrote, or that were edited
    since, are never replaced without --overwrite.

    \b
    Example:
      uslabelseg split heart-cycle.nrrd --output volumes
    """
    from ..imaging.files import split_frames, write_volume

    volumes = split_frames(image)
    paths = [output / f"{volume.name}.nrrd" for volume in volumes]
    with outputs_of(overwrite, [image], *paths).written(*paths) as files:  # all or none: a disk may be full
        for file, volume in zip(files, volumes, strict=True):
            write_volume(file, volume)
    last = f" to {paths[-1].name}" if len(paths) > 1 else ""
    console.say(f"Wrote {len(paths)} volumes to {output}: {paths[0].name}{last}.")
    console.next(f"uslabelseg study create STUDY --images {shell(output)}")
