"""Labels drawn while the study is trained: left in an inbox, taken over when the study is free.

Training holds the study's lock for hours. An annotator goes on meanwhile, and no drawing may be lost. So whoever gives
labels may tell what it held alike with the study before: then they are joined with what others have drawn since.
"""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from ..annotation.label_files import read_labels
from ..annotation.segments import segments_of
from ..annotation.sparse_labels import UNLABELLED, LabelledSlice, SparseLabels
from ..disk.files import writing
from ..disk.identity import Identity, identity_of
from ..disk.in_use import remove_file
from ..disk.links import refuse_link
from ..disk.study_layout import NEW_LABELS, SET_ASIDE
from ..errors import InputError, Notice
from ..imaging.file_formats.segmentation import segment_fields
from ..imaging.files import write_label_map
from ..imaging.planes import slice_name
from ..imaging.scan import LabelMap
from ..imaging.volume_files import read_header, read_slice
from .joining import Checksums, agreed_by, checksums, join, strokes_of
from .study import Study

Files = tuple[Identity | None, Identity | None]  # of the labels of a case, and of those in the inbox
_AGREED = "USLabelEfficientSeg_Agreed"  # text in a file of the inbox: axis, index, checksum of slices


@dataclass(frozen=True)
class Held:
    """What a program knows of the labels of a case on disk.

    Attributes:
        agreed: checksums of the slices that it holds as the study does.
        files: the label files when it looked last; None if it has not.
        is_behind: whether they hold slices or strokes that it lacks, or holds otherwise.
    """

    agreed: Checksums = field(default_factory=dict)
    files: Files | None = None
    is_behind: bool = False


@dataclass(frozen=True)
class Given:
    """What became of labels that were given to a study.

    Attributes:
        held: what their giver knows now.
        set_aside: the folder with slices that others have drawn otherwise meanwhile, None if there are none.
    """

    held: Held
    set_aside: Path | None = None


@dataclass(frozen=True)
class Taken:
    """What became of labels that waited for a study.

    Attributes:
        cases: names of the cases whose labels were taken over, or left in the inbox.
        set_aside: cases of which others have drawn the same slices, and the folders with theirs.
        unfit: files that do not fit the study and stay where they are, each with its problem and a remedy.
    """

    cases: list[str] = field(default_factory=list)
    set_aside: list[tuple[str, Path]] = field(default_factory=list)
    unfit: list[InputError] = field(default_factory=list)

    def note(self, name: str, aside: Path | None) -> None:
        """The labels of a case are where they belong, and other slices of it in a folder."""
        self.cases.append(name)
        if aside is not None:
            self.set_aside.append((name, aside))


def leave_labels(study: Study, name: str, labels: SparseLabels, held: Held | None = None) -> Given:
    """Leave all labels of a case for the study. Needs no lock.

    Args:
        study: whose inbox it is.
        name: of the case.
        labels: of it.
        held: what was known of the labels on disk; None: these replace all others.

    Raises:
        InputError: labels of other organs than the study's or on another grid than the image; no room to write.
    """
    record = study.case(name).image
    if labels.organs != study.organs or labels.geometry.shape != record.shape:
        problem = f"are of {', '.join(labels.organs)} on {labels.geometry.shape} voxels"
        raise InputError(f"labels of {name}", problem, f"label {', '.join(study.organs)} on {record.shape} voxels")
    path = _path(study, name)
    refuse_link(path.parent)
    with writing(path):
        path.parent.mkdir(exist_ok=True)
    joined, aside = _joined(study, name, labels, held)
    texts = segment_fields(segments_of(study.organs))
    if held is not None:
        of_study = _agreed(path) if path.exists() and held.files == files_of(study, name) else None
        texts[_AGREED] = _as_text(_stored(study, name) if of_study is None else of_study)
    write_label_map(path, LabelMap(joined.voxels, joined.geometry, name), texts)
    return Given(_held(study, name, labels, joined, held), aside)


def left_labels(study: Study, name: str) -> SparseLabels | None:
    """The labels of a case that wait in the inbox, with those of the study that were drawn since; None where none wait.

    Raises `InputError` as `take_labels` does.
    """
    path = _path(study, name)
    if not path.exists():
        return None
    labels, agreed = _read(study, path), _agreed(path)
    stored = None if agreed is None else study.read_labels(name)
    return labels if stored is None or agreed is None else join(labels, agreed, stored, study.slice_axis).labels


def newest_labels(study: Study, name: str) -> SparseLabels | None:
    """The labels of a case, those that wait in the inbox included; None where nothing is labelled."""
    left = left_labels(study, name)
    return study.read_labels(name) if left is None else left


def files_of(study: Study, name: str) -> Files:
    """The files with the labels of a case: whoever finds them the same need not read them again."""
    record = study.case(name).labels
    return None if record is None else identity_of(study.folder / record.file), identity_of(_path(study, name))


def put_labels(study: Study, name: str, labels: SparseLabels, held: Held | None = None) -> Given:
    """Give a study the labels of a case, also for those in the inbox. The caller holds the lock.

    Arguments as for `leave_labels`.

    Raises:
        InputError: labels that do not fit; no room to write.
    """
    left = identity_of(_path(study, name))
    joined, aside = _joined(study, name, labels, held)
    _put(study, name, joined, left)
    return Given(_held(study, name, labels, joined, held), aside)


def take_labels(study: Study) -> Taken:
    """Take over the labels in the inbox. The caller holds the lock.

    A case whose new labels hold no labelled slice becomes unlabelled.
    """
    taken = Taken()
    for name in waiting(study):
        path, aside = _path(study, name), None
        left, labels, agreed = identity_of(path), _read(study, path), _agreed(path)
        if agreed is not None:
            labels, aside = _with_those_of(study, name, labels, agreed, study.read_labels(name))
        _put(study, name, labels, left)
        taken.note(name, aside)
    return taken


def waiting(study: Study) -> list[str]:
    """The names of the cases whose labels wait in the inbox."""
    return [case.name for case in study.cases if _path(study, case.name).exists()]


def _path(study: Study, name: str) -> Path:
    return study.folder / NEW_LABELS / study.case(name).image.file.rpartition("/")[2]


def _put(study: Study, name: str, labels: SparseLabels, left: Identity | None) -> None:
    """Make these the labels of a case; what was left in the inbox is in them, but not what was left since."""
    if (labels.voxels == UNLABELLED).all():
        study.remove_labels(name)
    else:
        study.set_labels(name, labels)
    path = _path(study, name)
    if left is not None and identity_of(path) == left:
        remove_file(path, missing_ok=True)


def _joined(study: Study, name: str, labels: SparseLabels, held: Held | None) -> tuple[SparseLabels, Path | None]:
    """Labels with all that others have drawn since their giver looked last, and where slices were set aside."""
    if held is None or (not held.is_behind and held.files == files_of(study, name)):
        return labels, None
    return _with_those_of(study, name, labels, held.agreed, newest_labels(study, name))


def _with_those_of(
    study: Study, name: str, labels: SparseLabels, agreed: Checksums, there: SparseLabels | None
) -> tuple[SparseLabels, Path | None]:
    if there is None:
        there = SparseLabels.unlabelled(labels.geometry, labels.organs)
    labels.check_grid(name, there.geometry)
    joined = join(labels, agreed, there, study.slice_axis)
    return joined.labels, None if joined.displaced is None else _set_aside(study, name, joined.displaced)


def _held(study: Study, name: str, labels: SparseLabels, joined: SparseLabels, held: Held | None) -> Held:
    """What the giver of labels knows, once the study holds them with those of others."""
    files, given = files_of(study, name), checksums(labels, study.slice_axis)
    if joined is labels:
        return Held(given, files)
    stored = checksums(joined, study.slice_axis)
    agreed = agreed_by(given, stored, {} if held is None else held.agreed)
    return Held(agreed, files, is_behind=given != stored or strokes_of(joined) is not None)


def _stored(study: Study, name: str) -> Checksums:
    labels = study.read_labels(name)
    return {} if labels is None else checksums(labels, study.slice_axis)


def _set_aside(study: Study, name: str, labels: SparseLabels) -> Path:
    """Write slices that the study does not hold into a folder of their own, which `study label` can take."""
    file = _path(study, name).name
    refuse_link(study.folder / SET_ASIDE)
    time, number = f"{datetime.now():%Y-%m-%d %H-%M-%S}", 1
    folder = study.folder / SET_ASIDE / time
    while (folder / file).exists():
        number += 1
        folder = study.folder / SET_ASIDE / f"{time} {number}"
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_label_map(folder / file, LabelMap(labels.voxels, labels.geometry, name, segments_of(study.organs)))
    places = [(place.axis, place.index) for place in labels.labelled_slices()]
    shape = labels.geometry.shape
    names = ", ".join(slice_name(labels.geometry.direction, axis, index, shape[axis]) for axis, index in places)
    text = f"holds slices of {name} as they were drawn elsewhere ({names}); the study has those drawn here"
    warnings.warn(Notice(folder, text), stacklevel=2)
    return folder


def _read(study: Study, path: Path) -> SparseLabels:
    """The labels of a file in the inbox; of an image all may be unlabelled, which no other file can say."""
    if study.is_planar:
        voxels, geometry = read_slice(read_header(path))
        if (voxels == UNLABELLED).all():
            return SparseLabels.unlabelled(geometry, study.organs)
    label_map = read_labels(path, study.organs, dimension=study.dimension)
    return SparseLabels(label_map.voxels, label_map.geometry, study.organs)


def _agreed(path: Path) -> Checksums | None:
    """The slices that the labels in a file of the inbox were drawn over; None if they replace all others."""
    try:
        agreed = json.loads(read_header(path).texts[_AGREED])
        return {LabelledSlice(axis, index): known for axis, index, known in agreed}
    except (KeyError, ValueError, TypeError):  # of an earlier version
        return None


def _as_text(agreed: Checksums) -> str:
    return json.dumps([[place.axis, place.index, known] for place, known in sorted(agreed.items())])
