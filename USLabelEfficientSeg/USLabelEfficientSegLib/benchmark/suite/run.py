"""A suite is run: a benchmark on each of its sets, in a folder of its own, seed by seed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...disk.files import atomic_write_json, writing
from ...errors import InputError
from ..design import Design
from ..page import write_report
from ..plan import open_benchmark, planned_jobs, run_benchmark
from ..results import Job, JobResult, read_results
from ..run import RunOptions
from .making import make_set
from .sets import SuiteSet

RECORD_NAME = "suite.json"
DATA = "data"


@dataclass(frozen=True)
class SuitePlan:
    """What is run on each set.

    Attributes:
        suite: its name.
        sets: in order.
        sources: folders of given sets by name.
        methods, label_fractions, label_choices, seeds: see `plan.planned_jobs`.
        seconds, steps, time_of, preset, changes, validation: see `Design`.
    """

    suite: str
    sets: Sequence[SuiteSet]
    methods: Sequence[str]
    label_fractions: Sequence[float]
    label_choices: Sequence[str]
    seeds: Sequence[int]
    sources: Mapping[str, Path] = field(default_factory=dict)
    seconds: float | None = None
    steps: int | None = None
    time_of: str | None = None
    preset: str = "quick"
    changes: dict[str, Any] = field(default_factory=dict)
    validation: bool = False

    def design(self, data: Path, organs: tuple[str, ...], one: SuiteSet) -> Design:
        """Of the benchmark on a set."""
        return Design(
            data=data,
            organs=organs,
            seconds=self.seconds,
            steps=self.steps,
            preset=self.preset,
            changes=self.changes,
            slice_axis=one.slice_axis,
            validation=self.validation,
            time_of=self.time_of,
        )

    def jobs(self, seed: int) -> list[Job]:
        """The runs of a seed on a set."""
        return planned_jobs(self.methods, self.label_fractions, self.label_choices, [seed])


def open_suite(output: Path, plan: SuitePlan, options: RunOptions) -> dict[str, Design]:
    """Make the folder of a suite and the data of its sets, as far as they are missing.

    Returns:
        The design of the benchmark on each set.

    Raises:
        Cancelled: the user asked to stop.
        InputError: the folder holds something else, another suite, or benchmarks of other designs.
    """
    record, path = {"suite": plan.suite}, output / RECORD_NAME
    with writing(output):
        if not output.exists() or (output.is_dir() and not any(output.iterdir())):
            atomic_write_json(path, record)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise InputError(output, "holds something else than a suite", "choose a new folder") from None
    if found != record:
        raise InputError(output, f"holds another suite than {plan.suite}", "choose a new folder")
    designs = {}
    for one in plan.sets:
        data = output / DATA / one.name
        organs = make_set(data, one, plan.sources, options.listener, options.cancelled)
        designs[one.name] = plan.design(data.resolve(), organs, one)
        open_benchmark(output / one.name, designs[one.name])
    return designs


def run_suite(
    output: Path,
    plan: SuitePlan,
    designs: Mapping[str, Design],
    *,
    device: str = "auto",
    options: RunOptions | None = None,
    workers: int = 1,
    cluster: str | None = None,
) -> Iterator[tuple[str, Job, JobResult | None]]:
    """Do all runs that are not done yet, and give each with the name of its set, see `plan.run_benchmark`."""
    for seed in plan.seeds:
        for name, design in designs.items():
            folder, jobs = output / name, plan.jobs(seed)
            runs = run_benchmark(folder, design, jobs, device=device, options=options, workers=workers, cluster=cluster)
            for job, result in runs:
                yield name, job, result
            results = read_results(folder)
            if results:
                write_report(folder, results, open_benchmark(folder, design))
