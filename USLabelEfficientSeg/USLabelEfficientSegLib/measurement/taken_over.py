"""Measurements taken over from the record beside a segmentation, whichever program has saved it since.

Programs that edit segmentations may number their segments anew: organs are those of the same name, where there are
names. A file without names has those of its record.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..annotation.segments import LabelFile, matched, numbered, organ_labels
from ..errors import InputError
from ..imaging.checksums import image_checksum
from ..imaging.scan import LabelMap, Scan
from .flags import Flag
from .quantities import Measurement
from .record import UNKNOWN, AnyMeasurement, Maker, Record


@dataclass(frozen=True)
class TakenOver:
    """A segmentation with the measurements from when it was made.

    Attributes:
        label_map: label 1 + n for the n-th organ.
        organs: their names; empty when nobody knows.
        rows: what was measured, by organ; one that was edited since has the flag `EDITED` and nothing else that counts.
        labels: for each label of the file, the label in `label_map`.
        known: whether there was a record.
        maker: of the segmentation, unknown where none of its organs is as it was made.
    """

    label_map: LabelMap
    organs: list[str]
    rows: dict[int, AnyMeasurement]
    labels: dict[int, int]
    known: bool
    maker: Maker

    @property
    def complete(self) -> bool:
        """Whether all organs are measured."""
        whole = self.rows.keys() == set(range(1, len(self.organs) + 1)) and self.known
        return whole and int(self.label_map.voxels.max()) <= len(self.organs) and not any(map(is_edited, self.all))

    def check_image(self, path: Path, image: Scan) -> None:
        """Raise `InputError` when an image is not the one that was segmented into the file `path`."""
        if self.maker.image is None or self.maker.image.same(image_checksum(image)):
            return
        problem = f"is not the image that {path.name} was made of: its grey values, its size or its place differ"
        raise InputError(image.name, problem, "give the image that was segmented, or segment it again")

    @property
    def all(self) -> list[AnyMeasurement]:
        """The rows in the order of the organs."""
        return [self.rows[label] for label in sorted(self.rows)]

    def joined(self, measured: Iterable[AnyMeasurement]) -> list[AnyMeasurement]:
        """The new measurements, except for organs whose old ones still hold."""
        return [_of_now_or_then(row, self.rows.get(row.label)) for row in measured]


def taken_over(path: Path, label_map: LabelMap, record: Record | None, organs: Sequence[str] | None) -> TakenOver:
    """The part of a record that still holds for the segmentation in a file.

    Args:
        path: of the segmentation.
        label_map: as the file numbers its labels, under the name of its image.
        record: what lies beside it, if anything does.
        organs: the names wanted; by default those of the file, or else of the record.

    Raises:
        InputError: as `organ_labels` does.
    """
    rows = {} if record is None else _rows_by_label(record, path, label_map)
    maker = UNKNOWN
    if record is not None and record.origin is not None and not all(map(is_edited, rows.values())):
        maker = record.origin.maker
    if rows and not label_map.segments:
        label_map = replace(label_map, segments={label: row.organ for label, row in rows.items()})
    names = names_of(label_map)
    labels = {label: label for label in range(1, len(names) + 1)}
    if organs is not None:
        names, labels = list(organs), organ_labels(LabelFile.of(path, label_map), organs)
        label_map = matched(label_map, organs, path)
    of_organ = {
        labels[label]: replace(row, case=label_map.name, organ=names[labels[label] - 1], label=labels[label])
        for label, row in rows.items()
        if 0 < labels.get(label, 0) <= len(names)
    }
    return TakenOver(label_map, names, of_organ, labels, record is not None, maker)


def model_flagged(rows: Iterable[AnyMeasurement], maker: Maker, model_sha256: str | None) -> list[AnyMeasurement]:
    """The rows, with a flag if another model than the given one has made them, or if this is unknown."""
    if model_sha256 is None or maker.model_sha256 == model_sha256:
        return list(rows)
    flag = Flag.UNKNOWN_MODEL if maker.model_sha256 is None else Flag.OTHER_MODEL
    return [_flagged(row, flag) for row in rows]


def check_model(records: Iterable[Record | None], model_sha256: str, study: Path) -> None:
    """Raise `InputError` if all segmentations name their model, and none the study's."""
    makers = [
        None if record is None or record.origin is None else record.origin.maker.model_sha256 for record in records
    ]
    if None not in makers and model_sha256 not in makers:
        problem = "is not the study whose model has made these segmentations"
        raise InputError(
            study,
            problem,
            "give --study the study that they were segmented with, or leave it out",
            in_panel="open the study that they were segmented with",
        )


def is_edited(row: Measurement) -> bool:
    """Whether an organ is no longer as the model has made it."""
    return Flag.EDITED in row.flags


def names_of(label_map: LabelMap) -> list[str]:
    """Organ names that a segmentation has, by label, a gap called `organ N`; empty when none."""
    names = label_map.segments
    return [names.get(label, numbered(label)) for label in range(1, max(names, default=0) + 1)]


def _of_now_or_then(now: AnyMeasurement, then: AnyMeasurement | None) -> AnyMeasurement:
    if then is None:
        return now
    return _flagged(now, Flag.EDITED) if is_edited(then) else then


def _flagged(row: AnyMeasurement, flag: Flag) -> AnyMeasurement:
    return replace(row, flags=(*row.flags, flag))


def _rows_by_label(record: Record, path: Path, label_map: LabelMap) -> dict[int, AnyMeasurement]:
    """The rows of a record by the label that the file has for the organ."""
    recorded = [row.organ for row in record.rows]
    try:
        labels = organ_labels(LabelFile.of(path, label_map), recorded) if label_map.segments else {}
        ordered = matched(label_map, recorded, path)
    except InputError:  # other names: an organ was added or renamed
        labels, ordered = {}, label_map
    label_of = {then: now for now, then in labels.items()}
    unchanged = record.unchanged(path, ordered)
    return {
        label_of.get(row.label, row.label): row if row.label in unchanged else replace(row, flags=(Flag.EDITED,))
        for row in record.rows
    }
