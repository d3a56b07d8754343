import numpy as np

from USLabelEfficientSegLib.segmentation.pieces import certain_pieces, main_piece, tidied

NOWHERE = np.zeros((40, 40), bool)


def two_pieces():
    """A small organ that is certain and a shadow of twice its size that is not."""
    probability = np.full((40, 40), 0.02, np.float32)
    probability[4:14, 4:14] = 0.97
    probability[4, 4] = 0.5
    probability[22:32, 10:30] = 0.55
    return probability, probability >= 0.5


def test_a_small_certain_piece_counts_more_than_a_large_doubtful_one():
    probability, mask = two_pieces()

    pieces, certainty = certain_pieces(mask, probability)

    assert [pieces[0, 0], pieces[5, 5], pieces[25, 20]] == [0, 1, 2]
    np.testing.assert_allclose(certainty, [0, 99 * 0.47 + 0.001, 200 * 0.05], rtol=1e-5)


def test_the_main_piece_is_the_certain_one_with_its_holes_filled():
    probability, mask = two_pieces()
    mask[8:10, 8:10] = False

    piece = main_piece(mask, probability)

    assert piece.sum() == 100 and piece[4:14, 4:14].all()


def test_of_two_pieces_that_are_equally_certain_one_is_the_main_one():
    mask = NOWHERE.copy()
    mask[4:8, 4:8] = mask[20:24, 20:24] = True

    assert main_piece(mask, mask.astype(np.float32)).sum() == 16


def test_of_pieces_without_any_certainty_the_largest_is_the_main_one():
    probability, mask = two_pieces()

    assert main_piece(mask, np.minimum(probability, 0.4))[22:32, 10:30].all()


def test_small_fragments_and_pinholes_go_and_other_organs_stay():
    mask, others = NOWHERE.copy(), NOWHERE.copy()
    mask[4:24, 4:24] = True
    mask[10, 10] = mask[15, 15] = False
    others[15, 15] = True
    mask[30, 30] = True

    kept = tidied(mask, mask.astype(np.float32), others)

    assert kept[10, 10] and not kept[15, 15] and not kept[30, 30] and kept.sum() == 399


def test_an_empty_mask_stays_empty():
    empty = np.zeros((40, 40), np.float32)

    assert not tidied(NOWHERE, empty, NOWHERE).any() and not main_piece(NOWHERE, empty).any()
