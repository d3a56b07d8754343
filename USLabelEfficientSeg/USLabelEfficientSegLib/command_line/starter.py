"""`uslabelseg starter`: the weights that know ultrasound before a study is trained."""

import time
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import ExitCode
from .console import console, shell
from .help_texts import EPILOG, first_sentence
from .interruption import Interruption
from .long_commands import long_command
from .options import DeviceName

app = typer.Typer(rich_markup_mode=None, help="The weights that come with the program: train others.")


class Network(StrEnum):
    """The networks with starter weights."""

    PROPAGATION = "propagation"
    SLICES = "slices"


@app.callback()
def starter() -> None:
    """The weights that come with the program: train others."""


@long_command
def train(
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="Folder of the training.", show_default=False)],
    hours: Annotated[float, typer.Option(metavar="H", min=0.001, help="Learn for so long; then cool down.")],
    network: Annotated[
        Network, typer.Option(help="The network of `propagate`, or the one from which 2-D networks of a study start.")
    ] = Network.PROPAGATION,
    weights: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Starter weights to begin with; the result is the mean of both.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    device: DeviceName = "auto",
) -> None:
    """Train the starter weights on random scenes of organs in ultrasound, which the program draws itself.

    The first phase learns for H hours from where an earlier call ended, so hours can be added. The second phase cools
    down in a quarter as many steps and writes OUTPUT/starter.safetensors. Ctrl-C saves in both phases, and the same
    command continues. Each network wants a folder of its own.

    \b
    Example:
      uslabelseg starter train starter --hours 10
    """
    from ..errors import Cancelled
    from ..segmentation.model import choose_device
    from ..training.checkpoint_header import read_metadata
    from ..training.phases import cool_down, learn, learning_context
    from ..training.starter_files import averaged_with, save_starter

    if network is Network.SLICES:
        from ..slice_network.starter_training import LESSON
    else:
        from ..promptable_network.starter_training import LESSON

    where = choose_device(device)
    output.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + 3600 * hours
    with Interruption() as interruption:
        context = learning_context(LESSON, output, seed, where, interruption)
        console.say(f"Learning scenes for {hours:g} hours, on {where}.")
        steps = learn(replace(context, cancelled=lambda: interruption() or time.monotonic() > until), LESSON, weights)
        console.say(f"{steps} steps so far.")
        if interruption():
            raise typer.Exit(ExitCode.CANCELLED)
        try:
            trained = cool_down(context, LESSON)
        except Cancelled:
            raise typer.Exit(ExitCode.CANCELLED) from None
    card: dict[str, Any] = {"steps": steps, "seed": seed, "trained on": "random scenes of this program alone"}
    if weights is not None:
        averaged_with(weights, trained)
        card["mean with those begun with"] = read_metadata(weights)["starter"]
    written = output / "starter.safetensors"
    save_starter(written, trained, card)
    console.say(f"Weights: {written}")
    if network is Network.PROPAGATION:
        console.next(f"uslabelseg propagate IMAGES --labels DIR --output OUT --weights {shell(written)}")


app.command(short_help=first_sentence(train), epilog=EPILOG)(train)
