"""`uslabelseg benchmark`."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer

from ..errors import Cancelled, ExitCode, InputError
from ..text.durations import duration
from .console import console
from .interruption import Interruption
from .long_commands import long_command
from .options import Changes, DeviceName, OrganNames, parse_changes, parse_organs
from .progress import shown_progress

if TYPE_CHECKING:
    from ..benchmark.results import Job, JobResult

_CHOICES = ("random", "suggested")
_METHODS = "ours,labels-2d,labels-3d,mean-teacher,ua-mt,cps,ict,orthogonal,full-3d"

T = TypeVar("T")


@long_command
def benchmark(
    dataset: Annotated[
        Path,
        typer.Argument(
            metavar="DATASET", help="Folder with images, labels (complete) and perhaps cases.csv.", show_default=False
        ),
    ],
    output: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the results.", show_default=False)],
    methods: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="Methods; `help` lists them. By default ours and most rivals."),
    ] = None,
    ablation: Annotated[
        bool, typer.Option("--ablation", help="Ours, and ours without each of its parts; with --methods, these too.")
    ] = False,
    label_fractions: Annotated[str, typer.Option(metavar="F,F", help="Shares of slices that are labelled.")] = "0.005",
    seeds: Annotated[str, typer.Option(metavar="N,N", help="Seeds of labels and training.")] = "0,1,2",
    label_choices: Annotated[
        str, typer.Option(metavar="A,B", help="How labelled slices are chosen: random, suggested, or both.")
    ] = "random",
    seconds: Annotated[
        float | None, typer.Option(min=0.001, help="Training time of each rival; 600 by default.", show_default=False)
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Training steps of each rival, instead of seconds.", show_default=False)
    ] = None,
    preset: Annotated[
        Literal["quick", "standard", "full"], typer.Option(help="Of our method, and of the grid of all.")
    ] = "quick",
    changes: Changes = None,
    test_share: Annotated[float, typer.Option(help="Share of the cases that is held out.")] = 0.2,
    validation: Annotated[
        bool,
        typer.Option("--validation", help="Hold out a part of the training subjects; leave the test subjects alone."),
    ] = False,
    degradations: Annotated[
        bool, typer.Option("--degradations", help="Segment degraded images as well: gain, noise, other probe, ...")
    ] = False,
    training_degradation: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Degrade the training images, e.g. by other-probe.", show_default=False),
    ] = None,
    over_time: Annotated[
        bool, typer.Option("--over-time", help="Measure Dice during the training; needs --validation.")
    ] = False,
    workers: Annotated[int, typer.Option(min=1, help="Parallel processes.")] = 1,
    cluster: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Run on a dask scheduler's workers.", show_default=False)
    ] = None,
    device: DeviceName = "auto",
    organs: OrganNames = None,
    slice_axis: Annotated[int, typer.Option(metavar="0|1|2", help="Array axis along which slices are labelled.")] = 2,
) -> None:
    """Compare methods that learn from few labels, on the same volumes, labels and held-out subjects.

    DATASET holds `images`, complete `labels` of the same names and, if a subject has several cases, `cases.csv` with
    the columns case and subject_group. Results are kept run by run: after Ctrl-C, or with more seeds, methods or
    fractions, the same command does only what is missing. DIR/benchmark.md shows tables and figures of all runs.

    \b
    Examples:
      uslabelseg benchmark data --methods ours,mean-teacher --label-fractions 0.001,0.005 --output table
      uslabelseg benchmark data --seconds 300 --workers 4 --output table
      uslabelseg benchmark data --label-choices random,suggested --methods ours --output choice
      uslabelseg benchmark data --ablation --validation --output ablation
    """
    if methods == "help":
        _list_methods()
        return

    from ..benchmark.data import read_dataset
    from ..benchmark.design import Design
    from ..benchmark.page import write_report
    from ..benchmark.plan import open_benchmark, organs_of, planned_jobs, run_benchmark
    from ..benchmark.results import read_results
    from ..benchmark.run import RunOptions
    from ..disk.outputs import refuse_study
    from ..segmentation.model import choose_device

    if seconds is not None and steps is not None:
        raise InputError("--seconds and --steps", "are both given", "give one of them")
    if over_time and not validation:
        raise InputError("--over-time", "would look at the test subjects", "add --validation")
    if slice_axis not in (0, 1, 2):
        raise InputError(f"--slice-axis {slice_axis}", "is not an array axis", "choose 0, 1 or 2")
    choices, fractions = _choices(label_choices), _fractions(label_fractions)
    jobs = planned_jobs(_methods(methods, ablation), fractions, choices, _listed("--seeds", seeds, int))
    refuse_study(output)
    choose_device(device)
    data = read_dataset(dataset)
    design = Design(
        data=dataset.resolve(),
        organs=tuple(parse_organs(organs) or organs_of(data)),
        seconds=None if steps is not None else seconds or 600.0,
        steps=steps,
        preset=preset,
        changes=parse_changes(changes),
        slice_axis=slice_axis,
        test_share=test_share,
        validation=validation,
        training_degradation=training_degradation,
    )
    record = open_benchmark(output, design)
    console.say(f"{len(jobs)} runs, {sum(len(part) for part in record['cases'].values())} cases.")
    try:
        with Interruption() as interruption, shown_progress(interruption) as listener:
            runs = run_benchmark(
                output.resolve(),
                design,
                jobs,
                device=device,
                options=RunOptions(degradations, over_time, listener, interruption),
                workers=workers,
                cluster=cluster,
            )
            for job, result in runs:
                _tell_run(job, result, output)
    except Cancelled as stop:
        console.stopped(stop, "the same command")
        raise typer.Exit(ExitCode.CANCELLED) from None
    results = read_results(output)
    if results:
        page = write_report(output, results, record)
        console.say(f"Report of {len(results)} runs: {page}")
        console.say(f"Next: look at {page}.")


def _list_methods() -> None:
    from ..benchmark.methods import description_of, method_names

    for name in method_names():
        print(f"{name}: {description_of(name)}")


def _methods(given: str | None, ablation: bool) -> list[str]:
    from ..benchmark.methods import ABLATION

    if given is None:
        given = "" if ablation else _METHODS
    return _listed("--methods", ",".join([*(ABLATION if ablation else ()), given]), str)


def _choices(text: str) -> list[str]:
    choices = _listed("--label-choices", text, str)
    for choice in choices:
        if choice not in _CHOICES:
            raise InputError(f"--label-choices {choice}", "does not exist", f"choose {' or '.join(_CHOICES)}")
    return choices


def _fractions(text: str) -> list[float]:
    fractions = _listed("--label-fractions", text, float)
    for fraction in fractions:
        if not 0 < fraction <= 1:
            raise InputError(f"label fraction {fraction:g}", "is outside (0, 1]", "give a fraction such as 0.005")
    return fractions


def _tell_run(job: "Job", result: "JobResult | None", output: Path) -> None:
    from ..benchmark.methods import NNUNET

    if result is None:
        script = output / "work" / job.name / "commands.sh"
        console.say(f"{job.name}: run {script} where {NNUNET} v2 is installed, then this command again")
        return
    dice = sum(row.dice for row in result.plain) / len(result.plain)
    time = duration(60 * result.minutes) if result.minutes == result.minutes else "time unknown"
    console.say(f"{job.name}: Dice {dice:.3f} ({time})")


def _listed(option: str, text: str, kind: Callable[[str], T]) -> list[T]:
    """Values separated by commas, each once."""
    try:
        values = list(dict.fromkeys(kind(part.strip()) for part in text.split(",") if part.strip()))
    except ValueError:
        raise InputError(f"{option} {text}", "is not a list of numbers", f"write e.g. {option} 0,1,2") from None
    if not values:
        raise InputError(option, "is empty", "name at least one")
    return values
