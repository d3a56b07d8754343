"""`uslabelseg train`."""

import sys
import time
from pathlib import Path
from typing import Annotated, Literal

import typer

from ..errors import Cancelled, InputError
from .interruption import CANCELLED, Interruption
from .options import Changes, DeviceName, StudyFolder, parse_changes
from .progress import duration, shown_progress


def train(
    study: StudyFolder,
    method: Annotated[
        Literal["cross-dimensional", "information-divergence"] | None,
        typer.Option(
            help="The 2-D teacher: a ViT that learns without labels first, or two networks that teach each other; by "
            "default that of earlier training or cross-dimensional."
        ),
    ] = None,
    preset: Annotated[
        Literal["quick", "standard", "full"] | None,
        typer.Option(
            help="quick suits a laptop, standard and full a GPU; by default that of earlier training or quick."
        ),
    ] = None,
    device: DeviceName = "auto",
    stage: Annotated[
        Literal["teacher", "slice-head", "pseudo-labels", "student"], typer.Option(help="The last stage to do.")
    ] = "student",
    restart: Annotated[bool, typer.Option("--restart", help="Forget earlier training and start anew.")] = False,
    seed: Annotated[int | None, typer.Option(help="Seed of everything random; 0 by default.")] = None,
    teacher_weights: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Start the teacher from a public DINO checkpoint.")
    ] = None,
    transformer_weights: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Start Swin-Unet, of information-divergence, from a public Swin-tiny checkpoint."
        ),
    ] = None,
    changes: Changes = None,
    events: Annotated[bool, typer.Option("--events", help="Print progress as lines of JSON for programs.")] = False,
) -> None:
    """Train a network for the organs of a study, from all its volumes and its few labelled slices.

    A 2-D network, the teacher, first learns from all slices without labels; with the labelled slices it then
    proposes labels for all others, which are smoothed in 3-D, and a 3-D network learns from both. With the method
    information-divergence two 2-D networks of different kind, UNeXt and Swin-Unet, teach each other instead, and are
    the teacher; the correlations of the first method's teacher are then no part of the training. Training can be
    stopped at any time with Ctrl-C, or die with the machine: the same command continues it with the same settings.

    \b
    Examples:
      uslabelseg train my-study
      uslabelseg train my-study --preset standard --device cuda
      uslabelseg train my-study --method information-divergence
      uslabelseg train my-study --restart --seed 1 --set student.steps=400
    """
    from ..divergence.swin_unet import WIDTH, SwinUnet
    from ..divergence.swin_weights import load_swin_weights
    from ..pipeline import train as train_study
    from ..segmentation.model import MODEL_NAME, choose_device
    from ..study import provenance
    from ..study.memory import tune_memory
    from ..study.settings import changed
    from ..study.settings import preset as preset_settings
    from ..study.study import Study
    from ..teacher.checkpoints import load_vit

    opened = Study.open(study)
    stored = provenance.read_settings(opened) if preset is None else None
    chosen = parse_changes(changes)
    if seed is not None:
        chosen["seed"] = seed
    if teacher_weights is not None:
        load_vit(teacher_weights)  # a wrong file must be found before anything is forgotten or written
        chosen["teacher.weights"] = str(teacher_weights.resolve())
    if transformer_weights is not None:
        load_swin_weights(SwinUnet(2), transformer_weights)
        chosen["divergence.transformer_weights"] = str(transformer_weights.resolve())
        chosen["divergence.transformer_width"] = WIDTH  # the only one with public weights
    if method is not None:
        chosen["method"] = method
    settings = changed(stored or preset_settings(preset or "quick"), chosen)
    where = choose_device(device)
    if (stage != "teacher" or settings.method != "cross-dimensional") and not any(case.labels for case in opened.cases):
        raise InputError(study, "has no labelled slice", "label a slice of a volume, or train with --stage teacher")
    tune_memory()

    out = sys.stderr if events else sys.stdout
    print(f"Training {study}: preset {settings.preset}, seed {settings.seed}, on {where}.", file=out, flush=True)
    started = time.monotonic()
    try:
        with Interruption() as interruption, shown_progress(as_json=events) as listener:
            opened.events.listen(listener)
            train_study(opened, settings, where, until=stage, restart=restart, cancelled=interruption)
    except Cancelled as stop:
        same = "the same command without --restart" if restart else "the same command"
        print(f"uslabelseg: {stop.args[0].split(';')[0]}; {same} continues from here", file=sys.stderr)
        raise typer.Exit(CANCELLED) from None
    print(f"Done in {duration(time.monotonic() - started)}.", file=out)
    if stage == "student":
        print(f"Model: {opened.run_folder / MODEL_NAME}", file=out)
        print(f"Next: uslabelseg segment {study} IMAGE... --output segmentations", file=out)
