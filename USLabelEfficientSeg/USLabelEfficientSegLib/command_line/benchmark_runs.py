"""What `uslabelseg benchmark` does once its options are read: a benchmark on a data set, or on a suite of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from ..benchmark.data import read_dataset
from ..benchmark.design import Design
from ..benchmark.methods import NNUNET, OURS
from ..benchmark.page import write_report
from ..benchmark.plan import open_benchmark, organs_of, planned_jobs, run_benchmark
from ..benchmark.results import Job, JobResult, read_results
from ..benchmark.run import RunOptions
from ..benchmark.suite.page import write_suite_report
from ..benchmark.suite.run import SuitePlan, open_suite, run_suite
from ..benchmark.suite.sets import chosen_sets, suite_named
from ..errors import Cancelled, ExitCode
from ..text.durations import duration
from .console import console
from .interruption import Interruption
from .progress import shown_progress

_FRACTIONS, _CHOICES, _SEEDS, _SECONDS = (0.005,), ("random",), (0, 1, 2), 600.0  # on a single data set


@dataclass(frozen=True)
class Request:
    """What the user asks for, on whatever data; None leaves it to the data.

    Attributes:
        methods, label_fractions, label_choices, seeds: see `plan.planned_jobs`.
        seconds, steps: budget of the rivals.
        equal_time: they train as long as ours instead.
        preset, changes, validation: see `Design`.
        degradations, over_time: see `RunOptions`.
        device, workers, cluster: see `plan.run_benchmark`.
    """

    methods: Sequence[str]
    label_fractions: Sequence[float] | None
    label_choices: Sequence[str] | None
    seeds: Sequence[int] | None
    seconds: float | None
    steps: int | None
    equal_time: bool
    preset: str
    changes: dict[str, Any]
    validation: bool
    degradations: bool
    over_time: bool
    device: str
    workers: int
    cluster: str | None

    def design(self, seconds: float) -> dict[str, Any]:
        """What all designs share; rivals have `seconds` unless the user says otherwise."""
        return {
            "seconds": None if self.steps is not None or self.equal_time else self.seconds or seconds,
            "steps": self.steps,
            "time_of": OURS if self.equal_time else None,
            "preset": self.preset,
            "changes": self.changes,
            "validation": self.validation,
        }

    @property
    def where(self) -> dict[str, Any]:
        """The runs' computers."""
        return {"device": self.device, "workers": self.workers, "cluster": self.cluster}

    @contextmanager
    def options(self) -> Iterator[RunOptions]:
        """Of every run; the program ends when the user asks to stop."""
        try:
            with Interruption() as interruption, shown_progress(interruption) as listener:
                yield RunOptions(self.degradations, self.over_time, listener, interruption)
        except Cancelled as stop:
            console.stopped(stop, "the same command")
            raise typer.Exit(ExitCode.CANCELLED) from None


def on_dataset(request: Request, output: Path, dataset: Path, organs: Sequence[str] | None, **design: Any) -> None:
    """Compare the methods on one data set; `design` is what `Design` has beyond the request."""
    jobs = planned_jobs(
        request.methods,
        request.label_fractions or _FRACTIONS,
        request.label_choices or _CHOICES,
        request.seeds or _SEEDS,
    )
    data = read_dataset(dataset)
    made = Design(dataset.resolve(), tuple(organs or organs_of(data)), **request.design(_SECONDS), **design)
    record = open_benchmark(output, made)
    console.say(f"{len(jobs)} runs, {sum(len(part) for part in record['cases'].values())} cases.")
    with request.options() as options:
        _tell(
            (output, job, result, "")
            for job, result in run_benchmark(output.resolve(), made, jobs, options=options, **request.where)
        )
    results = read_results(output)
    if results:
        page = write_report(output, results, record)
        console.say(f"Report of {len(results)} runs: {page}")
        console.say(f"Next: look at {page}.")


def on_suite(request: Request, output: Path, name: str, sets: Sequence[str] | None, sources: dict[str, Path]) -> None:
    """Compare the methods on the sets of a suite, which are made where they are missing."""
    suite = suite_named(name)
    plan = SuitePlan(
        suite=name,
        sets=chosen_sets(suite, sets, list(sources)),
        methods=request.methods,
        label_fractions=request.label_fractions or suite.label_fractions,
        label_choices=request.label_choices or suite.label_choices,
        seeds=request.seeds or suite.seeds,
        sources=sources,
        **request.design(suite.seconds),
    )
    console.say(f"{len(plan.sets)} data sets, {sum(len(plan.jobs(seed)) for seed in plan.seeds)} runs on each.")
    with request.options() as options:
        designs = open_suite(output, plan, options)
        runs = run_suite(output.resolve(), plan, designs, options=options, **request.where)
        _tell((output / of, job, result, f"{of}: ") for of, job, result in runs)
    page = write_suite_report(output, [one.name for one in suite.sets], request.design(suite.seconds))
    if page is not None:
        console.say(f"Next: look at {page}.")


def _tell(runs: Iterable[tuple[Path, Job, JobResult | None, str]]) -> None:
    """Wait for the runs, and tell each as it ends."""
    for output, job, result, before in runs:
        if result is None:
            script = output / "work" / job.name / "commands.sh"
            console.say(f"{before}{job.name}: run {script} where {NNUNET} v2 is installed, then this command again")
            continue
        dice = sum(row.dice for row in result.plain) / len(result.plain)
        time = duration(60 * result.minutes) if result.minutes == result.minutes else "time unknown"
        console.say(f"{before}{job.name}: Dice {dice:.3f} ({time})")
