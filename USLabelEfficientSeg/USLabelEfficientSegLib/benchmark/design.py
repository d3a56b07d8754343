"""The design of a benchmark, shared by all its runs."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..study.settings import Settings, changed, preset
from .data import Dataset, Split, split_by_subject
from .degradations import DEGRADATIONS


@dataclass(frozen=True)
class Design:
    """The design of a benchmark; kept in its folder, because results of different designs do not compare.

    Attributes:
        data: folder of the data set.
        organs: names, in the order of the label values.
        seconds, steps, time_of: budget of the rivals, one of the three: so many seconds or steps, or as long as the
            method of that name took with the same labels and seed.
        preset, changes: settings of our own method, whose time is that of its preset, and of grid and poses of all.
        slice_axis: array axis of the labelled slices.
        test_share: of all cases that is held out.
        validation: judge by a part of the training subjects, and leave the test subjects alone.
        training_degradation: every training image is degraded so, each to a random strength; None: as they are.

    Raises:
        InputError: settings or a degradation that do not exist, or a seed among the settings.
    """

    data: Path
    organs: tuple[str, ...]
    seconds: float | None = None
    steps: int | None = None
    preset: str = "quick"
    changes: dict[str, Any] = field(default_factory=dict)
    slice_axis: int = 2
    test_share: float = 0.2
    validation: bool = False
    training_degradation: str | None = None
    time_of: str | None = None

    def __post_init__(self) -> None:
        if "seed" in self.changes:
            raise InputError("--set seed", "would be the same for all runs", "give --seeds")
        if self.training_degradation is not None and self.training_degradation not in DEGRADATIONS:
            raise InputError(
                f"degradation {self.training_degradation}", "does not exist", f"choose among {', '.join(DEGRADATIONS)}"
            )
        changed(preset(self.preset), self.changes)  # refuses wrong settings before anything is written

    @property
    def settings(self) -> Settings:
        """Of our own method, before a variant changes them."""
        return changed(preset(self.preset), self.changes)

    def split(self, dataset: Dataset) -> Split:
        """The cases to train on and those to judge by."""
        return split_by_subject(dataset.subjects, self.test_share, validation=self.validation, test=dataset.test)

    def record(self, dataset: Dataset) -> dict[str, Any]:
        """All that decides about results, as JSON: the data by the names of its cases, wherever the folder lies."""
        content = {name: value for name, value in asdict(self).items() if name != "data"}
        return json.loads(json.dumps({**content, "cases": asdict(self.split(dataset))}))
