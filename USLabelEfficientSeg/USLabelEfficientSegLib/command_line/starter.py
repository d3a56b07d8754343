"""`uslabelseg starter`: the weights that fill in volumes before anything is trained."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import ExitCode
from .console import console, shell
from .help_texts import EPILOG, first_sentence
from .interruption import Interruption
from .long_commands import long_command
from .options import DeviceName

app = typer.Typer(rich_markup_mode=None, help="The weights of `propagate`, which come with the program: train others.")


@app.callback()
def starter() -> None:
    """The weights of `propagate`, which come with the program: train others."""


@long_command
def train(
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="Folder of the training.", show_default=False)],
    hours: Annotated[float, typer.Option(metavar="H", min=0.001, help="Learn for so long; then cool down.")],
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    device: DeviceName = "auto",
) -> None:
    """Train the starter weights on random scenes of organs in ultrasound, which the program draws itself.

    The first phase learns for H hours from where an earlier call ended, so hours can be added. The second phase cools
    down in a quarter as many steps and writes OUTPUT/starter.safetensors. Ctrl-C saves in both phases, and the same
    command continues.

    \b
    Example:
      uslabelseg starter train starter --hours 10
    """
    from ..errors import Cancelled
    from ..prompting.starter import STARTER, save_starter
    from ..prompting.starter_training import cool_down, learn_scenes, learning_context
    from ..segmentation.model import choose_device

    where = choose_device(device)
    output.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + 3600 * hours
    with Interruption() as interruption:
        context = learning_context(output, seed, where, interruption)
        console.say(f"Learning scenes for {hours:g} hours, on {where}.")
        steps = learn_scenes(replace(context, cancelled=lambda: interruption() or time.monotonic() > until))
        console.say(f"{steps} steps so far.")
        if interruption():
            raise typer.Exit(ExitCode.CANCELLED)
        try:
            network = cool_down(context)
        except Cancelled:
            raise typer.Exit(ExitCode.CANCELLED) from None
    card: dict[str, Any] = {"steps": steps, "seed": seed, "trained on": "random scenes of this program alone"}
    weights = output / STARTER.name
    save_starter(weights, network, card)
    console.say(f"Weights: {weights}")
    console.next(f"uslabelseg propagate IMAGES --labels DIR --output OUT --weights {shell(weights)}")


app.command(short_help=first_sentence(train), epilog=EPILOG)(train)
