"""How long training takes, for an honest answer before it starts.

The preset quick was measured on two shared hyperthreads of a server processor: 8 minutes with 67 volumes and 10 with
100 (README, section Measured). The other presets have about forty times the operations a step and several times
the steps; they were not measured on a processor, nor anything on a graphics card.
"""

from __future__ import annotations

_CONTINUED = 0.26
_QUICK_SECONDS, _QUICK_SECONDS_A_VOLUME = 240.0, 3.6


def seconds_on_processor(preset: str, volumes: int, continued: bool = False) -> float | None:
    """Estimated duration of a training without graphics card; None where nothing was measured.

    One that continues from a model took 0.26 times as long as one from the labels (10 simulated volumes).
    """
    if preset != "quick":
        return None
    seconds = _QUICK_SECONDS + _QUICK_SECONDS_A_VOLUME * volumes
    return _CONTINUED * seconds if continued else seconds


def in_words(seconds: float) -> str:
    """A duration for people: "40 s", "12 min", "3 h", "4 days"."""
    for limit, unit, name in ((90, 1, "s"), (5400, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{max(1, round(seconds / unit))} {name}"
    return f"{round(seconds / 86_400)} days"
