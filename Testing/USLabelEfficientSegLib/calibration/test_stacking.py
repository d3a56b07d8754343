from dataclasses import replace

import pytest
import torch

from USLabelEfficientSegLib.calibration.stacking import HeldOutSlice, share_of_ends, share_of_networks

PIXELS = 400
ORGAN = slice(100, 150)


def says(where=ORGAN, sure=0.9):
    """Probabilities (2, n) of background and of an organ in some pixels."""
    organ = torch.full((PIXELS,), 1 - sure)
    organ[where] = sure
    return torch.stack([1 - organ, organ])


def held_out(networks, place, organ=ORGAN):
    return HeldOutSlice(torch.stack([networks, place]), says(organ, sure=1.0))


NOTHING = says(slice(0), sure=0.99)
BEYOND = held_out(NOTHING, NOTHING, organ=slice(0))  # the end of the organ


def test_networks_that_find_the_organ_have_all_votes_beside_a_place_that_does_not():
    share, dice = share_of_networks([held_out(says(), NOTHING)] * 8)

    assert share == 1
    assert dice == pytest.approx((1, 0))


def test_a_place_that_helps_in_a_few_slices_but_finds_little_alone_has_no_vote():
    """What both say is better than the networks alone, and yet the place has less than half of their Dice."""
    networks = says(slice(100, 180), sure=0.6)
    place = says(slice(100, 110), sure=0.9)
    place[:, 150:180] = torch.tensor([0.99, 0.01])[:, None]
    share, (found, located) = share_of_networks([held_out(networks, place)] * 3)

    assert located < found / 2
    assert share == 1


def test_a_place_that_finds_it_has_nearly_all_beside_networks_that_do_not():
    share, dice = share_of_networks([held_out(NOTHING, says())] * 8)

    assert share < 0.25
    assert dice == pytest.approx((0, 1))


def test_networks_that_are_too_sure_where_they_err_still_win_by_what_they_find():
    """Their log-loss is the worse one: most pixels are background, of which the place is right."""
    networks = says(slice(100, 180), sure=0.9999)
    share, dice = share_of_networks([held_out(networks, says(slice(0), sure=0.95))] * 8)

    assert share > 0.75
    assert dice == pytest.approx((2 * 50 / 130, 0))


def test_candidates_that_say_the_same_weigh_alike():
    assert share_of_networks([*[held_out(says(), says())] * 5, BEYOND])[0] == pytest.approx(0.5)


def test_candidates_that_complete_each_other_are_both_heard():
    """Each finds the organ, and is a little wrong in another place."""
    networks, place = says(), says()
    networks[:, 0:40] = torch.tensor([0.4, 0.6])[:, None]
    place[:, 300:340] = torch.tensor([0.4, 0.6])[:, None]
    share, dice = share_of_networks([held_out(networks, place)] * 6)

    assert 0.3 < share < 0.7
    assert dice[0] == pytest.approx(dice[1]) and dice[0] < 0.8


def test_networks_that_find_more_than_half_of_what_the_place_finds_have_half_of_the_votes():
    """They learnt from a part of the labels, and will have found more with all of them."""
    slices = [held_out(says(slice(100, 130)), says())] * 8
    share, (found, located) = share_of_networks([*slices, BEYOND])

    assert located / 2 < found < located
    assert share == 0.5


def test_networks_that_have_never_seen_where_the_organ_ends_have_no_more_than_they_earn():
    """Slices that all show it do not tell how far beyond its ends networks draw it."""
    share, (found, located) = share_of_networks([held_out(says(slice(100, 130)), says())] * 8)

    assert located / 2 < found < located
    assert share < 0.25


def test_networks_that_have_never_seen_where_the_organ_ends_do_not_lead_however_well_they_do():
    slices = [held_out(says(), says(slice(100, 130)))] * 8

    assert share_of_networks([*slices, BEYOND])[0] > 0.9
    assert share_of_networks(slices)[0] == 0.45


def test_networks_that_slices_across_have_shown_where_the_organ_ends_may_lead():
    slices = [held_out(says(), says(slice(100, 130)))] * 8

    assert share_of_networks([*slices[1:], replace(slices[0], across=True)])[0] > 0.9


def test_networks_that_slices_across_have_shown_where_the_organ_ends_have_two_thirds_of_the_votes_at_least():
    slices = [held_out(says(slice(100, 130)), says())] * 8

    assert share_of_networks([*slices[1:], replace(slices[0], across=True)])[0] == 0.65


def test_networks_that_find_next_to_nothing_have_no_more_than_they_earn_whatever_was_across():
    slices = [held_out(says(slice(100, 105)), says())] * 8

    assert share_of_networks([*slices[1:], replace(slices[0], across=True)])[0] < 0.25


def test_every_organ_has_to_be_missing_somewhere():
    def two_organs(found, *organs):
        target = torch.zeros(3, PIXELS)
        for number, where in enumerate(organs, start=1):
            target[number, where] = 1
        target[0] = 1 - target[1:].sum(dim=0)
        half = torch.full((3, PIXELS), 0.01)
        half[1, found], half[2, 300:330] = 0.98, 0.98
        half[0] = 1 - half[1:].sum(dim=0)
        return HeldOutSlice(torch.stack([half, target.clamp(0.01, 0.98)]), target)

    first, second = slice(100, 150), slice(300, 350)
    both = [two_organs(slice(100, 130), first, second)] * 6
    only_first = [two_organs(slice(100, 130), first)]
    only_second = [two_organs(slice(0), slice(0), second)]

    assert share_of_networks(both + only_first)[0] < 0.5
    assert share_of_networks(both + only_first + only_second)[0] == 0.5


def test_one_slice_says_less_than_many_of_the_same():
    half_of_it = says(slice(100, 125))
    one, many = (share_of_networks([*[held_out(says(), half_of_it)] * count, BEYOND])[0] for count in (1, 12))

    assert 0.5 < one < many


def test_slices_that_disagree_leave_both_a_part():
    slices = [held_out(says(), NOTHING), held_out(NOTHING, says())] * 2

    assert 0.25 < share_of_networks(slices)[0] < 0.75


def test_what_is_seen_in_a_slice_that_shows_no_organ_counts_against_a_candidate():
    slices = [held_out(says(), says()), held_out(says(), NOTHING, organ=slice(0))] * 4

    share, dice = share_of_networks(slices)

    assert dice == pytest.approx((2 / 3, 1))
    assert share == 0.5


def test_without_any_organ_in_sight_both_weigh_alike():
    assert share_of_networks([held_out(NOTHING, NOTHING, organ=slice(0))] * 3) == (pytest.approx(0.5), (1, 1))


def test_who_finds_the_ends_has_nearly_all_of_the_say_and_who_draws_them_wrong_is_not_asked():
    too_long = says(slice(100, 180))

    helps = share_of_ends([held_out(says(), too_long)] * 8)
    harms = share_of_ends([held_out(too_long, says())] * 8)

    assert helps > 0.9
    assert harms == 0


def test_who_says_of_the_ends_what_all_say_has_half_of_the_say_and_nobody_is_asked_unmeasured():
    assert share_of_ends([held_out(says(), says())] * 8) == pytest.approx(0.5)
    assert share_of_ends([]) == 0
