"""All commands of `uslabelseg`."""

from typing import Annotated, Any

import typer

from .. import __version__
from . import (
    benchmark,
    calibrating,
    demonstration,
    devices,
    evaluating,
    exporting,
    measuring,
    propagation,
    reporting,
    segmenting,
    serving,
    settings,
    splitting,
    starter,
    studies,
    suggestion,
    training,
)
from .console import console
from .help_texts import EPILOG, first_sentence

USAGE_ERROR: Any = typer.BadParameter.__mro__[1]  # typer's own class or that of click, depending on its version
Abort = typer.Abort

app = typer.Typer(
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(studies.app, name="study", short_help=studies.app.info.help)
app.add_typer(starter.app, name="starter", short_help=starter.app.info.help)
for command in (
    demonstration.demo,
    splitting.split,
    propagation.propagate,
    suggestion.suggest,
    settings.settings,
    training.train,
    segmenting.segment,
    measuring.measure,
    calibrating.calibrate,
    reporting.report,
    reporting.export_dicom,
    exporting.export_model,
    evaluating.evaluate,
    benchmark.benchmark,
    devices.devices,
    serving.serve,
):
    app.command(short_help=first_sentence(command), epilog=EPILOG)(command)


@app.callback(invoke_without_command=True)
def uslabelseg(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    """Segment organs in 3-D ultrasound and measure their volume, from a handful of labelled slices.

    A study is a folder of volumes with a few labelled slices. Make one, train a network on it, then segment and
    measure new volumes:

    \b
      uslabelseg study create my-study --images volumes --labels labels
      uslabelseg train my-study
      uslabelseg segment my-study new-volumes --output segmentations
      uslabelseg measure segmentations --output volumes.csv

    Exit codes: 0 done; 2 bad input, or some files failed; 130 stopped by Ctrl-C, SIGTERM or the end of the terminal;
    141 nobody reads the output any more; 1 a fault of the program. Longer commands keep a log with times in your own
    files, or in the folder named by USLABELSEG_STATE; --verbose tells where.
    """
    if version:
        print(f"uslabelseg {__version__}")
    elif context.invoked_subcommand is None:
        print(context.get_help())
    console.reset()
