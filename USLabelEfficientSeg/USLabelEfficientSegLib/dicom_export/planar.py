"""The part of a measurement report on the organs of a 2-D image (SR, template TID 1410)."""

from collections.abc import Iterator

from highdicom.seg import Segmentation
from highdicom.sr import (
    CodedConcept,
    FindingSite,
    Measurement,
    PlanarROIMeasurementsAndQualitativeEvaluations,
    ReferencedSegmentationFrame,
    SourceImageForSegmentation,
    TrackingIdentifier,
)
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from ..measurement.planar import PlanarMeasurement
from ..measurement.quantities import Quantity
from .codes import FITTED_ELLIPSE, SUM_OF_PIXEL_PROBABILITIES, SUM_OF_PIXELS, code_of
from .measured import algorithm_of, evaluations_of, interval_of, rounded
from .source import SourceImages

_MILLIMETRE, _SQUARE_MILLIMETRE = codes.UCUM.Millimeter, codes.UCUM.SquareMillimeter
_Unit = Code | CodedConcept


def planar_group(
    source: SourceImages, segmentation: Segmentation, number: int, row: PlanarMeasurement
) -> PlanarROIMeasurementsAndQualitativeEvaluations:
    """The group of the organ of segment `number`, whose frame has the same number."""
    segment, image = segmentation.SegmentSequence[number - 1], source.datasets[0]
    return PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(segment.TrackingUID, segment.TrackingID),
        referenced_segment=ReferencedSegmentationFrame(
            segmentation.SOPClassUID,
            segmentation.SOPInstanceUID,
            frame_number=number,
            segment_number=number,
            source_image=SourceImageForSegmentation(image.SOPClassUID, image.SOPInstanceUID),
        ),
        finding_type=code_of(row.organ),
        finding_sites=[FindingSite(code_of(row.organ))],
        algorithm_id=algorithm_of(row),
        measurements=list(_measurements(row)),
        qualitative_evaluations=evaluations_of(row),
    )


def _measurements(row: PlanarMeasurement) -> Iterator[Measurement]:
    """The area comes first, with its interval; then that of the outline, the ellipse with its axes, the perimeter."""
    area, circumference = row.headline
    method = SUM_OF_PIXEL_PROBABILITIES if row.from_probabilities else SUM_OF_PIXELS
    yield _measurement(codes.SCT.Area, area, _SQUARE_MILLIMETRE, method)
    if row.from_probabilities:
        yield Measurement(codes.SCT.Area, rounded(row.outline_area_mm2), _SQUARE_MILLIMETRE, method=SUM_OF_PIXELS)
    yield _measurement(codes.SCT.Circumference, circumference, _MILLIMETRE, FITTED_ELLIPSE)
    if row.ellipse is not None:
        for name, length in zip((codes.SCT.MajorAxis, codes.SCT.MinorAxis), row.ellipse.axes_mm, strict=True):
            yield Measurement(name, rounded(length), _MILLIMETRE, method=FITTED_ELLIPSE)
    yield Measurement(codes.SCT.Perimeter, rounded(row.perimeter_mm), _MILLIMETRE)


def _measurement(name: Code, quantity: Quantity, unit: _Unit, method: CodedConcept) -> Measurement:
    assert quantity.value is not None
    properties = interval_of(quantity.value, quantity.interval)
    return Measurement(name, rounded(quantity.value), unit, method=method, properties=properties)
