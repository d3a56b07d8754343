"""`uslabelseg suggest`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .console import console, shell
from .long_commands import Overwrite, long_command, outputs_of
from .options import DeviceName, StudyFolder
from .waiting import take_waiting_if_free

if TYPE_CHECKING:
    import torch


@long_command
def suggest(
    study: StudyFolder,
    count: Annotated[int, typer.Option(metavar="N", help="How many slices, or 2-D images.", show_default=False)],
    volume: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only slices of this volume.", show_default=False)
    ] = None,
    write: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            show_default=False,
            help="Write what you need to label them in any program: volumes, label maps, pictures of the slices; or "
            "the 2-D images.",
        ),
    ] = None,
    overwrite: Overwrite = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the choice.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
    device: DeviceName = "auto",
) -> None:
    """Tell which slices, or which 2-D images, to label next to teach the network most.

    Slices are cuts through random volumes, along all three axes in turn: before training through the middle, later
    through the organs that the network finds. 2-D images are chosen to stand for many others: before training for
    images unlike any labelled one, later for images that the network is unsure of. Labelled slices and images are never
    suggested. With --json the result is a list of objects {"volume", "axis", "index", "reason"}, most useful first. The
    index counts from 0 along the array axis; an image is its own slice 0 of axis 2.

    With --write DIR each volume lies in DIR/images, its label map in DIR/labels, a picture of each slice in DIR/slices.
    The label map holds the study's labels, and 255 (unlabelled) elsewhere. Paint all of a slice, with 0 for background,
    leave other slices at 255, and take it into the study with `study label`. For 2-D images DIR/images holds the
    pictures: paint masks of the same size and name in DIR/labels.

    \b
    Examples:
      uslabelseg suggest my-study --count 10
      uslabelseg suggest my-study --count 3 --volume patient7
      uslabelseg suggest my-study --count 10 --write to-label
    """
    console.getting_ready()

    from ..method.suggesting import is_trained
    from ..method.suggesting import suggest as suggest_places
    from ..study.study import Study
    from .slices import suggested_slice

    opened = Study.open(study)
    take_waiting_if_free(opened)
    where = _device(device) if device != "auto" or is_trained(opened) else None  # no model is asked
    console.results_elsewhere = as_json
    suggestions = suggest_places(opened, count, volume=volume, seed=seed, device=where)
    if write is not None:
        from ..method.suggesting import write_suggestions

        write_suggestions(opened, suggestions, write, outputs_of(overwrite, [study]))
    if as_json:
        print(json.dumps([asdict(suggestion) for suggestion in suggestions], indent=2))
        return
    of_images = opened.is_planar
    if of_images:
        console.table(("Image", "Why"), [(found.volume, found.reason) for found in suggestions])
    else:
        rows = [(found.volume, suggested_slice(opened, found), found.reason) for found in suggestions]
        console.table(("Volume", "Slice", "Why"), rows)
    if len(suggestions) < count:
        console.say(f"No other {opened.words.slice} is left.")
    if write is None:
        module = "" if of_images else ", or 3D Slicer's module"
        console.next(f"uslabelseg suggest {shell(opened.folder)} --count {count} --write to-label{module}")
        return
    if of_images:
        console.say(f"Wrote these images to {write / 'images'}.")
        console.say(f"Paint masks of the same size and name in {write / 'labels'}, with 0 for background.")
    else:
        console.say(f"Wrote the volumes, label maps and pictures of these slices to {write}.")
        console.say(f"Paint the label maps in {write / 'labels'}, all of a slice with 0 for background.")
    console.next(f"uslabelseg study label {shell(opened.folder)} --labels {shell(write)}")


def _device(name: str) -> "torch.device":
    """Where a model is asked."""
    from ..segmentation.model import choose_device
    from ..training.memory import tune_memory

    tune_memory()
    return choose_device(name)
