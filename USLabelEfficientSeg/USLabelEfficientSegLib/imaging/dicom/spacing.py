"""The pixel size of a frame, which several attributes may tell.

All attributes are compared. Two that differ by more than 1 % are a contradiction that no rule can solve: some scanners
write dummy values such as 1 mm into any of them. If they agree, the first in this order is taken:

1. Pixel Spacing in the Pixel Measures functional group (PS3.3 C.7.6.16.2.1),
2. Pixel Spacing of the image plane (C.7.6.2, 10.7.1.1),
3. the calibrated ultrasound regions of 2-D tissue, in centimetres (C.8.5.5.1),
4. Nominal Scanned Pixel Spacing, 5. Imager Pixel Spacing (10.7.1.2).

Along the normal of slices their positions count. Spacing Between Slices must agree with them to 1 %, or to the rounding
of 0.01 mm, whatever its sign; Slice Thickness is how thick a slice is, not how far the next one lies, and is not used.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from pydicom.dataset import Dataset

from ...errors import InputError
from .values import group, told

Size = tuple[float, float]

_AGREE = 0.01
_ROUNDED_MM = 0.005
_CENTIMETRES = 3  # Physical Units of an ultrasound region, C.8.5.5.1.15
_PLANAR, _TISSUE = 1, 1  # Region Spatial Format C.8.5.5.1.1, Region Data Type C.8.5.5.1.2
_EXPORT = "export it again with one calibration, or as NRRD or NIfTI with the right spacing"


@dataclass(frozen=True)
class ToldSize:
    """What one attribute says: pixel spacing along i and j in mm."""

    source: str
    size: Size


@dataclass(frozen=True)
class Contradiction:
    """Two attributes, at least one of them wrong."""

    one: ToldSize
    other: ToldSize

    def __str__(self) -> str:
        said = (f"{_text(told.size)} mm ({told.source})" for told in (self.one, self.other))
        return f"says that its pixels have {' and '.join(said)}"


def pixel_spacing(dataset: Dataset, frame: int, file: Path) -> Size:
    """Spacing along i and j in mm.

    Raises:
        InputError: no attribute tells it, or two contradict each other.
    """
    spacing = agreed_spacing(dataset, frame)
    if spacing is None:
        problem = "does not say how large its pixels are (no Pixel Spacing)"
        raise InputError(file, problem, "export it with its calibration")
    if isinstance(spacing, Contradiction):
        raise InputError(file, str(spacing), _EXPORT)
    return spacing


def agreed_spacing(dataset: Dataset, frame: int) -> Size | Contradiction | None:
    """Spacing along i and j in mm, None where no attribute tells it.

    Raises:
        ValueError: a spacing that is no length.
    """
    sizes = list(_told_sizes(dataset, frame))
    for number, one in enumerate(sizes):
        for other in sizes[:number]:
            if any(abs(a - b) > _AGREE * max(a, b) for a, b in zip(one.size, other.size, strict=True)):
                return Contradiction(other, one)
    return sizes[0].size if sizes else None


def check_slice_distance(dataset: Dataset, distance: float, file: Path) -> None:
    """Refuse slices whose positions contradict their Spacing Between Slices."""
    for place in (group(dataset, 0, "PixelMeasuresSequence"), dataset):
        step = abs(float(told(place, "SpacingBetweenSlices") or 0))
        if step and abs(step - distance) > max(_AGREE * distance, _ROUNDED_MM):
            problem = f"has slices {distance:.4g} mm apart by their positions, {step:.4g} mm by Spacing Between Slices"
            raise InputError(file, problem, _EXPORT)


def _told_sizes(dataset: Dataset, frame: int) -> Iterator[ToldSize]:
    measures = group(dataset, frame, "PixelMeasuresSequence")
    yield from _of_attribute(measures, "PixelSpacing", "Pixel Measures")
    yield from _of_attribute(dataset, "PixelSpacing", "Pixel Spacing")
    yield from _of_regions(dataset)
    yield from _of_attribute(dataset, "NominalScannedPixelSpacing", "Nominal Scanned Pixel Spacing")
    yield from _of_attribute(dataset, "ImagerPixelSpacing", "Imager Pixel Spacing")


def _of_attribute(dataset: Dataset, name: str, source: str) -> Iterator[ToldSize]:
    """Between rows first, then between columns (PS3.3 10.7.1.3)."""
    value = told(dataset, name)
    if value is not None:
        rows, columns = (float(part) for part in value)
        if rows or columns:  # zeros tell nothing
            yield _sized(source, (columns, rows))


def _of_regions(dataset: Dataset) -> Iterator[ToldSize]:
    """Regions calibrated in centimetres; if their types are told, only 2-D tissue, not Doppler or M-mode."""
    regions = [
        region
        for region in told(dataset, "SequenceOfUltrasoundRegions") or ()
        if told(region, "RegionSpatialFormat") in (None, _PLANAR)
        and told(region, "PhysicalUnitsXDirection") == told(region, "PhysicalUnitsYDirection") == _CENTIMETRES
        and told(region, "PhysicalDeltaX")
        and told(region, "PhysicalDeltaY")
    ]
    tissue = [region for region in regions if told(region, "RegionDataType") in (None, _TISSUE)]
    for region in tissue or regions:
        size = abs(float(region.PhysicalDeltaX)) * 10, abs(float(region.PhysicalDeltaY)) * 10
        yield _sized("ultrasound region", size)


def _sized(source: str, size: Size) -> ToldSize:
    if not all(isfinite(length) and length > 0 for length in size):
        raise ValueError(f"{source} of {_text(size)} mm")
    return ToldSize(source, size)


def _text(size: Size) -> str:
    return f"{size[0]:.4g} x {size[1]:.4g}"
