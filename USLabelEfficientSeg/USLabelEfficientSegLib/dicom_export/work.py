"""The export to DICOM as the work of a cohort."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..cohort.tasks import Row, Task
from ..disk.outputs import Outputs
from ..imaging.dimension import Dimension
from ..measurement.organ import OrganMeasurement
from ..measurement.planar import PlanarMeasurement
from ..report.cases_of_files import SegmentationFiles, cases_of_files
from ..report.kinds import KINDS
from .export import export_case


@dataclass(frozen=True)
class Exporting:
    """Writes the objects of segmentations; `Task.inputs` ends with the image.

    Args:
        dimension: of the images.
        organs: names, by label.
        folder: of the DICOM files; whoever makes the tasks has checked that they may be written.
    """

    dimension: Dimension
    organs: tuple[str, ...]
    folder: Path

    def prepare(self) -> None:
        """Nothing is shared."""

    def objects(self, name: str) -> list[Path]:
        """The files of a case: its segmentation, its measurements."""
        return [self.folder / f"{name}_{kind}.dcm" for kind in ("SEG", "SR")]

    def __call__(self, task: Task) -> list[Row]:
        """The files that were written. Raises `InputError`."""
        files = self.export(task, Outputs(overwrite=True))
        return [{"case": task.name, "segmentation": str(files[0]), "measurements": str(files[1])}]

    def export(self, task: Task, outputs: Outputs) -> list[Path]:
        """Write the objects of a segmentation where `outputs` allows it. Raises `InputError`."""
        image = task.inputs[-1]
        files = SegmentationFiles(KINDS[self.dimension], {task.name: task.file}, {task.name: image}, self.organs)
        (case,) = cases_of_files(files, {task.name: task.name})
        rows = [row for row in case.rows if isinstance(row, OrganMeasurement | PlanarMeasurement)]
        objects = self.objects(task.name)
        with outputs.written(*objects) as temporary:
            export_case(image, case.label_map, rows, temporary[0].parent)
        return objects
