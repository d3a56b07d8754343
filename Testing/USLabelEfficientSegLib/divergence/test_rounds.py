import itertools

import pytest

from USLabelEfficientSegLib.divergence.rounds import Moment, moment_of
from USLabelEfficientSegLib.study.settings import DivergenceSettings


def moments(steps, rounds):
    settings = DivergenceSettings(steps=steps, rounds=rounds)
    return [moment_of(step, settings) for step in range(steps)]


def test_the_first_round_takes_two_thirds_of_the_steps_and_the_others_share_the_rest():
    of_training = moments(300, 3)

    assert [of_training[step] for step in (0, 199, 200, 249, 250, 299)] == [
        Moment(1, 0, 200),
        Moment(1, 199, 200),
        Moment(2, 0, 50),
        Moment(2, 49, 50),
        Moment(3, 0, 50),
        Moment(3, 49, 50),
    ]


def test_one_round_is_the_whole_training():
    assert moments(5, 1) == [Moment(1, step, 5) for step in range(5)]


def test_teachers_change_when_a_later_round_begins():
    assert [step for step, moment in enumerate(moments(300, 3)) if moment.changes_teachers] == [200, 250]


@pytest.mark.parametrize("rounds", [1, 2, 3, 7, 10])
@pytest.mark.parametrize("steps", [1, 2, 3, 5, 1999])
def test_every_step_has_its_place_however_few_there_are(steps, rounds):
    of_training = moments(steps, rounds)

    assert of_training[0] == Moment(1, 0, of_training[0].steps)
    for moment, following in itertools.pairwise(of_training):
        same = following == Moment(moment.round, moment.step + 1, moment.steps)
        next_one = moment.step + 1 == moment.steps and following.round > moment.round and following.step == 0
        assert same or next_one
    assert of_training[-1].step + 1 == of_training[-1].steps
