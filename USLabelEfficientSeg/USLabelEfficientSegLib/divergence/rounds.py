"""Rounds of the training: after the first round, the networks of a finished round teach.

In the middle of a training the learning rate is high, and a network is a worse teacher than at its end; yet its
mistakes are learnt and confirmed. So training goes on in rounds. Each starts the learning rate anew, and the averages
at the end of the previous round teach on unlabelled images (noisy student, arXiv 1911.04252).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from ..study.setting_sections import DivergenceSettings

FIRST_ROUND = Fraction(2, 3)  # of the steps; the other rounds share the rest equally


@dataclass(frozen=True)
class RoundPosition:
    """The place of a step in the training.

    Attributes:
        round: its number, from 1.
        step: number of the step in this round, from 0.
        steps: of this round.
    """

    round: int
    step: int
    steps: int

    @property
    def changes_teachers(self) -> bool:
        """Whether the networks that have just finished a round teach from this step on."""
        return self.round > 1 and self.step == 0


def round_position(step: int, settings: DivergenceSettings) -> RoundPosition:
    """The position of a step of all `settings.steps`; rounds too short for a step are left out."""
    ends = _ends_of_rounds(settings)
    number = next(number for number, end in enumerate(ends) if step < end)
    start = ends[number - 1] if number else 0
    return RoundPosition(number + 1, step - start, ends[number] - start)


def _ends_of_rounds(settings: DivergenceSettings) -> list[int]:
    later = (1 - FIRST_ROUND) / max(1, settings.rounds - 1)
    return [math.ceil(settings.steps * (1 - later * left)) for left in reversed(range(settings.rounds))]
