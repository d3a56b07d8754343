"""How long training takes, for an honest answer before it starts.

The preset quick was measured on one core of a shared server processor: 9.4 minutes with 67 volumes and 15 labelled
slices, including 0.033 s a step of its students and 1.2 s a volume (docs/results.md). The other presets do many times
the operations. They were not measured on a processor, and nothing was measured on a graphics card.
"""

from __future__ import annotations

from typing import Literal

#: which students of the model learn on: only distilled ones if there were too few labels for supervised ones
Continued = Literal["all students", "distilled students"]

_FIXED_SECONDS, _SECONDS_A_VOLUME, _SECONDS_A_STEP = 50.0, 1.2, 0.033
_FIXED_SECONDS_CONTINUED, _SECONDS_A_VOLUME_CONTINUED = 10.0, 0.3
# Of the preset quick: its distilled and its supervised students.
_ROUNDS, _FEWEST_STEPS, _MOST_STEPS, _STEPS_A_SLICE = 4, 150, 400, 20
_MOST_LABEL_STEPS, _LABEL_STEPS_A_SLICE, _FEWEST_SLICES_ALONE = 12_000, 800, 8


def seconds_on_processor(
    preset: str, volumes: int, labelled_slices: int, continued: Continued | None = None
) -> float | None:
    """Estimated duration of a training without graphics card; None where nothing was measured.

    A training that continues from a model has one round of half the steps and no teacher to wait for. Supervised
    students take an eighth of their steps, or all of them if they are new.
    """
    if preset != "quick":
        return None
    steps = min(_MOST_STEPS, max(_FEWEST_STEPS, _STEPS_A_SLICE * labelled_slices))
    alone = min(_MOST_LABEL_STEPS, _LABEL_STEPS_A_SLICE * labelled_slices)
    alone = alone if labelled_slices >= _FEWEST_SLICES_ALONE else 0
    if continued is not None:
        fixed = _FIXED_SECONDS_CONTINUED + _SECONDS_A_VOLUME_CONTINUED * volumes
        return fixed + _SECONDS_A_STEP * (steps / 2 + (alone / 8 if continued == "all students" else alone))
    return _FIXED_SECONDS + _SECONDS_A_VOLUME * volumes + _SECONDS_A_STEP * (_ROUNDS * steps + alone)
