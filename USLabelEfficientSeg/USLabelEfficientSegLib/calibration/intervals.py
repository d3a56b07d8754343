"""90 % prediction intervals of a model's measurements: volumes, areas, circumferences.

Sizes err by a factor, so an interval is a pair of factors for each quantity and organ; where 2-D networks decide alone
it follows from the case's own probabilities, see `offset_intervals`. On completely labelled scans factors come from
split conformal prediction of log(true / measured), which is exact for any model (Vovk, Gammerman & Shafer, Algorithmic
Learning in a Random World, 2005; Lei et al., JASA 2018). For factors from labelled slices see `slice_intervals`.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, exp, floor
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, model_validator

from ..errors import InputError

LEVEL = 0.9
FEWEST_SCANS = 9  # from which on there is a finite interval
_TWO_SIDED = 19

Factors = tuple[float, float]


class Calibration(BaseModel):
    """The factors by which true quantities may differ from measured ones.

    Attributes:
        factors: by the name of the quantity, lower and upper factor of each organ; None where too little is known.
        method: one sentence for the reader of a report.
        offsets: lower and upper offset of the logits of each organ, see `offset_intervals`; None where too little is
            known. Empty where intervals are by factors.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    factors: dict[str, tuple[Factors | None, ...]]
    method: str
    offsets: tuple[Factors | None, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _of_earlier_formats(cls, data: Any) -> Any:
        """Version 0.1.0 kept a list of factors of volumes, and lists named `area` and `circumference` of images."""
        if not isinstance(data, Mapping):
            return data
        if isinstance(data.get("factors"), list | tuple):
            return {**data, "factors": {"volume": data["factors"]}}
        if "factors" not in data and "method" in data:
            return {"factors": {name: data[name] for name in data if name != "method"}, "method": data["method"]}
        return data

    def interval(self, quantity: str, organ: int, value: float | None) -> Factors | None:
        """Interval by factors around a quantity of the organ with this index; None where too little is known."""
        factors = self.factors[quantity][organ]
        return None if factors is None or not value or value <= 0 else (factors[0] * value, factors[1] * value)


def calibration_from_scans(log_ratios: Mapping[str, NDArray[np.float64]], kind: str) -> Calibration:
    """Split conformal calibration on completely labelled scans that the model was not trained on.

    Args:
        log_ratios: by the name of the quantity, (n, organs) log of true over measured, nan where an organ is not
            labelled or not found.
        kind: what the scans are called: "volume" or "image".

    Raises:
        InputError: an organ is known in fewer than nine scans, for which no finite interval has 90 % coverage.
    """
    known = {name: [column[~np.isnan(column)] for column in ratios.T] for name, ratios in log_ratios.items()}
    fewest = min(len(column) for columns in known.values() for column in columns)
    if fewest < FEWEST_SCANS:
        problem = f"has {fewest} {kind}s in which an organ is both labelled and found, too few for a 90 % interval"
        raise InputError("calibration", problem, f"give at least {FEWEST_SCANS}")
    count = len(next(iter(log_ratios.values())))
    return Calibration(
        factors={name: tuple(map(conformal_factors, columns)) for name, columns in known.items()},
        method=f"90 % prediction interval of {' and '.join(known)} by split conformal prediction on {count} fully "
        f"labelled {kind}s that the model was not trained on: exact for {kind}s of the same kind, if no subject has "
        "several of them.",
    )


def conformal_factors(log_ratios: NDArray[np.float64]) -> Factors:
    """Lower and upper factor from logs of true over measured sizes (n,), at least nine.

    From 19 on each side of the interval has its own quantile, so that a bias of the model is corrected; below, the
    interval is symmetric.
    """
    known = np.sort(log_ratios)
    if len(known) >= _TWO_SIDED:
        tail = floor((len(known) + 1) * (1 - LEVEL) / 2 + 1e-9)
        low, high = known[tail - 1], known[-tail]
    else:
        high = np.sort(np.abs(known))[ceil((len(known) + 1) * LEVEL - 1e-9) - 1]
        low = -high
    return exp(low), exp(high)
