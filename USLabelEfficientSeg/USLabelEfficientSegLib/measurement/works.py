"""Segmenting and measuring as the work of a cohort: what travels to a worker, and is loaded there once.

Numbers are those of the same commands without workers, bit for bit: each task computes with one thread. Networks are
imported by workers alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from ..cohort.tasks import Row, Task
from ..disk.files import sha256_of
from ..disk.outputs import Outputs
from ..errors import InputError
from ..imaging.dimension import Dimension
from ..imaging.pixel_sizes import PixelSizes, read_pixel_sizes
from ..segmentation.model_files import model_file
from ..segmentation.result_files import LABEL_SUFFIXES

if TYPE_CHECKING:  # whoever hands out the tasks needs no networks, and stays small
    from ..promptable_network.network import PromptableNetwork
    from ..prompting.correction import CorrectedModel
    from ..segmentation.loading import TrainedModel
    from ..segmentation.protocols import Model


@dataclass(frozen=True)
class Results:
    """Where segmentations go, and what is written.

    Args:
        folder: of the results.
        probability: write class probabilities, too.
        uncertainty: write the uncertainty, too.
        suffix: of the label maps, one of `LABEL_SUFFIXES`.
    """

    folder: Path
    probability: bool = False
    uncertainty: bool = False
    suffix: str = LABEL_SUFFIXES[0]

    def labels(self, name: str) -> Path:
        """The label map of a case."""
        return self.folder / f"{name}{self.suffix}"


@dataclass(frozen=True)
class Segmenting:
    """Segments and measures scans with a trained model, each with the drawing in `Task.inputs`, if there is one.

    Args:
        model: path of a study or model.
        sha256: of its file, which must be the same for every worker.
        results: what is written; whoever makes the tasks has checked that it may be.
        device: name of the device on the worker.
        pixel_table: of 2-D images.
        pixel_size: of 2-D images that are not in it.
    """

    model: Path
    sha256: str
    results: Results
    device: str = "auto"
    pixel_table: Path | None = None
    pixel_size: float | None = None

    def prepare(self) -> None:
        """Load the model. Raises `InputError` for another model than the one meant, or no such device."""
        _prepare(self.device)
        _model(self.model, self.sha256)
        _sizes(self.pixel_table, self.pixel_size)

    def __call__(self, task: Task) -> list[Row]:
        """The measurements of a scan, whose files are written. Raises `InputError`."""
        model = _model(self.model, self.sha256)
        drawn = _corrected(model, task) if task.inputs else model
        return _segmented(drawn, task, self.results, self.device, _sizes(self.pixel_table, self.pixel_size))


@dataclass(frozen=True)
class Propagating:
    """Continues the drawing in `Task.inputs` through its volume.

    Args:
        organs: their names.
        results: what is written; whoever makes the tasks has checked that it may be.
        device: name of the device on the worker.
        weights: file of the network's weights; None: those of the program.
    """

    organs: tuple[str, ...]
    results: Results
    device: str = "auto"
    weights: Path | None = None

    def prepare(self) -> None:
        """Load the network. Raises `InputError` for damaged weights, or no such device."""
        _prepare(self.device)
        self._network()

    def __call__(self, task: Task) -> list[Row]:
        """The measurements of a volume, whose files are written. Raises `InputError`."""
        from ..annotation.label_files import read_volume_labels
        from ..prompting.propagation import Propagation

        labels = read_volume_labels(task.inputs[0], self.organs)
        propagation = Propagation({task.name: labels}, self.organs, self._network())
        return _segmented(propagation, task, self.results, self.device, PixelSizes())

    def _network(self) -> PromptableNetwork:
        from ..promptable_network.starter import load_starter

        return load_starter() if self.weights is None else load_starter(self.weights)


@dataclass(frozen=True)
class Measuring:
    """Measures segmentations as `measure_files` does; `Task.inputs` ends with the image, if it is to be looked at.

    Args:
        dimension: of the images; areas and volumes are no columns of one table.
        organs: their names; None: those of the model, or as each file names them, and one without names is refused.
        with_image: the images are at hand.
        model: path of a model that tells of organs unlike those it knows; None: nothing is told.
        sha256: of the file of that model.
        pixel_table: of 2-D images.
        pixel_size: of 2-D images that are not in it.
    """

    dimension: Dimension
    organs: tuple[str, ...] | None = None
    with_image: bool = False
    model: Path | None = None
    sha256: str = ""
    pixel_table: Path | None = None
    pixel_size: float | None = None

    def prepare(self) -> None:
        """Load the model, if any. Raises `InputError` for another one than meant, or one that knows no images."""
        _prepare("cpu")
        if self.model is not None and _model(self.model, self.sha256).statistics is None:
            problem = "knows nothing of the images that it was trained on"
            raise InputError(self.model, problem, "train it with this version")
        _sizes(self.pixel_table, self.pixel_size)

    def __call__(self, task: Task) -> list[Row]:
        """The measurements of a segmentation. Raises `InputError`."""
        from ..annotation.segments import numbered
        from ..training.memory import computing_alike
        from .measuring import measure_files
        from .planar import PlanarMeasurement
        from .segmentation_files import case_of
        from .tables import table_row

        images = {case_of(task.file): task.inputs[-1]} if self.with_image else None
        known = None if self.model is None else _model(self.model, self.sha256)
        organs = self.organs or (None if known is None else known.organs)
        with computing_alike():
            rows = measure_files(
                [task.file],
                organs,
                images=images,
                statistics=None if known is None else known.statistics,
                sizes=_sizes(self.pixel_table, self.pixel_size),
            )
        if isinstance(rows[0], PlanarMeasurement) != (self.dimension == 2):
            kinds = ("a volume", "2-D images") if self.dimension == 2 else ("a 2-D image", "volumes")
            raise InputError(task.file, f"is of {kinds[0]}, and the others are of {kinds[1]}", "measure it by itself")
        if organs is None and all(row.organ == numbered(row.label) for row in rows):
            problem = "does not name its organs, and the others may have more of them"
            raise InputError(task.file, problem, "name them with --organs", in_panel="name them")
        return [table_row(row) for row in rows]


def _prepare(device: str) -> None:
    from ..segmentation.model import choose_device
    from ..training.memory import tune_memory

    tune_memory()
    choose_device(device)


def _segmented(model: Model, task: Task, results: Results, device: str, sizes: PixelSizes) -> list[Row]:
    from ..segmentation.model import choose_device
    from ..training.memory import computing_alike
    from .segmenting import segment_and_measure
    from .tables import table_row

    with computing_alike():
        (result,) = segment_and_measure(
            model,
            {task.name: task.file},
            results.folder,
            choose_device(device),
            pixel_sizes=sizes,
            probability=results.probability,
            uncertainty=results.uncertainty,
            outputs=_outputs(),
            suffix=results.suffix,
        )
    return [table_row(row) for row in result.rows]


def _corrected(model: TrainedModel, task: Task) -> CorrectedModel:
    from ..annotation.label_files import read_volume_labels
    from ..prompting.correction import CorrectedModel
    from ..prompting.drawing import check_drawn
    from ..segmentation.model import SegmentationModel

    assert isinstance(model, SegmentationModel)  # whoever makes the tasks has refused others
    drawing = read_volume_labels(task.inputs[0], model.organs)
    check_drawn(drawing, model.organs, task.name)
    return CorrectedModel(model, {task.name: drawing})


@lru_cache(maxsize=1)
def _model(path: Path, sha256: str) -> TrainedModel:
    from ..segmentation.loading import load_model

    if sha256_of(model_file(path, first=True)) != sha256:
        raise InputError(path, "has another model than when the command was started", "start it again")
    return load_model(path, first=True)


@lru_cache(maxsize=1)
def _outputs() -> Outputs:
    """May replace everything: whoever makes the tasks has checked it."""
    return Outputs(overwrite=True)


_sizes = lru_cache(maxsize=1)(read_pixel_sizes)
