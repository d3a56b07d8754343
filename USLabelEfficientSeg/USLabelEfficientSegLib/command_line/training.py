"""`uslabelseg train`."""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ..errors import Cancelled, ExitCode, InputError
from ..study.settings import MethodName
from ..text.durations import duration
from .console import console
from .interruption import Interruption
from .long_commands import long_command
from .options import Changes, DeviceName, StudyFolder, parse_changes
from .progress import Plan, shown_progress
from .remote_training import RemoteCommand, RemoteFolder, train_there
from .studies import tell_next, tell_stray
from .training_told import tell_model, tell_model_of, tell_time, tell_what
from .waiting import take_waiting

if TYPE_CHECKING:
    from ..study.settings import Settings
    from ..study.study import Study


@long_command
def train(
    context: typer.Context,
    study: StudyFolder,
    method: Annotated[
        MethodName | None,
        typer.Option(
            help="The 2-D teacher: a ViT that first learns without labels, or UNeXt and a partner that teach each "
            "other; by default as in earlier training, else cross-dimensional."
        ),
    ] = None,
    preset: Annotated[
        Literal["quick", "standard", "full"] | None,
        typer.Option(
            help="quick suits a laptop, standard and full a GPU; by default as in earlier training, else quick."
        ),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(
            metavar="N",
            show_default=False,
            help="Time that training may take; steps of all networks follow, a tenth to ten times those of the preset.",
        ),
    ] = None,
    device: DeviceName = "auto",
    device_count: Annotated[
        int,
        typer.Option(
            "--devices",
            metavar="N",
            min=1,
            help="Train on so many graphics cards together (with --device cpu: in processes), which share each batch.",
        ),
    ] = 1,
    process_count: Annotated[
        int | None,
        typer.Option(
            "--processes",
            metavar="N",
            min=1,
            help="On a CPU, train independent parts in at most so many processes; by default as many as processors "
            "are idle. The result is the same.",
        ),
    ] = None,
    stage: Annotated[
        Literal["teacher", "slice-head", "pseudo-labels", "student"], typer.Option(help="The last stage to do.")
    ] = "student",
    restart: Annotated[bool, typer.Option("--restart", help="Forget earlier training and start anew.")] = False,
    from_teacher: Annotated[
        bool,
        typer.Option(
            "--from-teacher",
            help="Keep only the teacher, which has seen no label, and learn anew from all labels; by default training "
            "continues from the study's model when labels or volumes are new.",
        ),
    ] = False,
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
    remote: RemoteFolder = None,
    remote_command: RemoteCommand = "uslabelseg",
) -> None:
    """Train a network for the organs of a study, from all its volumes and its few labelled slices.

    2-D networks learn from the labelled slices. Labelled slices that are left out tell how much they count beside where
    organs lie: where location says little, they are the model. Where it helps, another 2-D network, the teacher, learns
    from all slices without labels. With the labelled slices it then proposes labels for all others. These are smoothed
    in 3-D, and 3-D networks, the students, learn from both. With the method information-divergence the teacher is
    UNeXt, a 2-D network that learns from a partner: its own moving average, or a Swin-Unet that it teaches in turn
    (--set divergence.partner=swin-unet). Students then learn no correlations from the teacher. Training can be stopped
    at any time with Ctrl-C, or die with the machine: the same command continues it with the same settings. After new or
    corrected labels, volumes or images, the same command continues from the model.

    A study of 2-D images is trained with information-divergence, in rounds: each teaches the next
    (--set divergence.rounds=2). UNeXt is its model.
    Its measurements have no intervals until `calibrate` gets labelled images that are not in the study: those in it
    would make the model look too good.

    With --remote the training runs on another computer, and goes on there when the connection breaks or this computer
    is switched off: the same command follows it again. Ctrl-C stops it there.

    \b
    Examples:
      uslabelseg train my-study
      uslabelseg train my-study --minutes 30
      uslabelseg train my-study --preset standard --device cuda
      uslabelseg train my-study --preset full --device cuda --devices 4
      uslabelseg train my-study --method information-divergence
      uslabelseg train my-study --restart --seed 1 --set student.steps=400
      uslabelseg train my-study --preset standard --device cuda --remote eva@server:/data/my-study
    """
    from ..study import provenance
    from ..study.settings import changed
    from ..study.settings import preset as preset_settings
    from ..study.stages import Stage
    from ..study.study import Study
    from ..training.processors import Processors

    console.results_elsewhere = events
    take_waiting(Study.open(study))
    if remote is not None:
        train_there(study, remote, remote_command, context, as_json=events)
        tell_model_of(study)
        return
    opened, until = Study.open(study), Stage(stage)
    stored = provenance.read_settings(opened) if preset is None else None
    chosen = parse_changes(changes)
    if seed is not None:
        chosen["seed"] = seed
    chosen |= _public_weights(teacher_weights, transformer_weights)
    if method is not None:
        chosen["method"] = method
    if minutes is not None:
        chosen["minutes"] = minutes
    if opened.dimension == 2:
        of_volumes = {
            "--stage": until is not Stage.STUDENT,
            "--from-teacher": from_teacher,
            "--teacher-weights": teacher_weights is not None,
            "--devices": device_count > 1,
        }
        _refuse(study, of_volumes)
        chosen.setdefault("method", "information-divergence")
    settings = changed(stored or preset_settings(preset or "quick"), chosen)
    tell_stray(opened)
    if opened.dimension == 2:
        _train_images(opened, settings, device, restart=restart, as_json=events)
        return
    tell_what(opened, settings)  # before anything that takes seconds to load
    console.getting_ready()

    from ..method.cleaning import tidy
    from ..method.opening import check_trainable
    from ..method.planned_stages import planned_stages
    from ..method.shown_slices import shown_pixels
    from ..pipeline import train as train_study
    from ..segmentation.model import choose_device
    from ..training.memory import tune_memory
    from ..training.several_devices import device_name

    check_trainable(opened, settings, until)
    where = choose_device(device)
    tune_memory()
    anew = [name for name, on in (("--restart", restart), ("--from-teacher", from_teacher)) if on]
    pixels = shown_pixels(opened, settings.slice_network.max_voxels)
    plan = planned_stages(opened, settings, until, pixels)
    described = device_name(where, device_count)
    with _training(opened, settings, described, anew, plan, pixels.values(), as_json=events) as interruption:
        train_study(
            opened,
            settings,
            where,
            devices=device_count,
            until=until,
            restart=restart,
            from_teacher=from_teacher,
            cancelled=interruption,
            processors=Processors(process_count),
        )
    if until is Stage.STUDENT:
        with suppress(InputError):  # of a file that somebody looks at; it can go later
            tidy(opened)
        tell_model(opened)
    else:
        tell_next(opened)


def _refuse(study: Path, of_volumes: Mapping[str, bool]) -> None:
    """Refuse options that are given to a study of 2-D images, which are for volumes."""
    for option, is_given in of_volumes.items():
        if is_given:
            raise InputError(option, f"is for volumes, and {study} is a study of 2-D images", "leave it out")


def _public_weights(teacher: Path | None, transformer: Path | None) -> dict[str, Any]:
    """The settings that public checkpoints imply; a wrong file is refused before anything is removed or written."""
    chosen: dict[str, Any] = {}
    if teacher is not None:
        from ..teacher.checkpoints import load_vit

        load_vit(teacher)
        chosen["teacher.weights"] = str(teacher.resolve())
    if transformer is not None:
        from ..divergence.swin_unet import WIDTH, SwinUnet
        from ..divergence.swin_weights import load_swin_weights

        load_swin_weights(SwinUnet(2), transformer)
        chosen["divergence.transformer_weights"] = str(transformer.resolve())
        chosen["divergence.transformer_width"] = WIDTH  # the only one with public weights
        chosen["divergence.partner"] = "swin-unet"
    return chosen


def _train_images(study: "Study", settings: "Settings", device: str, *, restart: bool, as_json: bool) -> None:
    tell_what(study, settings)
    console.getting_ready()

    from ..method.images import check_trainable, train_images
    from ..method.planned_stages import planned_stages
    from ..segmentation.model import choose_device
    from ..training.memory import tune_memory

    check_trainable(study, settings)
    where = choose_device(device)
    tune_memory()
    anew, plan = ["--restart"] if restart else [], planned_stages(study, settings)
    with _training(study, settings, str(where), anew, plan, as_json=as_json) as interruption:
        train_images(study, settings, where, restart=restart, cancelled=interruption)
    tell_model(study)


@contextmanager
def _training(
    study: "Study",
    settings: "Settings",
    where: str,
    given: Sequence[str],
    plan: Plan,
    slice_pixels: Collection[float] = (),
    *,
    as_json: bool,
) -> Iterator[Interruption]:
    """Tell how long it takes and took, show progress, and stop on Ctrl-C."""
    if settings.minutes is None:
        tell_time(study, settings, where, slice_pixels)
    else:
        console.say(f"On {where}, in about {settings.minutes:g} min; the speed of this computer is measured.")
    started = time.monotonic()
    try:
        with Interruption() as interruption, shown_progress(interruption, as_json=as_json, plan=plan) as listener:
            study.events.listen(listener)
            yield interruption
    except Cancelled as stop:
        same = f"the same command without {' and '.join(given)}" if given else "the same command"
        console.stopped(stop, same)
        raise typer.Exit(ExitCode.BROKEN_PIPE if interruption.output_gone else ExitCode.CANCELLED) from None
    seconds = time.monotonic() - started
    if settings.minutes is None:
        console.say(f"Done in {duration(seconds)}.")
    else:
        console.say(f"Done in {seconds / 60:.2g} min; the whole training was given {settings.minutes:g} min.")
