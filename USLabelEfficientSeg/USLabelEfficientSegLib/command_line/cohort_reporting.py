"""`report` of a cohort whose cases are read by workers."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import typer

from ..cohort.journal import Journal
from ..cohort.running import Where
from ..disk.kinds import kind_of
from ..disk.outputs import Outputs, is_stream
from ..errors import ExitCode, InputError
from ..report.cases_of_files import content_of, open_segmentations
from ..report.cases_of_study import with_training
from ..report.content import case_labels
from ..report.reading import Reading, read_summaries, tasks_of
from ..report.writing import write_report
from ..study.study import Study
from .cohorts import do_missing, places_of
from .console import console


def report_cohort(
    where: Where,
    source: Path,
    images: Path | None,
    results: Sequence[Path],
    outputs: Outputs,
    references: Path | None,
    visits: Path | None,
    study: Path | None,
    organs: Sequence[str] | None,
    *,
    show_names: bool,
) -> None:
    """Read what is missing of the cases, and write their report; the arguments are those of `report`.

    Raises:
        InputError: a study, for its cases are segmented, not read; no images; as `open_segmentations` does.
    """
    if kind_of(source) == "a study" or images is None:
        problem = "are for segmentations in files with their images"
        raise InputError("--workers and --cluster", problem, "give the folder of both, or leave them out")
    if is_stream(results[0]):
        raise InputError("--output", "needs a file for the report of a cohort", "give it one")
    files = open_segmentations(
        source, images, organs=organs, references=references, visits=visits, study=study, of_cohort=True
    )
    model = None if study is None else study.absolute()
    work = Reading(files.kind.dimension, tuple(files.organs), model, files.model_sha256)
    tasks = tasks_of(files)
    done_how = {"command": "report", "organs": list(work.organs), "model": work.digest}
    inputs = [*([] if model is None else [model]), *places_of(tasks)]
    with where.opened(work, inputs, results[0].parent) as mapper, Journal(results[0], done_how) as journal:
        failed = do_missing(tasks, mapper, journal, None, doing="reading cases")
        names = {task.name for task in tasks}
        rows = (row for entry in journal.entries() if entry.name in names for row in entry.rows)
        summaries = read_summaries(rows, case_labels(list(files.segmentations), show_names), files)
        if not summaries:
            raise InputError(source, "has no segmentation that can be reported", "see the errors above")
        content = content_of(files, files.kind.of_files, show_names=show_names)
        content = content if study is None else with_training(content, Study.open(study))
        with outputs.written(*results) as made:
            whole = replace(content, summaries=summaries, failed=failed)
            written = write_report(made[0], whole, pdf=made[1] if len(made) > 1 else None)
        journal.remove()
    console.say(f"Report of {written.cases} {files.kind.scans}: {' and '.join(map(str, results))}")
    for remark in written.remarks:
        console.caution(remark)
    if failed:
        console.error(f"{failed} of {len(tasks)} failed and are not in the report")
        raise typer.Exit(ExitCode.BAD_INPUT)
