"""Which organs the labelled slices of a study show, as they were saved last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ...annotation.sparse_labels import LabelledSlice

SliceLabels = Mapping["LabelledSlice", "NDArray[np.uint8]"]


class ShownOrgans:
    """Organs of labelled slices, by case; looked for once, since a slice of a large volume takes a while."""

    def __init__(self) -> None:
        self._known: dict[str, dict[LabelledSlice, list[str]]] = {}

    def of(self, case: str) -> Mapping[LabelledSlice, list[str]] | None:
        """Organs on each labelled slice; None if nobody has looked yet."""
        return self._known.get(case)

    def remember(self, case: str, slices: SliceLabels, organs: Sequence[str]) -> None:
        """Look which organs the labels of slices show: 1 is the first of the organs."""
        from ...annotation.sparse_labels import classes_in

        self._known[case] = {
            labelled: [organs[value - 1] for value in classes_in(labels[None])] for labelled, labels in slices.items()
        }

    def forget(self, case: str) -> None:
        """A case is gone."""
        self._known.pop(case, None)
