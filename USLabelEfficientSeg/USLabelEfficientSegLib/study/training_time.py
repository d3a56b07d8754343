"""How long training takes, for an honest answer before it starts.

The preset quick was measured on one core of a shared server processor. Its 3-D students: 9.4 minutes with 67 volumes
and 15 labelled slices, including 0.033 s a step and 1.2 s a volume (docs/results.md). Its 2-D networks: 0.19 s a step
on slices of 160 x 160 pixels, and about a second a volume. The other presets do many times the operations. They were
not measured on a processor, and nothing was measured on a graphics card.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

#: which students of the model learn on: only distilled ones if there were too few labels for supervised ones
Continued = Literal["all students", "distilled students"]

_FIXED_SECONDS, _SECONDS_A_VOLUME, _SECONDS_A_STEP = 50.0, 1.2, 0.033
_FIXED_SECONDS_CONTINUED, _SECONDS_A_VOLUME_CONTINUED = 10.0, 0.3
_FIXED_SECONDS_ALONE, _SECONDS_A_VOLUME_ALONE = 10.0, 0.9  # of 2-D networks: reading, alignment, calibration
# Of the preset quick: its distilled and its supervised students.
_ROUNDS, _FEWEST_STEPS, _MOST_STEPS, _STEPS_A_SLICE = 4, 150, 400, 20
_MOST_LABEL_STEPS, _LABEL_STEPS_A_SLICE, _FEWEST_SLICES_ALONE = 12_000, 800, 8
# Likewise of its 2-D networks, and of those that learn without some labels to tell what works.
SECONDS_A_SLICE_STEP, SECONDS_A_SLICE_VOTE = 0.19, 1.0
_PIXELS = 160 * 160  # of a slice, in these
_ACROSS = 1.25  # of the seconds of a step where slices of several axes are labelled: two slices more are learnt
_SLICE_STEPS, _FOLDS, _SHARE_OF_STEPS = 800, 3, 0.25
_SECONDS_A_VOLUME_ALIGNED = 0.4  # without the labels that are left out


class Estimate(NamedTuple):
    """How long a training takes, in seconds.

    Attributes:
        least: where the images tell more than the place of the organs, so that 2-D networks decide alone.
        most: where their place helps, so that 3-D students learn as well.
    """

    least: float
    most: float


def seconds_on_processor(
    preset: str,
    volumes: int,
    labelled_slices: int,
    continued: Continued | None = None,
    *,
    axes: int = 1,
    labelled_volumes: int = _FOLDS,
    slice_pixels: float | None = None,
) -> Estimate | None:
    """Estimated duration of a training without graphics card; None where nothing was measured.

    A training that continues from a model has one round of half the steps and no teacher to wait for. Supervised
    students take an eighth of their steps, or all of them if they are new; 2-D networks always learn anew.

    Args:
        preset: name.
        volumes: of the study.
        labelled_slices: in all of them.
        continued: what learns on, None if nothing does.
        axes: along how many axes slices are labelled: each has a 2-D network of its own.
        labelled_volumes: that show an organ; a single one cannot tell where organs lie in others, if there are any.
        slice_pixels: of a slice as 2-D networks see it, the mean of the axes, see `method.shown_slices`; None: usual.
    """
    if preset != "quick":
        return None
    folds = min(_FOLDS, labelled_volumes) if labelled_volumes > 1 else 0
    steps = _SLICE_STEPS * (1 + _SHARE_OF_STEPS * folds)
    steps *= _ACROSS if axes > 1 else 1.0
    on_slices = axes * (SECONDS_A_SLICE_STEP * steps + SECONDS_A_SLICE_VOTE * volumes) * share_of_usual(slice_pixels)
    on_slices += folds * _SECONDS_A_VOLUME_ALIGNED * volumes if axes else 0.0
    least = _FIXED_SECONDS_ALONE + _SECONDS_A_VOLUME_ALONE * volumes + on_slices
    with_students = on_slices + _seconds_of_students(volumes, labelled_slices, continued)
    return Estimate(least, with_students if folds or volumes == 1 else least)


def share_of_usual(slice_pixels: float | None) -> float:
    """How much longer than measured 2-D networks take on slices of so many pixels; None: as long."""
    return 1.0 if slice_pixels is None else slice_pixels / _PIXELS


def _seconds_of_students(volumes: int, labelled_slices: int, continued: Continued | None) -> float:
    steps = min(_MOST_STEPS, max(_FEWEST_STEPS, _STEPS_A_SLICE * labelled_slices))
    alone = min(_MOST_LABEL_STEPS, _LABEL_STEPS_A_SLICE * labelled_slices)
    alone = alone if labelled_slices >= _FEWEST_SLICES_ALONE else 0
    if continued is not None:
        fixed = _FIXED_SECONDS_CONTINUED + _SECONDS_A_VOLUME_CONTINUED * volumes
        return fixed + _SECONDS_A_STEP * (steps / 2 + (alone / 8 if continued == "all students" else alone))
    return _FIXED_SECONDS + _SECONDS_A_VOLUME * volumes + _SECONDS_A_STEP * (_ROUNDS * steps + alone)
