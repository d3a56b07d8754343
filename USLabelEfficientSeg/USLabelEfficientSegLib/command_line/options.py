"""Options that several commands share."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import InputError
from ..text.assignments import name_and_value

StudyFolder = Annotated[Path, typer.Argument(metavar="STUDY", help="Folder of the study.", show_default=False)]
DeviceName = Annotated[str, typer.Option("--device", help="Where to compute: auto, cpu, cuda, cuda:1, ... or mps.")]
Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Change a setting of the preset; may be repeated. `uslabelseg settings` lists all.",
    ),
]
OrganNames = Annotated[
    str | None,
    typer.Option(
        "--organs", metavar="A,B", help="Names of the organs, separated by commas; "
        "files that name their labels are matched by name, in others they are labels 1, 2, ...",
        show_default=False,
    ),
]  # fmt: skip

PixelTable = Annotated[
    Path | None,
    typer.Option(
        "--pixel-sizes", metavar="FILE.csv", show_default=False,
        help="Of 2-D images: table with the columns filename and pixel size(mm).",
    ),
]  # fmt: skip
PixelSize = Annotated[
    float | None,
    typer.Option(
        "--pixel-size", metavar="MM", show_default=False,
        help="Of 2-D images that do not tell it and are not in the table.",
    ),
]  # fmt: skip


def parse_changes(pairs: Sequence[str] | None) -> dict[str, Any]:
    """Values by dotted name from `NAME=VALUE`, see `name_and_value`. Raises `InputError`."""
    changes: dict[str, Any] = {}
    for pair in pairs or ():
        try:
            name, value = name_and_value(pair)
        except ValueError:
            problem = "is not of the form NAME=VALUE"
            raise InputError(f"--set {pair}", problem, "write e.g. --set student.steps=400") from None
        if name == "preset":
            raise InputError(f"--set {pair}", "would only change a name", "choose a preset with --preset")
        changes[name] = value
    return changes


def parse_organs(text: str | None) -> list[str] | None:
    """Names of organs, separated by commas."""
    return None if text is None else [name.strip() for name in text.split(",")]
