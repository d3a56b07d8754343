"""`uslabelseg train --remote`: the same training on another computer."""

import time
from collections.abc import Collection
from pathlib import Path
from typing import Annotated

import typer

from ..errors import Cancelled, ExitCode, InputError
from ..text.durations import duration
from .console import console
from .interruption import Interruption
from .progress import shown_progress

RemoteFolder = Annotated[
    str | None,
    typer.Option(
        "--remote",
        metavar="USER@HOST:FOLDER",
        show_default=False,
        help="Train on another computer, by SSH: the study is copied into that folder, and its training brought back. "
        "Needs paramiko and, there, this version of the program.",
    ),
]
RemoteCommand = Annotated[
    str,
    typer.Option("--remote-command", metavar="COMMAND", help="How `uslabelseg` is called on the other computer."),
]
_OF_THIS_COMPUTER = {"teacher_weights": "--teacher-weights", "transformer_weights": "--transformer-weights"}
_NOT_PASSED_ON = ("study", "remote", "remote_command", "events", "quiet", "verbose", "restart")


def train_there(study: Path, address: str, command: str, context: typer.Context, *, as_json: bool) -> None:
    """Train a study on another computer with the options that were given here; Ctrl-C stops it there as here."""
    from ..remote.address import Address
    from ..remote.training import Request, train_remotely
    from ..study.study import Study

    request = Request(Address.parse(address), command, given_options(context), bool(context.params["restart"]))
    opened = Study.open(study)
    console.say(f"Training {study} on {request.address.host}.")
    started = time.monotonic()
    try:
        with Interruption() as interruption, shown_progress(interruption, as_json=as_json) as listener:
            opened.events.listen(listener)
            train_remotely(opened, request, interruption, console.caution)
    except Cancelled as stop:
        console.stopped(stop, f"the same command{' without --restart' if request.restart else ''}")
        raise typer.Exit(ExitCode.BROKEN_PIPE if interruption.output_gone else ExitCode.CANCELLED) from None
    console.say(f"Done in {duration(time.monotonic() - started)}.")


def given_options(context: typer.Context, without: Collection[str] = _NOT_PASSED_ON) -> list[str]:
    """The options of a command as they were given, in words.

    Raises:
        InputError: one names a file of this computer.
    """
    words: list[str] = []
    for parameter in context.command.params:
        source = context.get_parameter_source(str(parameter.name))
        value = context.params.get(str(parameter.name))
        if parameter.name in without or source is None or source.name == "DEFAULT":
            continue
        if option := _OF_THIS_COMPUTER.get(str(parameter.name)):
            raise InputError(option, "names a file of this computer", "leave it out, or train on this computer")
        for one in value if isinstance(value, list | tuple) else [value]:
            words += [parameter.opts[0]] if one is True else [parameter.opts[0], str(one)]
    return words
