"""Agreement of measured with reference volumes: Bland and Altman's limits and intraclass correlation.

Limits of agreement: Bland and Altman, "Measuring agreement in method comparison studies", Statistical Methods in
Medical Research 8:135-160, 1999. Intraclass correlation: Shrout and Fleiss, "Intraclass correlations: uses in
assessing rater reliability", Psychological Bulletin 86:420-428, 1979; confidence intervals: McGraw and Wong,
"Forming inferences about some intraclass correlation coefficients", Psychological Methods 1:30-46, 1996, table 7.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import f as f_distribution
from scipy.stats import norm
from scipy.stats import t as t_distribution

from ..errors import InputError

CONFIDENCE = 0.95
MINIMAL_CASES = 3
_TAIL = (1 + CONFIDENCE) / 2
_LIMIT = float(norm.ppf(_TAIL))  # 1.96


@dataclass(frozen=True)
class Estimate:
    """A statistic with its 95 % confidence interval."""

    value: float
    lower: float
    upper: float


@dataclass(frozen=True)
class Limits:
    """Bland and Altman's analysis: mean difference and the limits between which 95 % of differences lie.

    The unit is that of the differences; `sd` is their standard deviation.
    """

    bias: Estimate
    lower: Estimate
    upper: Estimate
    sd: float


@dataclass(frozen=True)
class VolumeAgreement:
    """Agreement of measured with reference volumes over `cases`.

    Attributes:
        cases: number of pairs.
        limits_ml: of the differences measured minus reference.
        limits_percent: of the differences in percent of the mean of both; None where both volumes of a case are 0.
        absolute: ICC(2,1), absolute agreement of single measurements: systematic differences count.
        consistency: ICC(3,1), consistency of single measurements: they do not.
    """

    cases: int
    limits_ml: Limits
    limits_percent: Limits | None
    absolute: Estimate
    consistency: Estimate


def volume_agreement(measured_ml: Sequence[float], reference_ml: Sequence[float]) -> VolumeAgreement:
    """Agreement of pairs of volumes in ml.

    Raises:
        InputError: fewer than three pairs, which are too few.

    Examples:
        >>> agreement = volume_agreement([21.0, 31.0, 39.0, 52.0], [20.0, 30.0, 40.0, 50.0])
        >>> agreement.cases, round(agreement.absolute.value, 2)
        (4, 0.99)
    """
    pairs = np.column_stack([np.asarray(measured_ml, dtype=np.float64), np.asarray(reference_ml, dtype=np.float64)])
    if len(pairs) < MINIMAL_CASES:
        raise InputError("agreement", f"cannot be told from {len(pairs)} cases", f"give at least {MINIMAL_CASES}")
    difference, mean = pairs[:, 0] - pairs[:, 1], pairs.mean(axis=1)
    absolute, consistency = intraclass_correlations(pairs)
    percent = limits_of_agreement(100 * difference / mean) if mean.all() else None
    return VolumeAgreement(len(pairs), limits_of_agreement(difference), percent, absolute, consistency)


def limits_of_agreement(differences: ArrayLike) -> Limits:
    """Bias d and limits d +- 1.96 s of differences (N,), N >= 3.

    The standard error of the bias is s / sqrt(N), that of a limit s sqrt(1/N + 1.96^2 / (2 (N - 1))) (Bland and
    Altman 1999, section 3); intervals with the t distribution of N - 1 degrees of freedom.
    """
    values = np.asarray(differences, dtype=np.float64)
    count, bias, sd = len(values), float(values.mean()), float(values.std(ddof=1))
    quantile = float(t_distribution.ppf(_TAIL, count - 1))
    of_bias = quantile * sd / np.sqrt(count)
    of_limit = quantile * sd * np.sqrt(1 / count + _LIMIT**2 / (2 * (count - 1)))
    return Limits(_about(bias, of_bias), _about(bias - _LIMIT * sd, of_limit), _about(bias + _LIMIT * sd, of_limit), sd)


def intraclass_correlations(ratings: NDArray[np.float64]) -> tuple[Estimate, Estimate]:
    """ICC(2,1) and ICC(3,1) of ratings (N subjects, k raters), of single ratings, two-way.

    With the mean squares of rows R, columns C and error E:
    ICC(2,1) = (R - E) / (R + (k - 1) E + k (C - E) / N), ICC(3,1) = (R - E) / (R + (k - 1) E).
    Both are nan when all ratings are equal.
    """
    n, k = ratings.shape
    grand = ratings.mean()
    of_rows, of_columns = ratings.mean(axis=1) - grand, ratings.mean(axis=0) - grand
    residual = ratings - grand - of_rows[:, None] - of_columns
    rows = np.float64(k * (of_rows @ of_rows) / (n - 1))
    columns = np.float64(n * (of_columns @ of_columns) / (k - 1))
    error = np.float64((residual**2).sum() / ((n - 1) * (k - 1)))
    with np.errstate(divide="ignore", invalid="ignore"):  # nan is what 0 / 0 is meant to give
        return _absolute(n, k, rows, columns, error), _consistency(n, k, rows, error)


def _absolute(n: int, k: int, rows: np.float64, columns: np.float64, error: np.float64) -> Estimate:
    value = (rows - error) / (rows + (k - 1) * error + k * (columns - error) / n)
    a, b = k * value / (n * (1 - value)), 1 + k * value * (n - 1) / (n * (1 - value))
    freedom = (a * columns + b * error) ** 2 / ((a * columns) ** 2 / (k - 1) + (b * error) ** 2 / ((n - 1) * (k - 1)))
    spread = k * columns + (k * n - k - n) * error
    low, high = f_distribution.ppf(_TAIL, n - 1, freedom), f_distribution.ppf(_TAIL, freedom, n - 1)
    return _bounded(
        value,
        n * (rows - low * error) / (low * spread + n * rows),
        n * (high * rows - error) / (spread + n * high * rows),
    )


def _consistency(n: int, k: int, rows: np.float64, error: np.float64) -> Estimate:
    ratio, freedom = rows / error, (n - 1) * (k - 1)
    low = ratio / f_distribution.ppf(_TAIL, n - 1, freedom)
    high = ratio * f_distribution.ppf(_TAIL, freedom, n - 1)
    value = (rows - error) / (rows + (k - 1) * error)
    return _bounded(value, (low - 1) / (low + k - 1), (high - 1) / (high + k - 1))


def _bounded(value: np.float64, lower: np.float64, upper: np.float64) -> Estimate:
    """Without any error the interval shrinks to the value, where its formula divides by zero."""
    return Estimate(float(value), *(float(value if np.isnan(bound) else bound) for bound in (lower, upper)))


def _about(value: float, half_width: float) -> Estimate:
    return Estimate(value, value - half_width, value + half_width)
