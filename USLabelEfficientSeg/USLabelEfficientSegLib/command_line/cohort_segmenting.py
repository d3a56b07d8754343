"""`segment` and `propagate` of cohorts."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ..annotation.label_files import read_volume_labels
from ..annotation.segments import LabelFile
from ..cohort.running import Where
from ..cohort.tables import Tables
from ..cohort.tasks import Task
from ..disk.files import sha256_of
from ..disk.outputs import Outputs
from ..measurement.works import Propagating, Results, Segmenting
from ..segmentation.model_files import model_dimension, model_file
from ..segmentation.result_files import result_files
from ..study.organs import study_organs
from ..text.counting import counted
from .cohorts import TABLE_NAME, places_of, run_cohort
from .console import console, shell
from .drawings import drawing_files


def segment_cohort(
    where: Where,
    model: Path,
    images: Mapping[str, Path],
    prompts: Path | None,
    results: Results,
    outputs: Outputs,
    device: str,
    pixel_table: Path | None,
    pixel_size: float | None,
) -> None:
    """Segment what is missing of a cohort; the arguments are those of `segment`."""
    drawings = {} if prompts is None else drawing_files(prompts, model_dimension(model), images)
    sha256 = sha256_of(model_file(model, first=True))
    work = Segmenting(model.absolute(), sha256, _absolute(results), device, pixel_table, pixel_size)
    done_how = {
        "command": "segment",
        "model": work.sha256,
        "pixel_size": pixel_size,
        "pixel_sizes": None if pixel_table is None else sha256_of(pixel_table),
    }
    inputs = [model, *([] if pixel_table is None else [pixel_table])]
    _run(where, work, _tasks(images, drawings, work.results), done_how, outputs, inputs)


def propagate_cohort(
    where: Where, images: Mapping[str, Path], work: Propagating, labels: Mapping[str, Path], outputs: Outputs
) -> None:
    """Continue the drawings of a cohort where this is missing.

    Args:
        where: it is done.
        images: of the cohort, by name; each has labels.
        work: what is done with each.
        labels: files of drawings by the name of their image.
        outputs: what may be replaced.
    """
    work = replace(work, results=_absolute(work.results))
    done_how = {
        "command": "propagate",
        "weights": work.weights and sha256_of(work.weights),
        "organs": list(work.organs),
    }
    _run(where, work, _tasks(images, labels, work.results), done_how, outputs, [])


def organs_drawn(labels: Mapping[str, Path], given: Sequence[str] | None) -> tuple[str, ...]:
    """The organs of many label files, of which one at a time is in memory. Raises `InputError` as `study_organs`."""
    drawn = []
    for name in counted(labels, "reading labels"):
        drawn.append(LabelFile.of(labels[name], read_volume_labels(labels[name])))
    return study_organs(drawn, given)


def _tasks(images: Mapping[str, Path], drawings: Mapping[str, Path], results: Results) -> list[Task]:
    return [
        Task(
            name,
            path.absolute(),
            (drawings[name].absolute(),) if name in drawings else (),
            (results.labels(name),),
        )
        for name, path in images.items()
    ]


def _run(
    where: Where,
    work: Segmenting | Propagating,
    tasks: Sequence[Task],
    done_how: Mapping[str, object],
    outputs: Outputs,
    inputs: Sequence[Path],
) -> None:
    results = work.results

    def claim(missing: Sequence[Task]) -> None:
        files = {task.name: task.file for task in missing}
        maps = {"probability": results.probability, "uncertainty": results.uncertainty}
        result_files(files, results.folder, outputs, **maps, suffix=results.suffix)

    written = {"probability": results.probability, "uncertainty": results.uncertainty, "format": results.suffix}
    run_cohort(
        where,
        work,
        tasks,
        Tables(results.folder / TABLE_NAME, outputs),
        {**done_how, **written},
        doing="segmenting",
        inputs=[*inputs, *places_of(tasks)],
        output=results.folder,
        claim=claim,
    )
    console.next(f"uslabelseg report {shell(results.folder)} --images IMAGES --output report.html")


def _absolute(results: Results) -> Results:
    return replace(results, folder=results.folder.absolute())
