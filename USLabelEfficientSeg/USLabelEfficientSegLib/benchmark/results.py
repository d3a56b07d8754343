"""Results of a benchmark: one file for each run (method, labels, seed), written when the run is done."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..disk.files import atomic_write_json
from ..errors import InputError
from ..evaluation.metrics import volume_error_percent

RESULTS_FOLDER = "results"
UNDEGRADED = "none"


@dataclass(frozen=True)
class Job:
    """One run: a method by name, the share of slices that is labelled, how these were chosen, and the seed."""

    method: str
    label_fraction: float
    choice: str
    seed: int

    @property
    def name(self) -> str:
        """Of its result file."""
        return f"{self.method}_{self.choice}_{self.label_fraction:g}_{self.seed}"


@dataclass(frozen=True)
class CaseResult:
    """One organ of one held-out case; distances are nan where an organ was missed altogether.

    `mask_ml` counts voxels, `expected_ml` sums probabilities. `degradation` and `strength` tell what was done to the
    image.
    """

    case: str
    organ: str
    dice: float
    hausdorff_95_mm: float
    average_surface_distance_mm: float
    reference_ml: float
    mask_ml: float
    expected_ml: float
    degradation: str = UNDEGRADED
    strength: float = 0.0

    @property
    def volume_error_percent(self) -> float:
        """Signed error of the expected volume."""
        return volume_error_percent(self.expected_ml, self.reference_ml)


@dataclass(frozen=True)
class CurvePoint:
    """Mean Dice of the held-out cases when a method had trained for `seconds`: a share of its `stage` was done."""

    stage: str
    share: float
    seconds: float
    dice: float


@dataclass(frozen=True)
class JobResult:
    """The result of a run.

    Attributes:
        job: the run.
        labelled_slices: that the method was given.
        minutes: of training on the clock; nan where it was trained elsewhere.
        processor_minutes: of all cores together.
        steps: of training, None where a method counts otherwise.
        cases: of all held-out cases.
        curve: Dice while it was trained, by rising time; empty where nobody asked for it.
    """

    job: Job
    labelled_slices: int
    minutes: float
    processor_minutes: float
    steps: int | None
    cases: tuple[CaseResult, ...]
    curve: tuple[CurvePoint, ...] = ()

    @property
    def plain(self) -> list[CaseResult]:
        """The cases as they are, without degradation."""
        return [row for row in self.cases if row.degradation == UNDEGRADED]

    @property
    def has_degradations(self) -> bool:
        """Whether degraded images were segmented as well."""
        return len(self.plain) < len(self.cases)


def result_path(output: Path, job: Job) -> Path:
    """Where the result of a run is kept."""
    return output / RESULTS_FOLDER / f"{job.name}.json"


def write_result(output: Path, result: JobResult) -> None:
    """Write a result; the file appears complete or not at all."""
    atomic_write_json(result_path(output, result.job), _without_nan(asdict(result)))


def read_result(path: Path) -> JobResult:
    """Read a result. Raises `InputError` when the file is damaged."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        cases = tuple(CaseResult(**{name: _number(value) for name, value in row.items()}) for row in data.pop("cases"))
        job = Job(**data.pop("job"))
        steps = data.pop("steps")
        curve = tuple(CurvePoint(**point) for point in data.pop("curve", ()))
        numbers = {name: _number(value) for name, value in data.items()}
        return JobResult(job=job, cases=cases, steps=steps, curve=curve, **numbers)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(path, "is no result of a benchmark", "delete it, and the run is repeated") from error


def read_results(output: Path) -> list[JobResult]:
    """All results in a benchmark's folder, in the order of their names."""
    return [read_result(path) for path in sorted((output / RESULTS_FOLDER).glob("*.json"))]


def is_done(output: Path, job: Job, *, degradations: bool, curve: bool = False) -> bool:
    """Whether the result of a run exists, with degradations and with its curve if they are wanted."""
    path = result_path(output, job)
    if not path.exists():
        return False
    result = read_result(path)
    return (not degradations or result.has_degradations) and (not curve or bool(result.curve))


def _without_nan(value: Any) -> Any:
    """JSON has no nan: null stands for it."""
    if isinstance(value, dict):
        return {name: _without_nan(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _number(value: Any) -> Any:
    return math.nan if value is None else value
