"""The pages of a report, written by a worker and put where they belong when they are complete."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from ..processes.jobs import Job, Steps
from ..processes.temporary_folders import temporaryFolder


def writePages(job: Job, arguments: Sequence[str], output: Path, logs: Path, pdf: bool) -> Steps:
    """Steps that let a worker write a report (HTML); returns its path, or that of the PDF beside it.

    Args:
        job: does the steps.
        arguments: of the command, without its output.
        output: of the report; an earlier report there is replaced.
        logs: folder of the worker's log.
        pdf: write the PDF, too.

    Raises:
        InputError: while they run: a file there that is no report, or what the worker says.
    """
    from ...disk.outputs import Outputs

    results = [output, *([output.with_suffix(".pdf")] if pdf else [])]
    pages = Outputs(overwrite=True, pages_of=output.parent)  # whoever chose another place was asked there
    pages.claim(*results)
    with temporaryFolder() as temporary:
        made = Path(temporary)
        yield from job.work([*arguments, "--output", str(made / output.name), *(["--pdf"] if pdf else [])], logs)
        with pages.written(*results) as files:
            for page in made.iterdir():
                shutil.copyfile(page, files[0].with_name(page.name))
    return results[-1]
