"""`uslabelseg export-model`: a trained model for other programs."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from .console import console, shell
from .long_commands import long_command


@long_command
def export_model(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL", help="Folder of a trained study or of an export, or a model file.", show_default=False
        ),
    ],
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="The new folder.", show_default=False)],
    form: Annotated[
        Literal["monai-bundle", "onnx"],
        typer.Option("--format", help="A MONAI bundle, or networks as ONNX graphs.", show_default=False),
    ],
    licence: Annotated[
        str | None,
        typer.Option("--license", metavar="TEXT", help="Of the model, such as CC-BY-4.0; by default none is granted."),
    ] = None,
    authors: Annotated[str | None, typer.Option(metavar="TEXT", help="Who made the model.", show_default=False)] = None,
) -> None:
    """Give a trained model to other programs, with a card that tells what it is, knows and does not know.

    A MONAI bundle runs by `python -m monai.bundle run` where this package is installed, and gives what `segment` gives.
    ONNX graphs are the networks, compared with the originals while they are written; README.md tells what is to be done
    before and after them. `segment` takes either folder as MODEL. Neither holds a name of a subject or a file.

    \b
    Examples:
      uslabelseg export-model my-study my-bundle --format monai-bundle --license CC-BY-4.0 --authors "A hospital"
      uslabelseg export-model my-study my-graphs --format onnx
    """
    console.getting_ready()

    from ..exchange.exporting import NO_LICENCE, UNNAMED
    from ..exchange.exporting import export_model as export

    for line in export(model, output, form, licence=licence or NO_LICENCE, authors=authors or UNNAMED):
        console.say(line)
    if form == "onnx":
        console.say(f"Next: read {output / 'README.md'}.")
    else:
        console.say(f"{output}: the card is {output / 'docs' / 'README.md'}.")
        console.next(f"uslabelseg segment {shell(output)} IMAGE... --output segmentations")
