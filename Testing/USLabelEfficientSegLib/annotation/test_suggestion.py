import numpy as np
import pytest

from USLabelEfficientSegLib.annotation.suggestion import Candidate, choose_slices
from USLabelEfficientSegLib.errors import InputError


def candidates(count=9, shape=(20, 30, 40), labelled=(), axes=(0, 1, 2)):
    usable = {axis: np.ones(shape[axis]) for axis in axes}
    return [Candidate(usable, labelled) for _ in range(count)]


def test_axes_take_turns_and_volumes_are_not_used_twice():
    chosen = choose_slices(candidates(), 9)

    assert len({number for number, _ in chosen}) == 9
    assert [axis for _, (axis, _) in chosen] == [0, 1, 2] * 3


def test_slices_lie_in_the_middle_of_what_is_usable_and_differ():
    volumes = candidates(12, (100, 100, 100))
    volumes = [Candidate({0: (np.arange(100) >= 60) * 1.0}, ()) for _ in volumes]

    indices = [index for _, (_, index) in choose_slices(volumes, 12)]

    assert all(72 <= index <= 88 for index in indices)
    assert indices[0] == 79 or indices[0] == 80
    assert len(set(indices)) > 8


def test_asking_one_at_a_time_goes_on_where_it_was():
    volumes = candidates(5)
    for turn in range(12):
        number, place = choose_slices(volumes, 1)[0]
        assert place[0] == turn % 3
        volumes[number] = Candidate(volumes[number].worth, (*volumes[number].labelled, place))

    counts = [len(volume.labelled) for volume in volumes]
    assert max(counts) - min(counts) <= 1
    assert all(len(set(volume.labelled)) == len(volume.labelled) for volume in volumes)


def test_volumes_are_drawn_at_random_by_seed():
    drawn = [tuple(number for number, _ in choose_slices(candidates(), 5, seed=seed)) for seed in (0, 0, 1, 2)]

    assert drawn[0] == drawn[1]
    assert len(set(drawn)) == 3


def test_only_allowed_axes_are_used_and_everything_can_be_asked_for():
    volumes = candidates(2, (3, 4, 5), axes=(2,))

    chosen = choose_slices(volumes, 100)

    assert len(set(chosen)) == len(chosen) == 10
    assert {axis for _, (axis, _) in chosen} == {2}


def test_nothing_left_or_nothing_asked_for_is_refused():
    with pytest.raises(InputError, match="no slice left"):
        choose_slices([Candidate({2: np.zeros(5)}, ())], 1)
    with pytest.raises(InputError, match="not at least 1"):
        choose_slices(candidates(), 0)


def test_volumes_are_cut_in_the_middle_of_what_is_worth_most():
    worth = np.full(100, 0.01)
    worth[70:90] = 1.0
    indices = np.array([index for _, (_, index) in choose_slices([Candidate({1: worth}, ())] * 50, 50)])

    assert indices.min() >= 74 and indices.max() <= 86  # 30 to 70 % of the worth, less a little for the rest
    assert len(set(indices)) > 5


def test_what_is_worth_nothing_is_never_chosen_and_one_slice_left_is():
    worth = np.zeros(30)
    worth[[4, 21]] = 3.0
    first, second = choose_slices([Candidate({2: worth}, ())], 5)

    assert {first[1], second[1]} == {(2, 4), (2, 21)}
