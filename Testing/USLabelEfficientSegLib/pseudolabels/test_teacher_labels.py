import pytest
import torch

from USLabelEfficientSegLib.pseudolabels.fusion import confidence
from USLabelEfficientSegLib.pseudolabels.teacher_labels import teacher_pseudo_label
from USLabelEfficientSegLib.study.setting_sections import PseudoLabelSettings

SHAPE, SPACING = (24, 20, 16), (1.0, 1.0, 1.5)
EVERYWHERE = torch.ones(SHAPE, dtype=torch.bool)
SETTINGS = PseudoLabelSettings(views=4, rotation_degrees=20, shift=0.05, fidelity=1000, smoothness=50)


def ball():
    axes = torch.meshgrid(*[(torch.arange(n) - n / 2) * s for n, s in zip(SHAPE, SPACING, strict=True)], indexing="ij")
    return sum(axis**2 for axis in axes) < 49


def by_brightness(slices, numbers):
    """A slice model that takes what is bright for the organ, and is right about a ball."""
    organ = (20 * (slices - 0.5)).sigmoid()
    return torch.cat([1 - organ, organ], dim=1)


def pseudo_label(grey, predictors=None, sector=EVERYWHERE, known=None, settings=SETTINGS, seed=0):
    return teacher_pseudo_label(
        grey,
        sector,
        SPACING,
        {2: [by_brightness]} if predictors is None else predictors,
        settings,
        torch.Generator().manual_seed(seed),
        known,
    )


def overlap(found, truth):
    return 2 * float((found & truth).sum()) / float(found.sum() + truth.sum())


@pytest.mark.parametrize("axes", [(0,), (2,), (0, 1, 2)])
def test_a_teacher_that_is_right_on_slices_is_right_on_the_volume(axes):
    truth = ball()

    result = pseudo_label(truth.float(), {axis: [by_brightness] for axis in axes})

    assert result.probability.shape == (2, *SHAPE)
    torch.testing.assert_close(result.probability.sum(dim=0), torch.ones(SHAPE), atol=1e-3, rtol=0)
    assert overlap(result.probability[1] > 0.5, truth) > 0.93
    assert torch.equal(result.weight, confidence(result.deviation))


def test_trust_is_low_at_the_boundary_and_high_far_from_it():
    truth = ball()

    weight = pseudo_label(truth.float()).weight

    assert float(weight[12, 10, 8]) > 0.98 and float(weight[0, 0, 8]) > 0.98
    assert float(weight.min()) < 0.8


def test_a_slice_that_disagrees_with_its_neighbours_is_trusted_less_and_smoothed():
    grey = ball().float()
    grey[..., 8] = 0  # the teacher misses the organ in one slice

    result = pseudo_label(grey)

    assert float(result.weight[12, 10, 8]) < float(result.weight[12, 10, 5]) - 0.2
    assert float(result.probability[1, 12, 10, 8]) > 0.2
    assert float(result.probability[1, 12, 10, 5]) > 0.9


def test_labelled_voxels_are_kept_and_correct_their_neighbourhood():
    truth = ball()
    grey = truth.float()
    grey[..., 8] = 0
    labelled = torch.zeros(SHAPE, dtype=torch.bool)
    labelled[..., 8] = True
    values = torch.stack([~truth, truth]).float()

    without, with_label = (pseudo_label(grey, known=known) for known in (None, (labelled, values)))

    torch.testing.assert_close(with_label.probability[:, labelled], values[:, labelled])
    assert overlap(with_label.probability[1] > 0.5, truth) > overlap(without.probability[1] > 0.5, truth)


def test_outside_the_sector_all_is_background_for_certain():
    sector = EVERYWHERE.clone()
    sector[16:] = False

    result = pseudo_label(torch.ones(SHAPE), sector=sector, settings=SETTINGS.model_copy(update={"smoothness": 0.1}))

    assert float(result.probability[1, 16:].abs().max()) < 1e-3
    assert bool((result.weight[16:] == 1).all())
    assert float(result.probability[1, 4:12, 8:12].min()) > 0.9


def test_the_slice_model_is_told_which_slice_it_sees():
    seen = set()

    def predict(slices, numbers):
        for image, number in zip(slices, numbers.tolist(), strict=True):
            middle = float(image[0, image.shape[1] // 2, image.shape[2] // 2])
            assert middle == pytest.approx(number / SHAPE[1], abs=1e-5)
            seen.add(number)
        return by_brightness(slices, numbers)

    ramp = (torch.arange(SHAPE[1]) / SHAPE[1])[None, :, None].expand(SHAPE)
    pseudo_label(ramp, {1: [predict]})

    assert seen == set(range(SHAPE[1]))


def test_one_seed_gives_one_pseudo_label():
    noise = ball().float() + 0.5 * torch.rand(SHAPE, generator=torch.Generator().manual_seed(0))

    first, again, other = (pseudo_label(noise, seed=seed) for seed in (1, 1, 2))

    assert torch.equal(first.probability, again.probability)
    assert not torch.equal(first.probability, other.probability)


def test_slice_models_that_disagree_are_trusted_less_and_averaged():
    truth = ball()

    def half_sure(slices, numbers):
        return torch.full((len(slices), 2, *slices.shape[2:]), 0.5)

    alone = pseudo_label(truth.float(), {2: [by_brightness]})
    both = pseudo_label(truth.float(), {2: [by_brightness, half_sure]})

    centre = (12, 10, 8)
    assert float(alone.probability[1][centre]) > 0.95 and 0.6 < float(both.probability[1][centre]) < 0.9
    assert float(both.weight[centre]) < 0.85 < float(alone.weight[centre])
