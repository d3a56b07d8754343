"""The requests that a worker answers, each by a function of its arguments; see `protocol` for how they are asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..annotation.slice_labels_file import read_slice_labels
from ..annotation.sparse_labels import UNLABELLED
from ..disk.failures import Failures
from ..disk.files import writing
from ..disk.outputs import Outputs
from ..errors import InputError
from ..imaging.files import write_label_map
from ..imaging.scan import LabelMap
from ..imaging.scan_files import images_by_name
from ..method.suggesting import suggest as suggest_places
from ..segmentation.segments import segment_metadata
from ..study.inbox import left_labels, newest_labels
from ..study.kept_slices import kept_places
from ..study.study import Study
from ..text.counting import counted_of
from .kept import Kept
from .networks import Networks

if TYPE_CHECKING:  # networks are loaded by the first request that asks one
    import torch

    from ..annotation.sparse_labels import SparseLabels
    from ..prompting.coarse_drawing import CoarseDrawing
    from ..prompting.opinions import Opinion
    from ..prompting.outline import Outline
    from ..segmentation.inference import VolumePrediction
    from ..segmentation.protocols import Model
    from ..training.processors import Processors

Record = Callable[[Mapping[str, Any]], object]
Result = dict[str, Any]
_AT_ONCE = 4  # volumes that are segmented side by side; each takes memory


class Arguments(BaseModel):
    """Of a request; unknown ones are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class OfStudy(Arguments):
    """A study, and the device of its model."""

    study: Path
    device: str = "auto"


class OfScan(OfStudy):
    """A scan of a study by name, the file for the answer, and a slice (axis, index) that is wanted by itself, too.

    `labels` is a file of the slices of a volume that are labelled now, or drawn in part; by default the study's.
    """

    volume: str
    output: Path
    labels: Path | None = None
    slice: tuple[Annotated[int, Field(ge=0, le=2)], Annotated[int, Field(ge=0)]] | None = None


class Predict(OfScan):
    """Of a volume also on a coarse grid, as an outline for the views, and that corrected by its labelled slices."""

    coarse: bool = False
    corrected: bool = False


class Suggest(OfStudy):
    """As of the command `suggest`."""

    count: Annotated[int, Field(ge=1)] = 12
    volume: str | None = None
    seed: Annotated[int, Field(ge=0)] = 0


class Segment(Arguments):
    """As of the command `segment`; `images` is a list of files or folders."""

    model: Path
    images: tuple[Path, ...]
    output: Path
    device: str = "auto"
    probability: bool = False
    uncertainty: bool = False
    overwrite: bool = False


class Answering:
    """Answers requests, and keeps between them what the next may need.

    Args:
        networks: waited for by requests that ask a network.

    Attributes:
        requests: by name.
    """

    def __init__(self, networks: Networks) -> None:
        self._networks = networks
        self._kept = Kept()
        self._processors: Processors | None = None
        self.requests: dict[str, Callable[[Mapping[str, Any], Record], Result]] = {
            "prepare": self._prepare,
            "suggest": self._suggest,
            "predict": self._predict,
            "propagate": self._propagate,
            "segment": self._segment,
        }

    def __call__(self, verb: str, arguments: Mapping[str, Any], record: Record) -> Result:
        """The result of a request.

        Args:
            verb: its name.
            arguments: of it.
            record: receives parts of the result as they are made.

        Raises:
            InputError: no such request, arguments that are missing or wrong, or as its command does.
        """
        if verb not in self.requests:
            raise InputError(f"request {verb}", "is unknown", f"ask for {', '.join(self.requests)}")
        return self.requests[verb](arguments, record)

    def rest(self) -> None:
        """Load networks beforehand, and give memory back; what is kept stays."""
        self._networks.start()
        if self._networks.loaded:
            from ..training.memory import release_memory

            release_memory()

    def _prepare(self, arguments: Mapping[str, Any], record: Record) -> Result:
        """Look through a study, so that later answers come at once."""
        asked = _checked(OfStudy, arguments)
        study = Study.open(asked.study)
        try:
            self._places(study, Suggest(study=asked.study, device=asked.device))
        except InputError as error:
            if error.subject != "suggestion":  # all is labelled
                raise
        return {}

    def _suggest(self, arguments: Mapping[str, Any], record: Record) -> Result:
        """The slices to label next."""
        asked = _checked(Suggest, arguments)
        return {"slices": self._places(Study.open(asked.study), asked)}

    def _places(self, study: Study, asked: Suggest) -> list[dict[str, Any]]:
        left = {case.name: left_labels(study, case.name) for case in study.cases}
        labelled = {name: _places_of(labels) for name, labels in left.items() if labels is not None}
        for name, kept in kept_places(study).items():  # by a program that had no time to write them
            record = study.case(name).labels
            known = labelled.get(name, [] if record is None else list(record.slices))
            labelled[name] = sorted({*known, *((one.axis, one.index) for one in kept)})
        found = suggest_places(
            study,
            asked.count,
            volume=asked.volume,
            seed=asked.seed,
            labelled=labelled,
            remembered=self._kept.remembered(study, lambda: self._device(asked.device)),
        )
        return [asdict(suggestion) for suggestion in found]

    def _predict(self, arguments: Mapping[str, Any], record: Record) -> Result:
        """What the study's model finds in one of its scans, on the scan's own grid."""
        asked = _checked(Predict, arguments)
        if asked.corrected and not asked.coarse:
            raise InputError("corrected prediction", "is not had on the volume's own grid", "ask for a coarse one")
        study = Study.open(asked.study)
        device = self._device(asked.device)
        drawn = self._drawn(study, asked) if asked.corrected else None
        if drawn is not None:
            return self._outlined(study, asked, drawn, self._kept.opinions(study, asked.volume, device))
        from ..prompting.outline import OUTLINE_VOXELS
        from ..segmentation.inference import VolumePrediction

        prediction = self._kept.prediction(study, asked.volume, device)
        if not isinstance(prediction, VolumePrediction):  # an image has no volume, and is its only slice
            _write(asked.output, prediction.labels(), study.organs)
            return {"file": str(asked.output)}
        labels = prediction.coarse_labels(OUTLINE_VOXELS) if asked.coarse else prediction.labels()
        _write(asked.output, labels, study.organs)
        ml = dict(zip(study.organs, prediction.volumes_ml(), strict=True))
        intervals = _intervals_ml(self._kept.model(study.folder), prediction)
        return {
            "file": str(asked.output),
            "volumes_ml": ml,
            "intervals_ml": intervals,
            **_slice_of(prediction, asked),
        }

    def _propagate(self, arguments: Mapping[str, Any], record: Record) -> Result:
        """The organs that the labelled slices of a scan show, continued through it, on a coarse grid."""
        asked = _checked(OfScan, arguments)
        study = Study.open(asked.study)
        self._device("cpu")
        drawn = self._drawn(study, asked)
        if drawn is None:
            raise InputError(asked.volume, "has no labelled slice", "label a slice of it")
        return self._outlined(study, asked, drawn)

    def _drawn(self, study: Study, asked: OfScan) -> LabelMap | CoarseDrawing | None:
        """The labels of a volume as they are now; None where nothing is labelled."""
        if asked.labels is None:
            labels = newest_labels(study, asked.volume)
            if labels is None or (labels.voxels == UNLABELLED).all():
                return None
            return LabelMap(labels.voxels, labels.geometry, asked.volume)
        from ..prompting.coarse_drawing import drawing_of_slices

        volume = self._kept.coarse(study, asked.volume)
        slices = read_slice_labels(asked.labels, volume.geometry.shape, study.organs)
        if not slices:
            return None
        return drawing_of_slices(slices, len(study.organs), volume.geometry.shape, volume.grid.shape)

    def _outlined(
        self, study: Study, asked: OfScan, drawn: LabelMap | CoarseDrawing, opinions: Sequence[Opinion] | None = None
    ) -> Result:
        from ..prompting.drawing import whole_slices
        from ..prompting.outline import outline

        found = outline(self._kept.coarse(study, asked.volume), drawn, study.organs, opinions=opinions)
        _write(asked.output, found.labels, study.organs)
        ml = {
            "volumes_ml": found.volumes_ml,
            "intervals_ml": {name: list(one) for name, one in found.intervals_ml.items()},
        }
        following = found.next_slice(whole_slices(drawn.voxels) if isinstance(drawn, LabelMap) else drawn.slices)
        next_slice = {} if following is None else {"next_slice": list(following)}
        return {"file": str(asked.output), **ml, **next_slice, **_slice_of(found, asked)}

    def _segment(self, arguments: Mapping[str, Any], record: Record) -> Result:
        """Segment and measure images into a folder; each file is told when it is complete."""
        asked = _checked(Segment, arguments)
        device = self._device(asked.device)
        from ..measurement.segmenting import segment_and_measure
        from ..training.processors import Processors

        model = self._kept.model(asked.model)
        images = images_by_name(asked.images, model.dimension)
        self._processors = self._processors or Processors(_AT_ONCE)
        sentences: list[str] = []
        failures = Failures(sentences.append)
        results = segment_and_measure(
            model,
            images,
            asked.output,
            device,
            probability=asked.probability,
            uncertainty=asked.uncertainty,
            outputs=Outputs(asked.overwrite, [asked.model, *asked.images]),
            failures=failures,
            threads=self._processors.threads if device.type == "cpu" else lambda: 1,
        )
        files = []
        for result in counted_of(results, len(images), "segmenting"):
            files.append(str(result.path))
            record({"file": str(result.path)})
        failures.end()
        if sentences:
            failed = f"{len(failures.failed)} of {failures.of} images"
            raise InputError(failed, f"failed: {sentences[0].rstrip('.')}", "the others are done")
        return {"files": files}

    def _device(self, name: str) -> torch.device:
        """The device of a network, which can be asked from now on."""
        self._networks.wait()
        from ..segmentation.model import choose_device
        from ..training.memory import tune_memory

        tune_memory()  # of the thread that computes
        return choose_device(name)


A = TypeVar("A", bound=Arguments)


def _checked(kind: type[A], arguments: Mapping[str, Any]) -> A:
    try:
        return kind.model_validate(arguments)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        raise InputError(f"argument {name}", f"is wrong ({first['msg']})", "ask as the documentation has it") from error


def _intervals_ml(model: Model, prediction: VolumePrediction) -> dict[str, list[float]]:
    """The prediction interval of each organ that has one, by its name."""
    from ..measurement.segmenting import volume_interval

    calibration = model.calibration
    if calibration is None:
        return {}
    found = {organ: volume_interval(calibration, prediction, index) for index, organ in enumerate(model.organs)}
    return {organ: list(interval) for organ, interval in found.items() if interval is not None}


def _places_of(labels: SparseLabels) -> list[tuple[int, int]]:
    return [(labelled.axis, labelled.index) for labelled in labels.labelled_slices()]


def _slice_of(found: VolumePrediction | Outline, asked: OfScan) -> Result:
    """The slice that is wanted by itself, on the scan's own grid, in a file of numpy beside the answer."""
    if asked.slice is None:
        return {}
    axis, index = asked.slice
    if index >= found.geometry.shape[axis]:
        problem = f"has no slice of index {index} along axis {axis}"
        raise InputError(asked.volume, problem, f"ask for 0 to {found.geometry.shape[axis] - 1}")
    file = asked.output.with_name(f"{asked.output.name}.npy")
    with writing(file):
        np.save(file, found.slice_labels(axis, index), allow_pickle=False)
    return {"slice": str(file)}


def _write(output: Path, labels: LabelMap, organs: Sequence[str]) -> None:
    write_label_map(output, labels, segment_metadata(labels, organs))
