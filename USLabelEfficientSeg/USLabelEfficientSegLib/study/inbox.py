"""Labels drawn while the study is trained: left in an inbox, taken over when the study is free.

Training holds the study's lock for hours. An annotator goes on meanwhile, and no drawing may be lost.
"""

from pathlib import Path

from ..annotation.label_files import read_labels, write_label_map
from ..annotation.segments import segments_of
from ..annotation.sparse_labels import UNLABELLED, SparseLabels
from ..disk.files import writing
from ..disk.in_use import remove_file
from ..disk.links import refuse_link
from ..disk.study_layout import NEW_LABELS
from ..errors import InputError
from ..imaging.scan import LabelMap
from ..imaging.volume_files import read_header, read_slice
from .study import Study


def leave_labels(study: Study, name: str, labels: SparseLabels) -> None:
    """Leave all labels of a case for the study; they replace those left before. Needs no lock.

    Raises:
        InputError: labels of other organs than the study's or on another grid than the image; no room to write.
    """
    record = study.case(name).image
    if labels.organs != study.organs or labels.geometry.shape != record.shape:
        problem = f"are of {', '.join(labels.organs)} on {labels.geometry.shape} voxels"
        raise InputError(f"labels of {name}", problem, f"label {', '.join(study.organs)} on {record.shape} voxels")
    path = study.folder / NEW_LABELS / record.file.rpartition("/")[2]
    refuse_link(path.parent)
    with writing(path):
        path.parent.mkdir(exist_ok=True)
    write_label_map(path, LabelMap(labels.voxels, labels.geometry, name, segments_of(study.organs)))


def left_labels(study: Study, name: str) -> SparseLabels | None:
    """The labels of a case that wait in the inbox, None where none do. Raises `InputError` as `take_labels` does."""
    path = study.folder / NEW_LABELS / study.case(name).image.file.rpartition("/")[2]
    return _read(study, path) if path.exists() else None


def put_labels(study: Study, name: str, labels: SparseLabels) -> None:
    """Replace the labels of a case, also in the inbox. The caller holds the lock.

    Raises:
        InputError: labels that do not fit; no room to write.
    """
    if (labels.voxels == UNLABELLED).all():
        study.remove_labels(name)
    else:
        study.set_labels(name, labels)
    remove_file(study.folder / NEW_LABELS / study.case(name).image.file.rpartition("/")[2], missing_ok=True)


def take_labels(study: Study) -> list[str]:
    """Take over the labels in the inbox, and return the names of their cases. The caller holds the lock.

    A case whose new labels hold no labelled slice becomes unlabelled.
    """
    taken = []
    for case in study.cases:
        labels = left_labels(study, case.name)
        if labels is not None:
            put_labels(study, case.name, labels)
            taken.append(case.name)
    return taken


def _read(study: Study, path: Path) -> SparseLabels:
    """The labels of a file in the inbox; of an image all may be unlabelled, which no other file can say."""
    if study.is_planar:
        voxels, geometry = read_slice(read_header(path))
        if (voxels == UNLABELLED).all():
            return SparseLabels.unlabelled(geometry, study.organs)
    label_map = read_labels(path, study.organs, dimension=study.dimension)
    return SparseLabels(label_map.voxels, label_map.geometry, study.organs)
