"""What decides in a model, in words and in its provenance."""

from dataclasses import replace

import pytest

from USLabelEfficientSegLib.calibration.shares import ONE_OF_SEVERAL, ONLY_VOLUME, Shares

MEASURED = Shares(0.6, 12, (0.1, 0.5))


@pytest.mark.parametrize(("share", "helps"), [(0.0, True), (0.6, True), (0.95, False)])
def test_a_beaten_location_is_not_used(share, helps):
    assert Shares(share, 5, (0.1, 0.5)).location_helps is helps


@pytest.mark.parametrize(("share", "help_"), [(0.0, True), (0.4, True), (0.5, False), (1.0, False)])
def test_students_learn_where_the_place_leads(share, help_):
    assert Shares(share, 5, (0.1, 0.5)).students_help is help_


@pytest.mark.parametrize(
    ("shares", "told"),
    [
        (
            Shares(0.97, 12, (0.1, 0.5)),
            "Where organs lie says little here: 2-D networks on slices decide alone (12 labelled slices left out)",
        ),
        (
            Shares(0.6, 1, (0.1, 0.5)),
            "Where organs lie helps here: 2-D networks on slices have 60 % of the votes (1 labelled slice left out)",
        ),
        (
            Shares(0.0, 12, (0.5, 0.1)),
            "Where organs lie tells more here than 2-D networks on slices do: these are not used "
            "(12 labelled slices left out)",
        ),
        (
            Shares(ONE_OF_SEVERAL),
            "One volume with labelled organs cannot tell where they lie in others: 2-D networks on slices decide alone",
        ),
        (
            Shares(ONLY_VOLUME),
            "The only volume leaves none to measure on what works: 2-D networks on slices have 50 % of the votes",
        ),
        (Shares(1.0, by_settings=True), "2-D networks on slices decide alone, as the settings have it"),
        (Shares(), "3-D networks and the place of the organs decide"),
        (
            Shares(0.6, 12, (0.1, 0.5), ends=0.42),
            "Where organs lie helps here: 2-D networks on slices have 60 % of the votes (12 labelled slices left out); "
            "where organs end, the network that knows organs has 42 % of the say",
        ),
    ],
)
def test_one_sentence_tells_what_decides_and_how_that_is_known(shares, told):
    assert shares.told() == told


@pytest.mark.parametrize(
    "shares", [MEASURED, replace(MEASURED, ends=0.3), Shares(ONE_OF_SEVERAL), Shares(1.0, by_settings=True)]
)
def test_what_was_measured_comes_back_from_the_provenance(shares):
    assert Shares.of_record(shares.record()) == shares


def test_the_provenance_names_each_number():
    assert MEASURED.record() == {
        "slice_networks": 0.6,
        "held_out_slices": 12,
        "held_out_dice": {"slice_networks": 0.1, "location_prior": 0.5},
        "by_settings": False,
    }
