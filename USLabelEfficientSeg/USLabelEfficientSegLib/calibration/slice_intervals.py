"""90 % prediction intervals of volumes from the labelled slices of a study.

Errors of a volume are multiplicative, so all of it works on log(true / predicted). With residuals r of slice areas
against a prediction that has not seen the subject, n of an organ,

    B = (8 * 0.35^2 + n 0.7^2 var(r)) / (8 + n),    U = B - var(log V) / 2,
    log V_true in log V - U/2 +- t(n + 7) sqrt(U + e^2 + d^2).

B is the variance of the organ's volume between people: commonly 35 % or so, which counts as much as eight residuals. In
a single slice's area 0.7 of the deviation is the organ's size, the rest its place. Half of the variance of the model's
own volumes counts as real differences between subjects and is taken off; the other half may be error. The model's
volume, a sum of probabilities, is the mean of possible volumes, and the median of a log-normal variable lies half its
variance below the mean.

The other terms are errors shared by all volumes. e is the jackknife error of leaving subjects out. The mean of r tells
how much too large the location prior predicts; d^2 is the square of how much the model's volumes differ from the
prior's beyond that, minus the variance of that mean. Predictions beyond the outermost labelled slices are
extrapolation: the lower bound does without them.

The promise holds over label draws as well as over subjects: a dozen slices that happen to show like-sized organs make
an interval that is too narrow for all new subjects alike. The first three constants were chosen so that 90 % hold over
43 random draws of 15 slices from real volumes, with the location prior as the model. The half was chosen on unlabelled
volumes of studies with a trained model: intervals that took off all of the variance held 62 to 85 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from .intervals import LEVEL, Calibration
from .slice_residuals import SliceResiduals

_USUAL_SPREAD = 0.35
_USUAL_COUNT = 8
_SIZE_OF_AREA = 0.7
_EXPLAINED = 0.5
_LARGEST_RESIDUAL = 0.8  # an area more than 2.2 times off tells of a misplaced organ rather than of its size
_LEAST_UNEXPLAINED = 0.25  # of the variance between subjects: no model of a few slices explains more
_FEWEST_RESIDUALS = 3


@dataclass(frozen=True)
class OwnVolumes:
    """The model's predictions of one organ in the volumes of its study.

    Attributes:
        variance: of the logarithm of the volumes in ml.
        log_share: mean log of the share that the organ is of a labelled volume.
        beyond: share of the organ that is predicted beyond the outermost labelled slices.
    """

    variance: float
    log_share: float
    beyond: float


def calibration_from_slices(residuals: Sequence[SliceResiduals], own: Sequence[OwnVolumes]) -> Calibration:
    """Calibrate on the study's labelled slices; both arguments have one entry an organ."""
    enough = [len(one.log_ratios) >= _FEWEST_RESIDUALS for one in residuals]
    factors = [
        _factors(one, volumes) if known else None for one, volumes, known in zip(residuals, own, enough, strict=True)
    ]
    counts = " and ".join(str(len(one.log_ratios)) for one in residuals)
    method = (
        f"90 % prediction interval from the labelled slices: the areas of the organs in {counts} labelled subjects "
        "against a prediction that had not seen these subjects' labels (cross-fitting, Student's t on the logarithm), "
        "with the uncertainty of learning from so few subjects added."
    )
    return Calibration(factors={"volume": tuple(factors)}, method=method)


def _factors(residuals: SliceResiduals, own: OwnVolumes) -> tuple[float, float]:
    """Lower and upper factor of one organ, see the module's equation."""
    areas = np.clip(residuals.log_ratios, -_LARGEST_RESIDUAL, _LARGEST_RESIDUAL)
    count, bias, variance = len(areas), areas.mean(), areas.var(ddof=1)
    # The more slices of a subject are labelled, the more of its residual is size: all of it in the end.
    size = _SIZE_OF_AREA**2
    sizes = (areas - bias) ** 2 * size / (size + (1 - size) / residuals.slices)
    between = (_USUAL_COUNT * _USUAL_SPREAD**2 + sizes.sum() * count / (count - 1)) / (_USUAL_COUNT + count)
    unexplained = max(between - _EXPLAINED * own.variance, _LEAST_UNEXPLAINED * between)
    left_out = residuals.log_shares
    differs = (own.log_share - left_out.mean() - bias) ** 2
    common = (len(left_out) - 1) * left_out.var() + max(0.0, differs - variance / count)
    half = stats.t.ppf((1 + LEVEL) / 2, _USUAL_COUNT + count - 1) * np.sqrt(unexplained + common)
    median = -unexplained / 2
    return float(np.exp(median - half) * (1 - own.beyond)), float(np.exp(median + half))
