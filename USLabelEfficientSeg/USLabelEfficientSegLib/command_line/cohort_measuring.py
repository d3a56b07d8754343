"""`measure` and `export-dicom` of cohorts."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..cohort.running import Where
from ..cohort.tables import Tables
from ..cohort.tasks import Task
from ..disk.files import sha256_of
from ..disk.outputs import Outputs
from ..errors import InputError
from ..measurement.record import record_of
from ..measurement.segmentation_files import case_of, given_files, images_in
from ..measurement.works import Measuring
from ..segmentation.model_files import model_file
from .cohorts import places_of, run_cohort

if TYPE_CHECKING:
    from ..dicom_export.work import Exporting


def measure_cohort(
    where: Where, work: Measuring, segmentations: Sequence[Path], images: Path | None, output: Path, outputs: Outputs
) -> None:
    """Measure what is missing of a cohort.

    Args:
        where: it is done.
        work: what is done.
        segmentations: files and folders.
        images: of them, a folder or a file.
        output: the table.
        outputs: what may be replaced.
    """
    files = {case_of(file): file for file in given_files(segmentations)}
    found = {} if images is None else images_in(images, segmentations)
    if work.model is not None:
        work = replace(work, model=work.model.absolute(), sha256=sha256_of(model_file(work.model, first=True)))
    done_how = {
        "command": "measure",
        "organs": work.organs and list(work.organs),
        "model": work.sha256,
        "images": work.with_image,
        "pixel_size": work.pixel_size,
        "pixel_sizes": None if work.pixel_table is None else sha256_of(work.pixel_table),
    }
    tasks = tasks_of(files, found if work.with_image else None)
    run_cohort(
        where,
        work,
        tasks,
        Tables(output, outputs),
        done_how,
        doing="measuring",
        inputs=[path for path in (work.model, work.pixel_table) if path is not None] + places_of(tasks),
        output=output.parent,
    )


def export_cohort(
    where: Where,
    work: "Exporting",
    segmentations: Mapping[str, Path],
    images: Mapping[str, Path],
    outputs: Outputs,
) -> None:
    """Export what is missing of a cohort to DICOM.

    Args:
        where: it is done.
        work: what is done with each.
        segmentations: files by the name of their image.
        images: of them, by name.
        outputs: what may be replaced.
    """
    work = replace(work, folder=work.folder.absolute())
    tasks = [replace(task, results=tuple(work.objects(task.name))) for task in tasks_of(segmentations, images)]
    run_cohort(
        where,
        work,
        tasks,
        Tables(work.folder / "exported.csv", outputs),
        {"command": "export-dicom", "organs": list(work.organs)},
        doing="writing DICOM",
        inputs=places_of(tasks),
        output=work.folder,
        claim=lambda missing: outputs.claim(*(result for task in missing for result in task.results)),
    )


def tasks_of(segmentations: Mapping[str, Path], images: Mapping[str, Path] | None) -> list[Task]:
    """A task for each segmentation; its inputs are its record and its image, if `images` are at hand.

    Raises:
        InputError: a segmentation has no image.
    """
    tasks = []
    for name, file in segmentations.items():
        if images is not None and name not in images:
            raise InputError(file, f"has no image {name}", "add the image or remove the segmentation")
        inputs = [record_of(file), *([] if images is None else [images[name]])]
        tasks.append(Task(name, file.absolute(), tuple(path.absolute() for path in inputs)))
    return tasks
