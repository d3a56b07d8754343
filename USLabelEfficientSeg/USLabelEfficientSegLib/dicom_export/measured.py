"""The report's content for every measured organ, in a volume or in a 2-D image."""

from highdicom.sr import AlgorithmIdentification, MeasurementProperties, QualitativeEvaluation

from .. import __version__
from ..measurement.record import AnyMeasurement
from .codes import QUALITY_FLAG, flag_code

PROGRAM = "USLabelEfficientSeg"


def algorithm_of(row: AnyMeasurement) -> AlgorithmIdentification:
    """The program, and how the intervals of its measurements were made."""
    return AlgorithmIdentification(
        PROGRAM, __version__, parameters=[row.interval_method] if row.interval_method else None
    )


def evaluations_of(row: AnyMeasurement) -> list[QualitativeEvaluation]:
    """The quality flags."""
    return [QualitativeEvaluation(QUALITY_FLAG, flag_code(flag)) for flag in row.flags]


def interval_of(value: float, interval: tuple[float, float] | None) -> MeasurementProperties | None:
    """A prediction interval, by the distances of its bounds from the value (TID 310); None where there is none."""
    if interval is None:
        return None
    low, high = interval
    return MeasurementProperties(
        upper_measurement_uncertainty=rounded(high - value), lower_measurement_uncertainty=rounded(value - low)
    )


def rounded(value: float) -> float:
    """Rounded to a decimal string of at most 16 characters."""
    return float(f"{value:.8g}")
