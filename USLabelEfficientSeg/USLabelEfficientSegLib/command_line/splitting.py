"""`uslabelseg split`."""

from pathlib import Path
from typing import Annotated

import typer


def split(
    image: Annotated[Path, typer.Argument(help="Image with several time points (4-D).", show_default=False)],
    output: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder of the volumes; made if need be.", show_default=False)
    ],
) -> None:
    """Write each time point of a 4-D image as a volume of its own: NAME_000.nrrd, NAME_001.nrrd, ...

    The volumes have the image's grid and its grey values. Files that exist are never replaced.

    \b
    Example:
      uslabelseg split heart-cycle.nrrd --output volumes
    """
    from ..errors import InputError
    from ..imaging.files import split_frames, write_volume

    volumes = split_frames(image)
    paths = [output / f"{volume.name}.nrrd" for volume in volumes]
    for path in paths:
        if path.exists():
            raise InputError(path, "exists already", "choose another folder, or remove the file first")
    output.mkdir(parents=True, exist_ok=True)
    try:
        for path, volume in zip(paths, volumes, strict=True):
            write_volume(path, volume)
    except BaseException:
        for path in paths:
            path.unlink(missing_ok=True)  # all or none: a disk may be full, a user may have enough
        raise
    print(f"Wrote {len(paths)} volumes to {output}: {paths[0].name}{f' to {paths[-1].name}' if paths[1:] else ''}.")
