"""Agreement of the organs of one case, a volume or a 2-D image, with a reference.

References must be dense. A sparse label, which holds 255 for unlabelled, is refused: leaving out voxels would
cut the organ's surface and its volume where nobody drew a boundary.

*Missed* is an organ that just one of prediction and reference holds. Its Dice is 0 and its surface distances are
undefined; so are the percentage error against an absent reference and the error of an absent organ's ellipse. Distances
run between the centres of voxels or pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..imaging.file_formats.segmentation import fitted
from ..imaging.scan import LabelMap
from ..measurement.measuring import outline_quantities
from ..measurement.quantities import Quantity
from .metrics import dice, surface_distances, volume_error_percent

_PERCENT = "percent"
_ERRORS = {
    "volume": ("ml", _PERCENT),
    "area": (_PERCENT,),
    "circumference": ("mm",),
}  # the units in which they are told


@dataclass(frozen=True)
class QuantityPair:
    """A predicted quantity of an organ, and its reference.

    Attributes:
        quantity: name and unit, such as "volume" and "ml".
        unit: of both values.
        predicted, reference: values of the outlines; 0 of an absent organ.
        of_outline: whether a prediction may have another value by its probabilities, which is not compared.
    """

    quantity: str
    unit: str
    predicted: float
    reference: float
    of_outline: bool

    @classmethod
    def of(cls, predicted: Quantity, reference: Quantity) -> "QuantityPair":
        """The values of two outlines."""
        first, second = (one.value if one.outline is None else one.outline for one in (predicted, reference))
        assert first is not None and second is not None
        return cls(predicted.name, predicted.unit, first, second, predicted.outline is not None)

    @property
    def error(self) -> float:
        """Signed: predicted minus reference; nan for the circumference of an ellipse that just one of both has."""
        undefined = not self.of_outline and (self.predicted == 0) != (self.reference == 0)
        return float("nan") if undefined else self.predicted - self.reference

    @property
    def error_percent(self) -> float:
        """Signed, in percent of the reference; nan where only the reference is empty."""
        return volume_error_percent(self.predicted, self.reference)

    def values(self) -> dict[str, float]:
        """Both values by the names of their columns."""
        return {
            f"predicted_{self._name}_{self.unit}": self.predicted,
            f"reference_{self.quantity}_{self.unit}": self.reference,
        }

    def errors(self) -> dict[str, float]:
        """The errors that are told, by the names of their columns."""
        return {
            f"{self._name}_error_{unit}": self.error_percent if unit == _PERCENT else self.error
            for unit in _ERRORS[self.quantity]
        }

    @property
    def _name(self) -> str:
        return f"outline_{self.quantity}" if self.of_outline else self.quantity


@dataclass(frozen=True)
class CaseMetrics:
    """Agreement of one organ in one case with its reference; undefined values are nan.

    Attributes:
        case, organ: names.
        dice, hausdorff_95_mm, average_surface_distance_mm: see `metrics`.
        quantities: those to report: volume; or area and circumference.
    """

    case: str
    organ: str
    dice: float
    hausdorff_95_mm: float
    average_surface_distance_mm: float
    quantities: tuple[QuantityPair, ...]

    @property
    def size(self) -> QuantityPair:
        """Volume or area."""
        return self.quantities[0]

    @property
    def missed(self) -> bool:
        """Whether just one of prediction and reference holds the organ."""
        return (self.size.predicted == 0) != (self.size.reference == 0)

    def columns(self) -> dict[str, float]:
        """The cells in a table of cases, by heading."""
        columns = self._agreement()
        for pair in self.quantities:
            columns |= pair.values() | pair.errors()
        return columns

    def summarised(self) -> dict[str, float]:
        """The values for a summary over cases, by the name of the metric."""
        metrics = self._agreement()
        for pair in self.quantities:
            for name, error in pair.errors().items():
                metrics |= {name: error, f"absolute_{name}": abs(error)}
        return metrics

    def _agreement(self) -> dict[str, float]:
        names = ("dice", "hausdorff_95_mm", "average_surface_distance_mm")
        return {name: getattr(self, name) for name in names}


def evaluate_case(prediction: LabelMap, reference: LabelMap, organs: Sequence[str]) -> list[CaseMetrics]:
    """Metrics of every organ of one case, named after the reference.

    Raises:
        InputError: the grids differ, or a label is unlabelled (255) or belongs to no organ.
    """
    if prediction.voxels.size < reference.voxels.size:
        prediction = fitted(prediction, reference.geometry)
    else:
        reference = fitted(reference, prediction.geometry)
    if not prediction.geometry.same_grid(reference.geometry):
        difference = prediction.geometry.difference(reference.geometry)
        problem = f"has another geometry than its reference: it {difference}"
        raise InputError(prediction.name, problem, "give both on the grid of the same image")
    rows = []
    pairs = zip(outline_quantities(prediction, organs), outline_quantities(reference, organs), strict=True)
    for label, (organ, (predicted, referred)) in enumerate(zip(organs, pairs, strict=True), start=1):
        masks = _mask(prediction, label), _mask(reference, label)
        distances = surface_distances(*masks, reference.geometry.spacing[: masks[0].ndim])
        quantities = tuple(map(QuantityPair.of, predicted, referred))
        rows.append(
            CaseMetrics(
                reference.name, organ, dice(*masks), distances.hausdorff_95, distances.average, quantities=quantities
            )
        )
    return rows


def _mask(label_map: LabelMap, label: int) -> NDArray[np.bool_]:
    """Voxels (I, J, K), or pixels (I, J), of an organ."""
    mask = label_map.voxels == label
    return mask[..., 0] if label_map.is_planar else mask
