import numpy as np
import torch

from USLabelEfficientSegLib.anatomy.targets import SoftTarget
from USLabelEfficientSegLib.calibration.probability_scaling import ProbabilityScaling, fit_scaling


def ball(shape=(40, 40, 40), radius=9.0):
    """Signed distance (I, J, K) from the surface of a ball, positive inside."""
    grid = torch.stack(torch.meshgrid(*[torch.arange(n).float() - n / 2 for n in shape], indexing="ij"))
    return radius - grid.square().sum(dim=0).sqrt()


def two_classes(foreground):
    return torch.stack([1 - foreground, foreground])


def labels_of(truth, slices):
    """The target of binary `truth` with these slices along the last axis labelled."""
    weight = torch.zeros(truth.shape)
    weight[..., slices] = 1
    return SoftTarget(two_classes(truth.float()) * weight, weight)


def test_slopes_of_one_and_no_offsets_change_nothing():
    probability = torch.rand(3, 5, 4, 3).softmax(dim=0)

    scaled = ProbabilityScaling(slopes=(1, 1, 1), offsets=(0, 0, 0))(probability)

    torch.testing.assert_close(scaled, probability)


def test_scaled_probabilities_sum_to_one_even_where_a_class_was_impossible():
    probability = torch.zeros(3, 4, 4, 4)
    probability[0] = 1

    scaled = ProbabilityScaling(slopes=(1.5, 1, 2), offsets=(0, 1, -1))(probability)

    torch.testing.assert_close(scaled.sum(dim=0), torch.ones(4, 4, 4))
    assert float(scaled[0].min()) > 0.99


def test_a_blurred_boundary_becomes_sharper_and_its_volume_smaller():
    distance = ball()
    blurred = two_classes((distance / 2).sigmoid())
    truth = distance > 0

    scaling = fit_scaling([blurred] * 20, [labels_of(truth, [index]) for index in range(10, 30)])

    before, after = (float(probability[1].sum() / truth.sum()) - 1 for probability in (blurred, scaling(blurred)))
    assert before > 0.15
    assert abs(after) < before / 2
    assert min(scaling.slopes) > 1.1


def test_an_organ_that_is_found_too_large_shrinks_to_its_labelled_area():
    distance = ball()
    too_large = two_classes((2 * (distance + 2)).sigmoid())
    truth = distance > 0
    targets = [labels_of(truth, [index]) for index in range(13, 28)]

    scaling = fit_scaling([too_large] * len(targets), targets)

    def area_ratio(probability):
        return float(probability[1][..., 13:28].sum() / truth[..., 13:28].sum())

    assert area_ratio(too_large) > 1.35
    assert abs(np.log(area_ratio(scaling(too_large)))) < 0.4 * np.log(area_ratio(too_large))
    assert scaling.offsets[1] < scaling.offsets[0]


def test_calibrated_probabilities_stay_nearly_as_they_are():
    generator = torch.Generator().manual_seed(3)
    foreground = ball(radius=12.0).div(3).sigmoid()
    truth = torch.rand(foreground.shape, generator=generator) < foreground

    scaling = fit_scaling([two_classes(foreground)] * 4, [labels_of(truth, [index]) for index in (10, 16, 22, 28)])

    scaled = scaling(two_classes(foreground))
    assert float((scaled[1] - foreground).abs().max()) < 0.06


def test_a_perfect_prediction_is_not_sharpened_without_limit():
    truth = ball() > 0
    certain = two_classes(truth.float().clamp(0.01, 0.99))

    scaling = fit_scaling([certain] * 3, [labels_of(truth, [index]) for index in (15, 20, 25)])

    assert all(0.8 < slope < 3 for slope in scaling.slopes)
    assert all(abs(offset) < 1 for offset in scaling.offsets)


def test_unlabelled_voxels_have_no_say():
    distance = ball()
    probability = two_classes((distance / 2).sigmoid())
    truth = distance > 0
    elsewhere = truth.clone()
    elsewhere[..., :20] = True

    right, wrong = (fit_scaling([probability], [labels_of(labels, [22])]) for labels in (truth, elsewhere))

    assert right == wrong


def test_every_class_has_its_own_slope():
    distances = [ball(radius=8.0).roll(9, 0), ball(radius=8.0).roll(-9, 0)]
    logits = torch.stack([torch.zeros(40, 40, 40), 3 * distances[0], distances[1] / 3])
    truth = torch.stack([distances[0] > 0, distances[1] > 0]).float()
    target = SoftTarget(torch.cat([1 - truth.sum(dim=0, keepdim=True), truth]), torch.ones(40, 40, 40))

    scaling = fit_scaling([logits.softmax(dim=0)], [target])

    assert scaling.slopes[2] > scaling.slopes[1] + 0.3
