import math

import pytest
import torch

from USLabelEfficientSegLib.divergence.images import TrainingImages
from USLabelEfficientSegLib.slice_network.presence import absence, least_pixels, spread_slices
from USLabelEfficientSegLib.slice_network.slices import AxisSlices


def images(areas, count=4):
    """Of 20 x 20 pixels; the first ones are labelled, organs have these areas in them."""
    target = torch.zeros(len(areas), 1 + len(areas[0]), 400)
    for row, of_row in enumerate(areas):
        start = 0
        for organ, area in enumerate(of_row, start=1):
            target[row, organ, start : start + area] = 1
            start += area
    target[:, 0] = 1 - target[:, 1:].sum(dim=1)
    grey = torch.zeros(count, 1, 20, 20, dtype=torch.uint8)
    labelled = torch.arange(len(areas))
    weight = torch.ones(len(areas), 20, 20)
    return TrainingImages(grey, grey == 0, labelled, target.view(len(areas), -1, 20, 20), weight)


def test_a_quarter_of_the_usual_area_must_be_seen_and_nothing_of_an_organ_that_no_label_shows():
    assert least_pixels(images([(40, 0), (0, 0), (80, 0), (200, 0)])) == (20, 0)


def test_of_a_tiny_organ_a_few_pixels_must_be_seen():
    assert least_pixels(images([(6,)])) == (4,)


def test_slices_of_a_step_are_of_one_volume_and_spread_over_it():
    slices = AxisSlices(images([(40,)], count=31), torch.tensor([0] + 10 * [0] + 20 * [1]), ("one", "other"))
    generator = torch.Generator().manual_seed(0)
    seen = set()

    for _ in range(20):
        numbers = spread_slices(slices, 4, generator)
        volume = slices.volumes[numbers].unique().tolist()
        seen.update(volume)
        length = (10, 20)[volume[0]]
        steps = numbers.diff()

        assert len(volume) == 1 and 0 not in numbers.tolist()
        assert int(steps.min()) >= length // 4 and int(steps.max()) <= -(-length // 4)

    assert seen == {0, 1}


def test_a_volume_with_fewer_slices_than_a_batch_repeats_them():
    slices = AxisSlices(images([(40,)], count=3), torch.tensor([0, 1, 1]), ("one", "other"))

    assert sorted(spread_slices(slices, 4, torch.Generator().manual_seed(0)).tolist()) == [1, 1, 2, 2]


def log_p(organ):
    return torch.stack([1 - organ, organ]).movedim(0, 1).log()


def test_loss_is_minus_the_logarithm_of_the_mean_of_the_pixels_most_like_the_organ():
    organ = torch.full((2, 4, 4), 0.01)
    organ[0, 0, 0], organ[1, 2, 3], organ[1, 0, 0] = 0.3, 0.5, 0.2

    assert float(absence(log_p(organ), (2,))) == pytest.approx(-math.log(0.4))


def test_an_organ_that_is_found_costs_nothing_wherever_it_is():
    organ = torch.full((2, 4, 4), 1e-6)
    organ[1, 1:3] = 1 - 1e-6

    assert float(absence(log_p(organ), (4,))) == pytest.approx(0, abs=1e-5)


def test_an_organ_that_is_not_found_pulls_however_sure_the_network_is():
    """The gradient of consistency vanishes there."""
    logits = torch.zeros(1, 2, 4, 4)
    logits[:, 1] = -8
    logits.requires_grad_()

    absence(logits.log_softmax(dim=1), (4,)).backward()

    assert logits.grad is not None
    assert float(-logits.grad[:, 1].sum()) == pytest.approx(1, abs=1e-2)


def test_organs_count_alike_and_one_of_unknown_size_is_not_asked_for():
    said = torch.tensor([0.5, 0.25, 0.25])[None, :, None, None].expand(1, 3, 2, 2).log()

    assert float(absence(said, (4, 0))) == pytest.approx(-math.log(0.25) / 2)
    assert float(absence(said, (0, 0))) == 0
