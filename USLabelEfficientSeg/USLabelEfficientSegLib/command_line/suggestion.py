"""`uslabelseg suggest`."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from .console import console
from .long_commands import long_command
from .options import DeviceName, StudyFolder


@long_command
def suggest(
    study: StudyFolder,
    count: Annotated[int, typer.Option(metavar="N", help="How many slices.", show_default=False)],
    volume: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only slices of this volume.", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the choice.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
    device: DeviceName = "auto",
) -> None:
    """Tell which slices to label next: those that teach the network most.

    These are cuts through random volumes, along all three axes in turn: before training through the middle, later
    through what the network finds. A labelled slice is never suggested. With --json the result is
    a list of objects {"volume", "axis", "index", "reason"}, most useful slice first; the index counts from 0 along
    the array axis.

    \b
    Examples:
      uslabelseg suggest my-study --count 10
      uslabelseg suggest my-study --count 3 --volume patient7
    """
    from ..segmentation.model import choose_device
    from ..study.memory import tune_memory
    from ..study.study import Study
    from ..suggesting import suggest as suggest_slices
    from .slices import suggested_slice

    opened, where = Study.open(study), choose_device(device)
    tune_memory()
    suggestions = suggest_slices(opened, count, volume=volume, seed=seed, device=where)
    if as_json:
        print(json.dumps([asdict(suggestion) for suggestion in suggestions], indent=2))
        return
    rows = [(found.volume, suggested_slice(opened, found), found.reason) for found in suggestions]
    console.table(("Volume", "Slice", "Why"), rows)
    if len(suggestions) < count:
        console.say("No other slice is left.")
    console.say("Next: label these slices, in 3D Slicer's module US Label-Efficient Segmentation.")
