"""Training in two phases: hours can be added, and a stopped one goes on to the same weights."""

import pytest
import torch

from USLabelEfficientSegLib.promptable_network.starter import STARTER, load_starter
from USLabelEfficientSegLib.promptable_network.starter_training import LESSON as PROPAGATION
from USLabelEfficientSegLib.slice_network import starter_training
from USLabelEfficientSegLib.slice_network.starter_training import LESSON as SLICES
from USLabelEfficientSegLib.training.checkpoint import load_checkpoint
from USLabelEfficientSegLib.training.phases import cool_down, learn, learning_context


def after(steps):
    """Says stop after so many steps."""
    asked = iter(range(steps))
    return lambda: next(asked, None) == steps - 1


@pytest.mark.parametrize("lesson", [PROPAGATION, SLICES], ids=["propagation", "slices"])
def test_training_that_was_stopped_goes_on_to_the_same_weights_and_cools_down(lesson, tmp_path, monkeypatch):
    monkeypatch.setattr(starter_training, "SCENE_SIZE", 32)
    starter_training._scene.cache_clear()

    def context(name, cancelled=None):
        return learning_context(lesson, tmp_path / name, 0, torch.device("cpu"), cancelled)

    assert learn(context("whole", after(2)), lesson) == 2
    assert learn(context("parts", after(1)), lesson) == 1
    assert learn(context("parts", after(1)), lesson) == 2

    whole, parts = (cool_down(context(name), lesson) for name in ("whole", "parts"))

    for name, weights in whole.state_dict().items():
        assert torch.equal(weights, parts.state_dict()[name]), name
    assert not whole.training
    starter_training._scene.cache_clear()


def test_training_begins_with_given_weights_and_goes_on_from_its_own(tmp_path):
    def context(name, steps):
        return learning_context(PROPAGATION, tmp_path / name, 1, torch.device("cpu"), after(steps))

    def weights_of(name):
        return load_checkpoint(context(name, 1).checkpoint_path)[0]

    before = load_starter().state_dict()

    assert learn(context("from weights", 1), PROPAGATION, STARTER) == 1
    assert learn(context("from nothing", 1), PROPAGATION) == 1

    def moved(name):
        now = weights_of(name)
        return max(float((now[f"modules/network/{key}"] - value).abs().max()) for key, value in before.items())

    assert moved("from weights") < 0.01 < moved("from nothing")
    assert learn(context("from weights", 1), PROPAGATION, STARTER) == 2
