"""Reading the cases of a cohort's report as work for other processes: a case travels without its voxels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..cohort.tasks import Row, Task
from ..errors import InputError
from ..imaging.dimension import Dimension
from ..measurement.organ import OrganMeasurement
from ..measurement.planar import PlanarMeasurement
from ..measurement.record import fields_of, read_fields, record_of
from ..segmentation.loading import load_model
from ..segmentation.protocols import Model
from .cases_of_files import SegmentationFiles, cases_of_files
from .content import CaseSummary
from .kinds import KINDS

_FACTS = ("true_values", "dice", "checksum", "has_reference", "has_uncertainty")


@dataclass(frozen=True)
class Reading:
    """Reads a case: `Task.inputs` holds the record of its segmentation, its image, and perhaps its reference map.

    Args:
        dimension: of the images.
        organs: names, by label.
        model: path of the study that is said to have made the segmentations.
        digest: of its model, which must be the same for every worker.
    """

    dimension: Dimension
    organs: tuple[str, ...]
    model: Path | None = None
    digest: str | None = None

    def prepare(self) -> None:
        """Load the model, if any. Raises `InputError` for another one than meant."""
        if self.model is not None:
            _model(self.model, self.digest)

    def __call__(self, task: Task) -> list[Row]:
        """The case as JSON values. Raises `InputError`."""
        _, image, *references = task.inputs
        files = SegmentationFiles(
            KINDS[self.dimension],
            {task.name: task.file},
            {task.name: image},
            self.organs,
            {task.name: references[0]} if references else {},
            model_sha256=self.digest,
            statistics=None if self.model is None else _model(self.model, self.digest).statistics,
        )
        (case,) = cases_of_files(files, {task.name: task.name})
        summary = case.summary()
        rows = [row for row in case.rows if isinstance(row, OrganMeasurement | PlanarMeasurement)]
        facts: dict[str, Any] = {name: getattr(summary, name) for name in _FACTS}
        return [{"case": task.name, "rows": fields_of(rows), **facts}]


def tasks_of(files: SegmentationFiles) -> list[Task]:
    """A task for each segmentation."""
    tasks = []
    for name, path in files.segmentations.items():
        inputs = [record_of(path), files.images[name]]
        if name in files.reference_maps:
            inputs.append(files.reference_maps[name])
        tasks.append(Task(name, path.absolute(), tuple(one.absolute() for one in inputs)))
    return tasks


def read_summaries(rows: Iterable[Row], labels: Mapping[str, str], files: SegmentationFiles) -> list[CaseSummary]:
    """The cases that `Reading` has read, under their labels, in their order."""
    found = []
    for row in rows:
        name, fields = str(row["case"]), row["rows"]
        summary = CaseSummary(labels[name], name, read_fields(fields), **{fact: row[fact] for fact in _FACTS})
        given = files.reference_values.get(name, {})
        true = {
            organ: {**summary.true_values.get(organ, {}), **given.get(organ, {})}
            for organ in {**summary.true_values, **given}
        }
        found.append(replace(summary, true_values=true))
    return found


@lru_cache(maxsize=1)
def _model(path: Path, digest: str | None) -> Model:
    model = load_model(path)
    if model.digest() != digest:
        raise InputError(path, "has another model than when the command was started", "start it again")
    return model
