"""`uslabelseg demo`."""

import time
from pathlib import Path
from typing import Annotated, Literal

import typer

from ..errors import Cancelled, ExitCode
from ..text.durations import duration
from .console import console, shell
from .interruption import Interruption
from .long_commands import long_command
from .options import Changes, DeviceName, parse_changes
from .progress import shown_progress


@long_command
def demo(
    output: Annotated[
        Path, typer.Argument(metavar="OUTPUT", help="Folder of the demo, new or to continue.", show_default=False)
    ],
    seed: Annotated[int, typer.Option(min=0, help="Another seed simulates other subjects.")] = 0,
    preset: Annotated[Literal["quick", "standard", "full"], typer.Option(help="As for train.")] = "quick",
    device: DeviceName = "auto",
    changes: Changes = None,
) -> None:
    """Show the whole method on simulated ultrasound, in 20 to 30 minutes on one core of a laptop.

    Simulates volumes with two organs, labels 0.5 % of their slices, trains, and segments and measures held-out
    volumes. Everything is simulated, so the report tells how far each result is from the truth. After Ctrl-C the same
    command continues the demo.

    \b
    Example:
      uslabelseg demo my-demo
    """
    console.getting_ready()

    from ..demo import run_demo
    from ..disk.outputs import refuse_study
    from ..segmentation.model import choose_device
    from ..study.settings import changed
    from ..study.settings import preset as preset_settings
    from ..training.memory import tune_memory
    from ..training.processors import Processors

    refuse_study(output)
    settings = changed(preset_settings(preset), {"seed": seed, **parse_changes(changes)})
    where = choose_device(device)
    tune_memory()
    started = time.monotonic()
    try:
        with Interruption() as interruption, shown_progress(interruption) as listener:
            result = run_demo(
                output,
                seed=seed,
                settings=settings,
                device=where,
                listener=listener,
                cancelled=interruption,
                processors=Processors(),
            )
    except Cancelled as stop:
        console.stopped(stop, "the same command")
        raise typer.Exit(ExitCode.CANCELLED) from None
    console.say(f"Labelled: {result.labelled_slices} slices, {result.labelled_share}")
    console.say(f"Mean Dice on held-out volumes: {result.mean_dice:.3f}")
    console.say(f"Median volume error: {result.median_volume_error_percent:.1f} %")
    console.say(f"Report: {result.report} ({duration(time.monotonic() - started)})")
    console.next(f"uslabelseg study show {shell(output / 'study')}")
