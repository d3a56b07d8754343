"""What a worker keeps between requests: a model, the scans it has read, what it found in them. All of it is bounded."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from ..disk.kinds import exported_model, is_export
from ..disk.study_layout import FIRST_MODEL_NAME, MODEL_NAME
from ..imaging.scan import Scan
from ..method.suggesting import Remembered
from ..study.study import Study

if TYPE_CHECKING:  # networks are loaded when one is asked for
    import torch

    from ..prompting.opinions import Opinion
    from ..prompting.outline import CoarseVolume
    from ..segmentation.protocols import Model, Prediction

MOST_BYTES = 256 * 2**20  # of scans, and as much of predictions
MOST_COARSE_BYTES = 8 * 2**20  # of coarse volumes: the last two
MOST_OPINION_BYTES = 32 * 2**20  # of a model's opinions on them
Stamp = tuple[str, int, int, int]
T = TypeVar("T")


class Lately(Generic[T]):
    """The values used last, as many as fit into some bytes; at least one.

    Args:
        most_bytes: of all.
        size: of a value in bytes.
    """

    def __init__(self, most_bytes: int, size: Callable[[T], int]) -> None:
        self._most, self._size = most_bytes, size
        self._values: OrderedDict[Hashable, T] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value of a key, made if it is not there."""
        value = self._values[key] if key in self._values else make()
        self._values[key] = value
        self._values.move_to_end(key)
        while len(self._values) > 1 and sum(map(self._size, self._values.values())) > self._most:
            self._values.popitem(last=False)
        return value


class Kept:
    """Models, scans and predictions between the requests of a worker; a file that has changed is read anew."""

    def __init__(self) -> None:
        self._model: tuple[Hashable, Model] | None = None
        self._remembered: tuple[Hashable, Remembered] | None = None
        self._scans: Lately[Scan] = Lately(MOST_BYTES, lambda scan: scan.voxels.nbytes)
        self._coarse: Lately[CoarseVolume] = Lately(MOST_COARSE_BYTES, lambda volume: volume.image.nbytes)
        self._opinions: Lately[tuple[Opinion, ...]] = Lately(MOST_OPINION_BYTES, _bytes_of_opinions)
        self._predictions: Lately[Prediction] = Lately(MOST_BYTES, lambda made: made.probability.nbytes)

    def model(self, path: Path) -> Model:
        """The model of a study folder or a model file; raises as `load_model` does."""
        from ..segmentation.loading import load_model

        key = _stamps_of_model(path)
        if self._model is None or self._model[0] != key:
            self._model = None  # not two at a time
            self._model = key, load_model(path, first=True)
        return self._model[1]

    def scan(self, study: Study, name: str) -> Scan:
        """A scan of a study."""
        return self._scans.get(_key(study, name), lambda: study.read_scan(name))

    def coarse(self, study: Study, name: str) -> CoarseVolume:
        """A volume of a study as its outline needs it."""
        from ..prompting.outline import coarse_volume

        return self._coarse.get(_key(study, name), lambda: coarse_volume(self.scan(study, name)))

    def prediction(self, study: Study, name: str, device: torch.device) -> Prediction:
        """What the study's model finds in one of its scans."""
        key = _stamps_of_model(study.folder), *_key(study, name)
        model = self.model(study.folder)
        return self._predictions.get(key, lambda: model.predict(self.scan(study, name), device))

    def opinions(self, study: Study, name: str, device: torch.device) -> tuple[Opinion, ...]:
        """What the study's model, as it is now, makes the network think of a volume before somebody draws in it."""
        from ..prompting.outline import coarse_opinions

        def made() -> tuple[Opinion, ...]:
            return coarse_opinions(self.coarse(study, name), self.prediction(study, name, device).probability)

        return self._opinions.get((_stamps_of_model(study.folder), *_key(study, name)), made)

    def remembered(self, study: Study, device: Callable[[], torch.device]) -> Remembered:
        """What suggestions remember of a study, as it is trained now."""
        key = study.created, tuple(case.name for case in study.cases), _stamps_of_model(study.folder)
        if self._remembered is None or self._remembered[0] != key:
            found = Remembered(lambda scan: self.prediction(study, scan.name, device()).probability[1:])
            self._remembered = key, found
        return self._remembered[1]


def _bytes_of_opinions(opinions: tuple[Opinion, ...]) -> int:
    return sum(opinion.prior.nbytes + opinion.before.nbytes for opinion in opinions)


def _key(study: Study, name: str) -> tuple[Stamp | None, str]:
    """Of a scan as its file is now."""
    return _stamp(study.folder / study.case(name).image.file), name


def _stamps_of_model(path: Path) -> tuple[Stamp | None, ...]:
    if is_export(path):
        path = exported_model(path)
    if not path.is_dir():
        return (_stamp(path),)
    run = Study.open(path).run_folder
    return _stamp(run / MODEL_NAME), _stamp(run / FIRST_MODEL_NAME)


def _stamp(file: Path) -> Stamp | None:
    """What changes when a file is replaced; None if there is none."""
    try:
        status = file.stat()
    except OSError:
        return None
    return str(file), status.st_mtime_ns, status.st_size, status.st_ino
