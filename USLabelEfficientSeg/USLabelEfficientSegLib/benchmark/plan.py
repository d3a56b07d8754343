"""A benchmark: every method on the same volumes, labels and held-out subjects, each run kept as soon as it is done."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from ..annotation.label_files import read_volume_labels
from ..annotation.segments import LabelFile, numbered_organs, organs_named_in
from ..disk.files import atomic_write_json, writing
from ..errors import InputError
from .data import Dataset, read_dataset
from .design import Design
from .methods import check_methods, uses_all_labels
from .results import Job, JobResult, is_done
from .run import RunOptions, run_job
from .schedule import in_processes, in_turn, on_cluster

RECORD_NAME = "benchmark.json"


def organs_of(dataset: Dataset) -> tuple[str, ...]:
    """The organs that the labels name, or else `organ 1`, ... up to their highest class.

    Raises:
        InputError: the labels hold none, or are of different organs.
    """
    files = [LabelFile.of(path, read_volume_labels(path)) for path in dataset.labels.values()]
    highest = max(max(file.present, default=0) for file in files)
    if highest == 0:
        raise InputError(dataset.folder / "labels", "hold no organ", "give label maps of organs")
    return tuple(organs_named_in(files)) or numbered_organs(highest)


def planned_jobs(
    methods: Sequence[str], fractions: Sequence[float], choices: Sequence[str], seeds: Sequence[int]
) -> list[Job]:
    """All runs, seed by seed, so that a table is complete early; methods that use all labels run once a seed."""
    check_methods(methods)
    jobs = [
        Job(method, 1.0 if uses_all_labels(method) else fraction, "random" if uses_all_labels(method) else choice, seed)
        for seed in seeds
        for fraction in fractions
        for choice in choices
        for method in methods
    ]
    return list(dict.fromkeys(jobs))


def open_benchmark(output: Path, design: Design) -> dict[str, Any]:
    """Make a benchmark's folder, or check that it holds the same one; returns the design as it is recorded.

    Raises:
        InputError: the folder holds something else, or a benchmark of another design.
    """
    record, path = design.record(read_dataset(design.data)), output / RECORD_NAME
    with writing(output):
        if not output.exists() or (output.is_dir() and not any(output.iterdir())):
            atomic_write_json(path, record)
            return record
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise InputError(output, "holds something else than a benchmark", "choose a new folder") from None
    different = sorted(name for name in record.keys() | found.keys() if record.get(name) != found.get(name))
    if different:
        problem = f"holds a benchmark with other {', '.join(different)}"
        raise InputError(output, problem, "choose a new folder or repeat the command that made it")
    return record


def run_benchmark(
    output: Path,
    design: Design,
    jobs: Sequence[Job],
    *,
    device: str = "auto",
    options: RunOptions | None = None,
    workers: int = 1,
    cluster: str | None = None,
) -> Iterator[tuple[Job, JobResult | None]]:
    """Do all runs that are not done yet, and give each with its result, None where nnU-Net has to be run first.

    Args:
        output: the benchmark's folder, see `open_benchmark`.
        design: what all runs share.
        jobs: the runs, see `planned_jobs`.
        device: where networks are trained.
        options: of every run; the listener hears only of runs in this process.
        workers: parallel processes.
        cluster: address of a dask scheduler whose workers share this file system; they take the place of processes.

    Raises:
        Cancelled: the user asked to stop.
        InputError: a curve on test subjects, which are for the final table alone; see also `run_job`.
    """
    options = options or RunOptions()
    if options.curve and not design.validation:
        raise InputError("Dice over time", "would be measured on test subjects", "judge by validation subjects")
    left = [job for job in jobs if not is_done(output, job, degradations=options.degradations, curve=options.curve)]
    run = partial(run_job, output=output, design=design, device=device)
    elsewhere = RunOptions(options.degradations, options.curve)  # nobody can be asked or told from another process

    def done(part: Sequence[Job]) -> Iterator[tuple[Job, JobResult | None]]:
        if cluster is not None:
            return on_cluster(part, partial(run, options=elsewhere), cluster, options.cancelled)
        if workers > 1:
            return in_processes(part, partial(run, options=elsewhere), workers, options.cancelled)
        return in_turn(part, partial(run, options=options), options.cancelled)

    # The rivals wait for the method whose time they get.
    timed = [job for job in left if job.method == design.time_of]
    return chain(done(timed), done([job for job in left if job not in timed]))
