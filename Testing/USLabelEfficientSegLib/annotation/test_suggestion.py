import numpy as np
import pytest

from USLabelEfficientSegLib.annotation.suggestion import choose_slices
from USLabelEfficientSegLib.errors import InputError

CLUSTERS, SIZE = 4, 30


@pytest.fixture
def clusters():
    """Four groups of 30 slices, far from each other; each volume has one slice of each group."""
    rng = np.random.default_rng(0)
    centres = 10 * np.eye(CLUSTERS)
    features = np.concatenate([centre + rng.normal(size=(SIZE, CLUSTERS)) for centre in centres])
    return features, np.tile(np.arange(SIZE), CLUSTERS)


def choose(features, volumes, count, labelled=(), unusable=(), **options):
    mask = {name: np.zeros(len(features), dtype=bool) for name in ("labelled", "usable")}
    mask["labelled"][list(labelled)] = True
    mask["usable"][:] = True
    mask["usable"][list(unusable)] = False
    return choose_slices(features, volumes, count, **mask, **options)


def test_the_first_slice_is_the_most_typical_one(clusters):
    features, volumes = clusters
    group = features[:SIZE]

    (choice,) = choose(group, volumes[:SIZE], 1)

    total = np.linalg.norm(group[:, None] - group[None], axis=2).sum(axis=0)
    assert choice.row == total.argmin()
    assert choice.share == 1.0


def test_one_slice_of_each_kind_is_chosen_each_from_another_volume(clusters):
    features, volumes = clusters

    choices = choose(features, volumes, CLUSTERS)

    assert sorted(choice.row // SIZE for choice in choices) == [0, 1, 2, 3]
    assert len({volumes[choice.row] for choice in choices}) == CLUSTERS
    assert sum(choice.share for choice in choices) == pytest.approx(1.0)


def test_what_resembles_a_label_is_not_chosen_again(clusters):
    features, volumes = clusters

    choices = choose(features, volumes, 2, labelled=[0, SIZE])

    assert sorted(choice.row // SIZE for choice in choices) == [2, 3]


def test_labelled_and_empty_slices_are_never_chosen(clusters):
    features, volumes = clusters
    labelled, unusable = range(0, 40), range(40, 110)

    choices = choose(features, volumes, 100, labelled=labelled, unusable=unusable)

    assert sorted(choice.row for choice in choices) == list(range(110, 120))


def test_slices_that_a_model_is_unsure_about_come_first(clusters):
    features, volumes = clusters
    uncertainty = np.repeat([0.1, 0.1, 0.9, 0.1], SIZE)

    choices = choose(features, volumes, 3, labelled=[0], uncertainty=uncertainty)

    assert choices[0].row // SIZE == 2


def test_a_volume_is_chosen_from_again_only_when_all_others_have_as_many():
    features = np.random.default_rng(1).normal(size=(40, 3))
    volumes = np.repeat(np.arange(4), 10)

    choices = choose(features, volumes, 5, labelled=[0, 1, 10])

    counts = np.bincount(volumes[[0, 1, 10, *(choice.row for choice in choices)]])
    assert sorted(counts) == [2, 2, 2, 2]


def test_the_same_seed_gives_the_same_slices_even_of_many():
    features = np.random.default_rng(2).normal(size=(3000, 4))
    volumes = np.repeat(np.arange(30), 100)

    rows = [[choice.row for choice in choose(features, volumes, 6, seed=seed)] for seed in (3, 3, 4)]

    assert rows[0] == rows[1]
    assert rows[0] != rows[2]
    assert len(set(rows[0])) == 6


def test_nothing_left_to_label_and_an_impossible_count_are_refused(clusters):
    features, volumes = clusters
    with pytest.raises(InputError, match="no slice left"):
        choose(features, volumes, 1, labelled=range(len(features)))
    with pytest.raises(InputError, match="not at least 1"):
        choose(features, volumes, 0)
