"""`uslabelseg benchmark`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from ..errors import InputError
from .comma_lists import choices_of, fractions_of, listed
from .long_commands import long_command
from .options import Changes, DeviceName, OrganNames, parse_changes, parse_organs

_METHODS = "ours,labels-2d,labels-3d,mean-teacher,ua-mt,cps,ict,orthogonal,full-3d"
_METHODS_OF_SUITE = "ours,unet-2d,labels-3d,mean-teacher,location-prior"


@long_command
def benchmark(
    output: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the results.", show_default=False)],
    dataset: Annotated[
        Path | None,
        typer.Argument(
            metavar="DATASET", help="Folder with images, labels (complete) and perhaps cases.csv.", show_default=False
        ),
    ] = None,
    suite: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="In place of DATASET, many data sets: small or long.", show_default=False),
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=FOLDER", help="Real data for the suite, e.g. trus84=FOLDER.", show_default=False),
    ] = None,
    sets: Annotated[
        str | None, typer.Option(metavar="A,B", help="Sets of the suite; all by default.", show_default=False)
    ] = None,
    methods: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="Methods; `help` lists them. By default ours and most rivals."),
    ] = None,
    ablation: Annotated[
        bool, typer.Option("--ablation", help="Ours, and ours without each of its parts; with --methods, these too.")
    ] = False,
    label_fractions: Annotated[
        str | None,
        typer.Option(metavar="F,F", help="Shares of slices that are labelled; 0.005 by default.", show_default=False),
    ] = None,
    seeds: Annotated[
        str | None,
        typer.Option(metavar="N,N", help="Seeds of labels and training; 0,1,2 by default.", show_default=False),
    ] = None,
    label_choices: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="Choice of slices: random (default), suggested, or both.", show_default=False),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(min=0.001, help="Training time of each rival; 600 by default.", show_default=False)
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Training steps of each rival, instead of seconds.", show_default=False)
    ] = None,
    equal_time: Annotated[
        bool, typer.Option("--equal-time", help="Each rival trains as long as ours did, instead of seconds.")
    ] = False,
    preset: Annotated[
        Literal["quick", "standard", "full"], typer.Option(help="Of our method, and of the grid of all.")
    ] = "quick",
    changes: Changes = None,
    test_share: Annotated[
        float | None, typer.Option(help="Share of the cases that is held out; 0.2 by default.", show_default=False)
    ] = None,
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
    slice_axis: Annotated[
        int | None,
        typer.Option(
            metavar="0|1|2", help="Array axis along which slices are labelled; 2 by default.", show_default=False
        ),
    ] = None,
) -> None:
    """Compare methods that learn from few labels, on the same volumes, labels and held-out subjects.

    DATASET holds `images`, complete `labels` of the same names and, if a subject has several cases, `cases.csv` with
    the columns case and subject_group. Results are kept run by run: after Ctrl-C, or with more seeds, methods or
    fractions, the same command does only what is missing. DIR/benchmark.md shows tables and figures of all runs.
    --suite compares on many data sets, most of them simulated, and writes DIR/suite.md.

    \b
    Examples:
      uslabelseg benchmark data --methods ours,mean-teacher --label-fractions 0.001,0.005 --output table
      uslabelseg benchmark data --seconds 300 --workers 4 --output table
      uslabelseg benchmark data --label-choices random,suggested --methods ours --output choice
      uslabelseg benchmark data --ablation --validation --output ablation
      uslabelseg benchmark --suite small --equal-time --output suite
    """
    if methods == "help":
        _list_methods()
        return

    from ..disk.outputs import refuse_study
    from ..segmentation.model import choose_device
    from .benchmark_runs import Request, on_dataset, on_suite

    of_one: dict[str, Any] = {
        "slice_axis": slice_axis,
        "test_share": test_share,
        "training_degradation": training_degradation,
    }
    own = {name: value for name, value in {**of_one, "organs": parse_organs(organs)}.items() if value is not None}
    _check(dataset, suite, data, sets, own)
    if sum([seconds is not None, steps is not None, equal_time]) > 1:
        raise InputError(
            "--seconds and --steps", "are both given, or --equal-time with one of them", "give one of the three"
        )
    if over_time and not validation:
        raise InputError("--over-time", "would look at the test subjects", "add --validation")
    request = Request(
        methods=_methods(methods, ablation, _METHODS if suite is None else _METHODS_OF_SUITE),
        label_fractions=None if label_fractions is None else fractions_of(label_fractions),
        label_choices=None if label_choices is None else choices_of(label_choices),
        seeds=None if seeds is None else listed("--seeds", seeds, int),
        seconds=seconds,
        steps=steps,
        equal_time=equal_time,
        preset=preset,
        changes=parse_changes(changes),
        validation=validation,
        degradations=degradations,
        over_time=over_time,
        device=device,
        workers=workers,
        cluster=cluster,
    )
    refuse_study(output)
    choose_device(device)
    if suite is not None:
        on_suite(request, output, suite, None if sets is None else listed("--sets", sets, str), _sources(data))
    elif dataset is not None:
        on_dataset(request, output, dataset, own.pop("organs", None), **own)


def _check(
    dataset: Path | None, suite: str | None, data: Sequence[str] | None, sets: str | None, own: dict[str, Any]
) -> None:
    """Refuse options that do not go together; `own` are those that a data set of one's own has."""
    if (dataset is None) == (suite is None):
        problem = "is missing" if suite is None else "is given together with --suite"
        raise InputError("DATASET", problem, "give a folder, or --suite small")
    if suite is None and (data or sets):
        raise InputError("--data and --sets", "belong to a suite", "add --suite small")
    if suite is not None and own:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in own)
        raise InputError(options, "is for a single data set", "leave it out: each set of a suite has its own")
    if own.get("slice_axis", 2) not in (0, 1, 2):
        raise InputError(f"--slice-axis {own['slice_axis']}", "is not an array axis", "choose 0, 1 or 2")


def _list_methods() -> None:
    from ..benchmark.methods import description_of, method_names

    for name in method_names():
        print(f"{name}: {description_of(name)}")


def _methods(given: str | None, ablation: bool, default: str) -> list[str]:
    from ..benchmark.methods import ABLATION, check_methods

    if given is None:
        given = "" if ablation else default
    names = listed("--methods", ",".join([*(ABLATION if ablation else ()), given]), str)
    check_methods(names)
    return names


def _sources(data: Sequence[str] | None) -> dict[str, Path]:
    """Folders by name from `NAME=FOLDER`."""
    sources = {}
    for given in data or ():
        name, _, folder = given.partition("=")
        if not (name and folder):
            raise InputError(f"--data {given}", "is not of the form NAME=FOLDER", "write e.g. --data trus84=FOLDER")
        sources[name] = Path(folder).resolve()
    return sources
