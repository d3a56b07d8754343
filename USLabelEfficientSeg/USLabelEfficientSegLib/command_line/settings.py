"""`uslabelseg settings`."""

import json
import shutil
import textwrap
from typing import Annotated, Any, Literal

import typer

from .console import console


def settings(
    preset: Annotated[
        Literal["quick", "standard", "full"], typer.Argument(metavar="PRESET", help="quick, standard or full.")
    ] = "quick",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """List every setting of a training: its value in a preset, the allowed values, and what it is.

    Change one with --set NAME=VALUE of `uslabelseg train`.

    \b
    Examples:
      uslabelseg settings
      uslabelseg settings standard --json
    """
    from ..study.setting_descriptions import described
    from ..study.settings import preset as preset_settings

    found = described(preset_settings(preset))
    if as_json:
        print(json.dumps([setting._asdict() for setting in found], indent=2))
        return
    width = shutil.get_terminal_size().columns
    for setting in found:
        allowed = f" ({setting.allowed})" if setting.allowed else ""
        text = f"{setting.name} = {json.dumps(_rounded(setting.value))}{allowed}: {setting.description}"
        console.say(textwrap.fill(text, width, subsequent_indent="    ", break_on_hyphens=False), lines=True)
    console.next(f"uslabelseg train STUDY --preset {preset} --set NAME=VALUE")


def _rounded(value: Any) -> Any:
    return float(f"{value:.4g}") if isinstance(value, float) else value
