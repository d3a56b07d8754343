"""The labels of cases that have some, which is asserted."""

from USLabelEfficientSegLib.annotation.sparse_labels import SparseLabels
from USLabelEfficientSegLib.study.manifest import Case, LabelRecord
from USLabelEfficientSegLib.study.study import Study


def record_of(case: Case) -> LabelRecord:
    """What the study keeps of the labels of a case."""
    assert case.labels is not None, f"{case.name} has no labels"
    return case.labels


def labels_of(study: Study, name: str) -> SparseLabels:
    """The labels of a case as they are read from its file."""
    labels = study.read_labels(name)
    assert labels is not None, f"{name} has no labels"
    return labels
