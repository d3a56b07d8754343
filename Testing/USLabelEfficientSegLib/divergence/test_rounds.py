import itertools

import pytest

from USLabelEfficientSegLib.divergence.rounds import RoundPosition, round_position
from USLabelEfficientSegLib.study.setting_sections import DivergenceSettings


def positions(steps, rounds):
    settings = DivergenceSettings(steps=steps, rounds=rounds)
    return [round_position(step, settings) for step in range(steps)]


def test_the_first_round_takes_two_thirds_of_the_steps_and_the_others_share_the_rest():
    of_training = positions(300, 3)

    assert [of_training[step] for step in (0, 199, 200, 249, 250, 299)] == [
        RoundPosition(1, 0, 200),
        RoundPosition(1, 199, 200),
        RoundPosition(2, 0, 50),
        RoundPosition(2, 49, 50),
        RoundPosition(3, 0, 50),
        RoundPosition(3, 49, 50),
    ]


def test_one_round_is_the_whole_training():
    assert positions(5, 1) == [RoundPosition(1, step, 5) for step in range(5)]


def test_teachers_change_when_a_later_round_begins():
    assert [step for step, position in enumerate(positions(300, 3)) if position.changes_teachers] == [200, 250]


@pytest.mark.parametrize("rounds", [1, 2, 3, 7, 10])
@pytest.mark.parametrize("steps", [1, 2, 3, 5, 1999])
def test_every_step_has_its_place_however_few_there_are(steps, rounds):
    of_training = positions(steps, rounds)

    assert of_training[0] == RoundPosition(1, 0, of_training[0].steps)
    for position, following in itertools.pairwise(of_training):
        same = following == RoundPosition(position.round, position.step + 1, position.steps)
        next_one = position.step + 1 == position.steps and following.round > position.round and following.step == 0
        assert same or next_one
    assert of_training[-1].step + 1 == of_training[-1].steps
