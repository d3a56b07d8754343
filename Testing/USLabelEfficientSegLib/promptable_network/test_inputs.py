"""What the promptable network sees."""

import numpy as np

from USLabelEfficientSegLib.promptable_network.inputs import Prompts, network_inputs
from USLabelEfficientSegLib.promptable_network.network import CHANNELS

SHAPE = (16, 16, 16)


def prompts():
    drawn = np.zeros(SHAPE, np.float32)
    drawn[4], drawn[4, 5:9, 5:9] = -1, 1
    return Prompts(drawn, np.abs(drawn))


def test_gain_and_offset_of_an_image_do_not_matter():
    image = np.random.default_rng(0).random(SHAPE, dtype=np.float32)

    seen, brighter = network_inputs(image, prompts()), network_inputs(200 * image + 30, prompts())

    assert seen.shape == (len(CHANNELS), *SHAPE)
    np.testing.assert_allclose(seen, brighter, atol=1e-4)
    assert abs(float(seen[0].mean())) < 1e-5 and abs(float(seen[0].std()) - 1) < 1e-3


def test_a_constant_image_gives_finite_inputs():
    assert np.isfinite(network_inputs(np.full(SHAPE, 7, np.float32), prompts()).numpy()).all()


def test_without_an_opinion_its_channels_are_empty_and_with_one_they_tell_its_log_odds():
    image = np.random.default_rng(0).random(SHAPE, dtype=np.float32)
    prior = np.full(SHAPE, 0.5, np.float32)
    prior[0], prior[1] = 1.0, 1 / (1 + np.exp(2))

    without, with_one = network_inputs(image, prompts()), network_inputs(image, prompts(), prior)

    assert not without[3:].any()
    assert (with_one[4] == 1).all()
    assert (with_one[3, 0] == 1).all() and (with_one[3, 5] == 0).all()
    np.testing.assert_allclose(with_one[3, 1], -0.5, atol=1e-5)


def test_an_image_in_volts_is_seen_as_one_in_any_other_unit():
    image = np.random.default_rng(0).random(SHAPE, dtype=np.float32)

    seen, in_volts = network_inputs(image, prompts()), network_inputs(image * np.float32(2.0**-30), prompts())

    np.testing.assert_array_equal(seen, in_volts)
