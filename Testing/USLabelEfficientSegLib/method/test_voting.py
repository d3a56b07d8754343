import pytest

from USLabelEfficientSegLib.method.voting import vote_weights


@pytest.mark.parametrize(
    ("distilled", "supervised", "prior", "share", "weights"),
    [
        (1, 1, 1, 0.5, (0.25, 0.5, 0.25)),
        (1, 1, 0, 0.5, (0.5, 0.5)),
        (3, 3, 1, 0.6, (0.1, 0.1, 0.1, 0.2, 0.2, 0.2, 0.1)),
        (1, 0, 1, 0.9, (0.5, 0.5)),
        (0, 1, 0, 0.2, (1.0,)),
        (1, 0, 0, 0.7, (1.0,)),
    ],
)
def test_supervised_students_have_their_share_of_the_votes_and_the_others_the_rest(
    distilled, supervised, prior, share, weights
):
    found = vote_weights(distilled, supervised, 0, prior, of_supervised=share, of_slices=0.5)

    assert found == pytest.approx(weights)
    assert sum(found) == pytest.approx(1)


@pytest.mark.parametrize(
    ("students", "slices", "prior", "weights"),
    [
        ((1, 1), 1, 1, (0.1, 0.2, 0.6, 0.1)),
        ((1, 0), 2, 1, (0.2, 0.3, 0.3, 0.2)),
        ((0, 0), 2, 1, (0.3, 0.3, 0.4)),
        ((0, 0), 2, 0, (0.5, 0.5)),
        ((0, 1), 1, 0, (0.4, 0.6)),
    ],
)
def test_slice_networks_have_their_share_of_all_votes(students, slices, prior, weights):
    distilled, supervised = students
    found = vote_weights(distilled, supervised, slices, prior, of_supervised=0.5, of_slices=0.6)

    assert found == pytest.approx(weights)
