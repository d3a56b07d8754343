"""Training in two phases: hours can be added, and a stopped one goes on to the same weights."""

import pytest
import torch

from USLabelEfficientSegLib.prompting.starter_training import LESSON as PROPAGATION
from USLabelEfficientSegLib.slice_network import starter_training
from USLabelEfficientSegLib.slice_network.starter_training import LESSON as SLICES
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
