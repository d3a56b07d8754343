"""The two objects: a segmentation (SEG) and a measurement report (SR, template TID 1500) that refers to it."""

from collections.abc import Sequence

import highdicom as hd
import numpy as np
from highdicom.color import CIELabColor
from highdicom.seg import SegmentAlgorithmTypeValues, Segmentation, SegmentationTypeValues, SegmentDescription
from highdicom.sr import (
    CodedConcept,
    Comprehensive3DSR,
    DeviceObserverIdentifyingAttributes,
    FindingSite,
    Measurement,
    MeasurementReport,
    ObservationContext,
    ObserverContext,
    ReferencedSegment,
    SourceImageForSegmentation,
    SourceSeriesForSegmentation,
    TrackingIdentifier,
    VolumetricROIMeasurementsAndQualitativeEvaluations,
)
from numpy.typing import NDArray
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from .. import __version__
from ..annotation.segments import numbered
from ..errors import InputError
from ..imaging.organ_colours import organ_rgb
from ..imaging.scan import LabelMap
from ..measurement.organ import OrganMeasurement
from ..measurement.planar import PlanarMeasurement
from ..measurement.record import AnyMeasurement
from .codes import (
    ELLIPSOID_FORMULA,
    SUM_OF_PROBABILITIES,
    SUM_OF_VOXELS,
    ULTRASONOGRAPHY,
    VOLUME_OF_MESH,
    code_of,
)
from .measured import PROGRAM, algorithm_of, evaluations_of, interval_of, rounded
from .planar import planar_group
from .source import SourceImages

_SEGMENTATION_SERIES, _REPORT_SERIES = 9001, 9002  # well away from those that scanners count up
_LABEL_LENGTH = 64  # of value representation LO
_MILLILITRE, _MILLIMETRE = CodedConcept("mL", "UCUM", "milliliter"), codes.UCUM.Millimeter
_SQUARE_MILLIMETRE = codes.UCUM.SquareMillimeter


def segmentation_object(source: SourceImages, label_map: LabelMap, rows: Sequence[AnyMeasurement]) -> Segmentation:
    """A binary segmentation, segment `n` the organ of `rows[n - 1]`, frame by frame on the grid of the source.

    An absent organ of a volume has a segment without frames. If all are absent, one has empty frames, because a
    segmentation without frames is not valid. In a 2-D image every organ has its own frame, which the report refers to.

    Raises:
        InputError: a label without a row.
        ValueError: an attribute that is copied from the source is invalid.
    """
    algorithm = hd.AlgorithmIdentificationSequence(
        name=PROGRAM, family=codes.DCM.ArtificialIntelligence, version=__version__
    )
    descriptions = [
        SegmentDescription(
            segment_number=number,
            segment_label=_label(row),
            segmented_property_category=codes.SCT.AnatomicalStructure,
            segmented_property_type=code_of(row.organ),
            algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
            algorithm_identification=algorithm,
            tracking_uid=hd.UID(),
            tracking_id=_label(row),
            display_color=CIELabColor.from_rgb(*organ_rgb(row.label)),
        )
        for number, row in enumerate(rows, start=1)
    ]
    segments = _segment_numbers(label_map, rows)
    frames = np.ascontiguousarray(segments[label_map.voxels].T[source.slices])
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
        omit_empty_frames=bool(frames.any()) and not source.is_planar,  # of nothing at all no frame can be left out
        pixel_measures=source.pixel_measures,
        content_label="ORGANS",
        content_description="Organ segmentation, research use only",
        series_description="Organ segmentation (research use only)",
        specific_character_set="ISO_IR 192",
    )


def _segment_numbers(label_map: LabelMap, rows: Sequence[AnyMeasurement]) -> NDArray[np.uint8]:
    """The segment (256,) of every label: they count up from 1 (PS3.3 C.8.20.2), labels need not."""
    numbers = np.zeros(256, dtype=np.uint8)
    for number, row in enumerate(rows, start=1):
        numbers[row.label] = number
    unknown = sorted(set(np.unique(label_map.voxels).tolist()) - {0} - {row.label for row in rows})
    if unknown:
        problem = f"holds the label {unknown[0]}, of which no organ is known"
        raise InputError(
            label_map.name,
            problem,
            "name every organ (--organs), or remove that label",
            in_panel="name every organ, or remove that label",
        )
    return numbers


def _label(row: AnyMeasurement) -> str:
    """The name of an organ as DICOM can hold it: a backslash would begin a second value."""
    name = "".join(letter for letter in row.organ.replace("\\", "/") if letter.isprintable()).strip()
    return name[:_LABEL_LENGTH] or numbered(row.label)


def measurement_report(
    source: SourceImages, segmentation: Segmentation, rows: Sequence[AnyMeasurement]
) -> Comprehensive3DSR:
    """A TID 1500 report: for every organ a group with its segment, measurements and quality flags.

    The groups are those of TID 1411 for volumes, and of TID 1410 for 2-D images.

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
        imaging_measurements=[
            planar_group(source, segmentation, number, row)
            if isinstance(row, PlanarMeasurement)
            else _organ_group(source, segmentation, number, row)
            for number, row in enumerate(rows, start=1)
        ],
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
        series_description=f"Organ {'areas' if source.is_planar else 'volumes'} (research use only)",
        specific_character_set="ISO_IR 192",
    )


def _organ_group(
    source: SourceImages, segmentation: Segmentation, number: int, row: OrganMeasurement
) -> VolumetricROIMeasurementsAndQualitativeEvaluations:
    segment = segmentation.SegmentSequence[number - 1]
    return VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(segment.TrackingUID, segment.TrackingID),
        referenced_segment=_referenced_segment(source, segmentation, number),
        finding_type=code_of(row.organ),
        finding_sites=[FindingSite(code_of(row.organ))],
        algorithm_id=algorithm_of(row),
        measurements=_measurements(row),
        qualitative_evaluations=evaluations_of(row),
    )


def _referenced_segment(source: SourceImages, segmentation: Segmentation, number: int) -> ReferencedSegment:
    """The segment of an organ and the source images, or frames of the one image, that it was drawn on (TID 1411)."""
    images = _source_images(segmentation, number)
    # The segment of an absent organ has no frame, hence no source frames.
    series = None if images else SourceSeriesForSegmentation(source.datasets[0].SeriesInstanceUID)
    identity = segmentation.SOPClassUID, segmentation.SOPInstanceUID
    return ReferencedSegment(*identity, number, source_images=images or None, source_series=series)


def _source_images(segmentation: Segmentation, number: int) -> list[SourceImageForSegmentation]:
    frames_of: dict[tuple[str, str], list[int]] = {}
    shared = segmentation.SharedFunctionalGroupsSequence[0]
    for groups in segmentation.PerFrameFunctionalGroupsSequence:
        # Where there is one segment, all frames may share what identifies it (PS3.3 C.7.6.16.1).
        identification = groups.get("SegmentIdentificationSequence") or shared.SegmentIdentificationSequence
        if identification[0].ReferencedSegmentNumber != number:
            continue
        for derivation in groups.get("DerivationImageSequence") or ():
            for image in derivation.SourceImageSequence:
                frames = frames_of.setdefault((image.ReferencedSOPClassUID, image.ReferencedSOPInstanceUID), [])
                if "ReferencedFrameNumber" in image:
                    frames.append(int(image.ReferencedFrameNumber))
    return [SourceImageForSegmentation(*identity, frames or None) for identity, frames in frames_of.items()]


def _measurements(row: OrganMeasurement) -> list[Measurement]:
    """The volume comes first, with its interval; then those by other methods, surface area and diameter."""
    volumes: list[tuple[float, Code | CodedConcept]] = [
        (row.volume_ml, SUM_OF_PROBABILITIES if row.from_probabilities else SUM_OF_VOXELS),
        *([(row.outline_volume_ml, SUM_OF_VOXELS)] if row.from_probabilities else []),
        (row.surface_volume_ml, VOLUME_OF_MESH),
        (row.ellipsoid_volume_ml, ELLIPSOID_FORMULA),
    ]
    interval = interval_of(row.volume_ml, row.interval_ml)
    return [
        *(
            Measurement(
                codes.SCT.Volume,
                rounded(ml),
                _MILLILITRE,
                method=method,
                properties=interval if number == 0 else None,
            )
            for number, (ml, method) in enumerate(volumes)
        ),
        Measurement(codes.IBSI.SurfaceAreaOfMesh, rounded(row.surface_area_mm2), _SQUARE_MILLIMETRE),
        Measurement(codes.IBSI.Maximum3DDiameterOfAMesh, rounded(row.max_diameter_mm), _MILLIMETRE),
    ]
