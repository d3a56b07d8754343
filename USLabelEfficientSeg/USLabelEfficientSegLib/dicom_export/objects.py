"""The two objects: a segmentation (SEG) and a measurement report (SR, template TID 1500) that refers to it."""

from collections.abc import Sequence

import highdicom as hd
import numpy as np
from highdicom.color import CIELabColor
from highdicom.seg import SegmentAlgorithmTypeValues, Segmentation, SegmentationTypeValues, SegmentDescription
from highdicom.sr import (
    AlgorithmIdentification,
    CodedConcept,
    Comprehensive3DSR,
    DeviceObserverIdentifyingAttributes,
    FindingSite,
    Measurement,
    MeasurementProperties,
    MeasurementReport,
    ObservationContext,
    ObserverContext,
    QualitativeEvaluation,
    ReferencedSegment,
    SourceSeriesForSegmentation,
    TrackingIdentifier,
    VolumetricROIMeasurementsAndQualitativeEvaluations,
)
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from .. import __version__
from ..imaging.volume import LabelMap
from ..measurement.measurements import OrganMeasurement
from ..segmentation.segments import organ_colour
from .codes import (
    ELLIPSOID_FORMULA,
    QUALITY_FLAG,
    SUM_OF_PROBABILITIES,
    SUM_OF_VOXELS,
    ULTRASONOGRAPHY,
    VOLUME_OF_MESH,
    flag_code,
    organ_code,
)
from .source import SourceImages

PROGRAM = "USLabelEfficientSeg"
_SEGMENTATION_SERIES, _REPORT_SERIES = 9001, 9002  # well away from those that scanners count up
_LABEL_LENGTH = 64  # of value representation LO
_MILLILITRE, _MILLIMETRE = CodedConcept("mL", "UCUM", "milliliter"), codes.UCUM.Millimeter
_SQUARE_MILLIMETRE = codes.UCUM.SquareMillimeter


def segmentation_object(source: SourceImages, label_map: LabelMap, organs: Sequence[str]) -> Segmentation:
    """A binary segmentation, segment `n` the organ `organs[n - 1]`, frame by frame on the grid of the source.

    Raises:
        ValueError: an attribute that is copied from the source is invalid.
    """
    algorithm = hd.AlgorithmIdentificationSequence(
        name=PROGRAM, family=codes.DCM.ArtificialIntelligence, version=__version__
    )
    descriptions = [
        SegmentDescription(
            segment_number=label,
            segment_label=organ[:_LABEL_LENGTH],
            segmented_property_category=codes.SCT.AnatomicalStructure,
            segmented_property_type=organ_code(organ),
            algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
            algorithm_identification=algorithm,
            tracking_uid=hd.UID(),
            tracking_id=organ[:_LABEL_LENGTH],
            display_color=CIELabColor.from_rgb(*(int(organ_colour(label)[at : at + 2], 16) for at in (1, 3, 5))),
        )
        for label, organ in enumerate(organs, start=1)
    ]
    frames = np.ascontiguousarray(label_map.voxels.T[source.slices])
    return Segmentation(
        source.datasets,
        frames,
        SegmentationTypeValues.BINARY,
        descriptions,
        series_instance_uid=hd.UID(),
        series_number=_SEGMENTATION_SERIES,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer=PROGRAM,
        manufacturer_model_name=PROGRAM,
        software_versions=__version__,
        device_serial_number="none",  # required, but software has none
        content_label="ORGANS",
        content_description="Organ segmentation, research use only",
        series_description="Organ segmentation (research use only)",
        specific_character_set="ISO_IR 192",
    )


def measurement_report(
    source: SourceImages, segmentation: Segmentation, rows: Sequence[OrganMeasurement]
) -> Comprehensive3DSR:
    """A TID 1500 report: for every organ a TID 1411 group with its segment, measurements and quality flags.

    The bounds of a prediction interval are the distances from its volume up and down (TID 310).

    Raises:
        ValueError: an attribute that is copied from the source is invalid.
    """
    device = DeviceObserverIdentifyingAttributes(
        uid=hd.UID(), name=PROGRAM, manufacturer_name=PROGRAM, model_name=PROGRAM
    )
    content = MeasurementReport(
        observation_context=ObservationContext(observer_device_context=ObserverContext(codes.DCM.Device, device)),
        procedure_reported=ULTRASONOGRAPHY,
        title=codes.DCM.ImagingMeasurementReport,
        imaging_measurements=[_organ_group(source, segmentation, row) for row in rows],
        referenced_images=source.datasets,
    )
    return Comprehensive3DSR(
        evidence=[segmentation, *source.datasets],
        content=content,
        series_instance_uid=hd.UID(),
        series_number=_REPORT_SERIES,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer=PROGRAM,
        is_complete=True,
        series_description="Organ volumes (research use only)",
        specific_character_set="ISO_IR 192",
    )


def _organ_group(
    source: SourceImages, segmentation: Segmentation, row: OrganMeasurement
) -> VolumetricROIMeasurementsAndQualitativeEvaluations:
    segment = segmentation.SegmentSequence[row.label - 1]
    return VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(segment.TrackingUID, segment.TrackingID),
        referenced_segment=_referenced_segment(source, segmentation, row),
        finding_type=organ_code(row.organ),
        finding_sites=[FindingSite(organ_code(row.organ))],
        algorithm_id=AlgorithmIdentification(
            PROGRAM, __version__, parameters=[row.interval_method] if row.interval_method else None
        ),
        measurements=_measurements(row),
        qualitative_evaluations=[QualitativeEvaluation(QUALITY_FLAG, flag_code(flag)) for flag in row.flags],
    )


def _referenced_segment(source: SourceImages, segmentation: Segmentation, row: OrganMeasurement) -> ReferencedSegment:
    if row.voxel_count:
        return ReferencedSegment.from_segmentation(segmentation, row.label)
    # The segment of an absent organ has no frame, hence no source frames.
    series = SourceSeriesForSegmentation(source.datasets[0].SeriesInstanceUID)
    return ReferencedSegment(segmentation.SOPClassUID, segmentation.SOPInstanceUID, row.label, source_series=series)


def _measurements(row: OrganMeasurement) -> list[Measurement]:
    """The best volume comes first, with its interval; then those by other methods, surface area and diameter."""
    weighted = row.probability_volume_ml is not None
    volumes: list[tuple[float, Code | CodedConcept]] = [
        (row.best_ml, SUM_OF_PROBABILITIES if weighted else SUM_OF_VOXELS),
        *([(row.volume_ml, SUM_OF_VOXELS)] if weighted else []),
        (row.surface_volume_ml, VOLUME_OF_MESH),
        (row.ellipsoid_volume_ml, ELLIPSOID_FORMULA),
    ]
    interval = None
    if row.interval_ml is not None:
        low, high = row.interval_ml
        interval = MeasurementProperties(
            upper_measurement_uncertainty=_rounded(high - row.best_ml),
            lower_measurement_uncertainty=_rounded(row.best_ml - low),
        )
    return [
        *(
            Measurement(
                codes.SCT.Volume,
                _rounded(ml),
                _MILLILITRE,
                method=method,
                properties=interval if number == 0 else None,
            )
            for number, (ml, method) in enumerate(volumes)
        ),
        Measurement(codes.IBSI.SurfaceAreaOfMesh, _rounded(row.surface_area_mm2), _SQUARE_MILLIMETRE),
        Measurement(codes.IBSI.Maximum3DDiameterOfAMesh, _rounded(row.max_diameter_mm), _MILLIMETRE),
    ]


def _rounded(value: float) -> float:
    """To what fits into a decimal string (at most 16 characters)."""
    return float(f"{value:.8g}")
