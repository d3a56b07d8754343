"""`uslabelseg settings`."""

import json
from typing import Annotated, Literal

import typer

from .console import console


def settings(
    preset: Annotated[
        Literal["quick", "standard", "full"], typer.Argument(metavar="PRESET", help="quick, standard or full.")
    ] = "quick",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """List every setting of a training with its value in a preset, the values that are allowed, and what it is.

    Change one with --set NAME=VALUE of `uslabelseg train`.

    \b
    Examples:
      uslabelseg settings
      uslabelseg settings standard --json
    """
    from ..study.settings import described

    found = described(preset)
    if as_json:
        print(json.dumps([setting._asdict() for setting in found], indent=2))
        return
    rows = [(setting.name, json.dumps(setting.value), setting.allowed, setting.description) for setting in found]
    console.table(("Setting", f"Value in {preset}", "Allowed", "What it is"), rows)
