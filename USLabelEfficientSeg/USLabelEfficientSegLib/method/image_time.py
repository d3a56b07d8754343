"""How many steps the networks of 2-D images do in the time that the user gives, on this computer.

They are tried for a few seconds on the study's own images, and one image is measured, as all are in the end. The factor
of the steps is kept in the run folder: a training that is resumed has the same steps.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from pydantic import BaseModel, ConfigDict, Field

from ..disk.files import atomic_write_json
from ..disk.study_layout import TIME_PLAN_NAME
from ..study.provenance import digest, image_checksums, label_checksums
from ..study.settings import Settings, changed
from ..study.stages import Stage
from ..study.study import Study
from .time_plan import FEWEST, MOST, kept_plan


class ImageTimePlan(BaseModel):
    """The factor of the steps of a training of images in limited time.

    Attributes:
        data: fingerprint of settings, images and labels.
        factor: of `divergence.steps`.
        seconds: that the training is expected to take.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    data: str
    factor: float = Field(ge=FEWEST, le=MOST)
    seconds: float = Field(ge=0)

    def told(self) -> str:
        """One sentence for events."""
        return f"{self.factor:.2g} times the usual steps, about {self.seconds / 60:.2g} min"


def in_time(
    study: Study,
    settings: Settings,
    steps: int,
    seconds_a_step: Callable[[], float],
    measure_one: Callable[[], object],
    since: float,
) -> Settings:
    """The settings with the steps that fit into their time, and without a time; the same if they give none.

    Args:
        study: the plan is kept in its run folder; the caller holds its lock.
        settings: of the training.
        steps: that these settings are about to do: fewer than `divergence.steps` when networks learn on.
        seconds_a_step: tries the networks.
        measure_one: measures an image, as is done with each in the end.
        since: when the training started, on the clock of `time.monotonic`.

    Raises:
        InputError: the plan of an earlier start is damaged.
    """
    if settings.minutes is None:
        return settings
    path = study.run_folder / TIME_PLAN_NAME
    data = digest([settings.model_dump(mode="json"), image_checksums(study), label_checksums(study)])
    plan = kept_plan(path, ImageTimePlan)
    if plan is None or plan.data != data:
        step = seconds_a_step()
        started = time.monotonic()
        measure_one()
        others = (time.monotonic() - started) * len(study.cases) + time.monotonic() - since
        factor = min(MOST, max(FEWEST, (60 * settings.minutes - others) / (step * steps)))
        plan = ImageTimePlan(data=data, factor=factor, seconds=others + factor * step * steps)
        atomic_write_json(path, plan.model_dump(mode="json"))
    study.events.emit(Stage.READING_IMAGES, len(study.cases), len(study.cases), message=plan.told())
    return _planned(settings, plan)


def trained_image_settings(study: Study, settings: Settings) -> Settings:
    """What a study of images was trained with that was told `settings`: with the steps that fitted into their time.

    Raises:
        InputError: the plan is damaged.
    """
    plan = None if settings.minutes is None else kept_plan(study.run_folder / TIME_PLAN_NAME, ImageTimePlan)
    return settings if plan is None else _planned(settings, plan)


def _planned(settings: Settings, plan: ImageTimePlan) -> Settings:
    steps = math.ceil(plan.factor * settings.divergence.steps)
    return changed(settings, {"divergence.steps": steps, "minutes": None})
