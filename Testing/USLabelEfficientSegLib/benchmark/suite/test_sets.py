"""The suites: which sets they have, and which of them a user's folders allow to run."""

from __future__ import annotations

import pytest

from USLabelEfficientSegLib.benchmark.suite.sets import SUITES, GivenSet, SimulatedSet, chosen_sets, suite_named
from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.simulator import POPULATIONS, PROBES

SMALL = suite_named("small")


def names(*arguments: object) -> list[str]:
    return [one.name for one in chosen_sets(SMALL, *arguments)]  # type: ignore[arg-type]


@pytest.mark.parametrize("name", SUITES)
def test_a_suite_has_sets_of_different_character(name: str) -> None:
    sets = SUITES[name].sets
    simulated = [one for one in sets if isinstance(one, SimulatedSet)]
    assert len(sets) == len({one.name for one in sets}) >= 10
    assert {one.population for one in simulated} == set(POPULATIONS)
    assert {probe for one in simulated for probe in one.training_probes + one.test_probes} == set(PROBES)
    assert any(one.training_probes == ("good",) and one.test_probes == ("low-cost",) for one in simulated)
    shapes = {one.spacing[2] / one.spacing[0] for one in simulated}
    assert min(shapes) == pytest.approx(1) and max(shapes) == pytest.approx(5)
    assert len({one.slice_axis for one in simulated}) > 1


def test_the_long_suite_is_larger_and_goes_up_to_300_voxels_an_axis() -> None:
    small, long = SUITES["small"], SUITES["long"]
    assert {one.name for one in small.sets if isinstance(one, SimulatedSet)} < {one.name for one in long.sets}
    assert max(max(one.shape) for one in long.sets if isinstance(one, SimulatedSet)) == 300
    assert len(long.seeds) >= 3 and set(small.label_fractions) < set(long.label_fractions)
    folds = [one.test for one in long.sets if isinstance(one, GivenSet) and one.source == "must16"]
    assert sorted(place for fold in folds for place in fold) == list(range(16))


def test_sets_of_a_users_data_are_run_where_they_are_given() -> None:
    assert names(None, []) == [one.name for one in SMALL.sets if isinstance(one, SimulatedSet)]
    assert names(None, ["must16"]) == [*names(None, []), "must16"]
    assert names(["tube", "anywhere"], []) == ["anywhere", "tube"]
    assert names(["trus84"], ["trus84", "must16"]) == ["trus84"]


@pytest.mark.parametrize(
    ("chosen", "sources", "message"),
    [
        (["spleen"], [], "set spleen: does not exist; choose among two-organs"),
        (["trus84"], [], "set trus84: has no data; give --data trus84=FOLDER"),
        (None, ["camus"], "--data camus: belongs to no set of the suite; give must16 or trus84"),
    ],
)
def test_what_cannot_be_run_is_refused(chosen: list[str] | None, sources: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        chosen_sets(SMALL, chosen, sources)
    with pytest.raises(InputError, match="suite huge: does not exist; choose among small, long"):
        suite_named("huge")
