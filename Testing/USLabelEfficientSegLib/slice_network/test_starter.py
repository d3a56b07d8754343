"""The starter weights of the 2-D network: what they learnt from, what they know, and how a network starts from them."""

import numpy as np
import pytest
import torch

from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.simulator.scenes import draw_scene
from USLabelEfficientSegLib.slice_network import starter_training
from USLabelEfficientSegLib.slice_network.fine_volume import slice_grey
from USLabelEfficientSegLib.slice_network.network import SliceUNet
from USLabelEfficientSegLib.slice_network.prediction import network_grey
from USLabelEfficientSegLib.slice_network.starter import STARTER, load_starter, start_from
from USLabelEfficientSegLib.slice_network.starter_training import OUTPUTS, batch, losses
from USLabelEfficientSegLib.study.settings import Settings, changed, parse_settings, preset
from USLabelEfficientSegLib.training.checkpoint import load_checkpoint


@pytest.fixture
def small_scenes(monkeypatch):
    monkeypatch.setattr(starter_training, "SCENE_SIZE", 32)
    starter_training._scene.cache_clear()
    yield
    starter_training._scene.cache_clear()


def test_the_weights_are_small_finite_and_say_how_they_were_made():
    tensors, metadata = load_checkpoint(STARTER)

    assert STARTER.stat().st_size < 4e6
    assert {"steps", "seed", "trained on"} <= metadata["starter"].keys()
    assert all(bool(torch.isfinite(tensor.float()).all()) for tensor in tensors.values())


def test_the_starter_sees_bodies_in_scenes_that_it_has_not_learnt_from():
    """Better than a guess by grey value: the best threshold of the image, from either side."""
    scores, guesses = [], []
    for seed in range(12):
        scene = draw_scene(np.random.default_rng(10_000 + seed), 64)
        middle = torch.from_numpy(scene.image)[:, :, 32]
        grey = slice_grey(middle[..., None], (middle > 0)[..., None])[..., 0]
        body = scene.bodies[:, :, 32] > 0
        if not 0.05 < body.mean() < 0.95:
            continue
        with torch.inference_mode():
            said = load_starter()(network_grey(grey)[None, None])[0, OUTPUTS.index("body")].numpy()
        scores.append(_ranked(said, body))
        guesses.append(max(_ranked(middle.numpy(), body), _ranked(-middle.numpy(), body)))

    assert len(scores) >= 6
    assert np.mean(scores) > np.mean(guesses) > 0.5


def test_a_network_starts_with_all_that_the_starter_knows_but_the_last_convolution():
    torch.manual_seed(0)
    network = SliceUNet(3)
    last = network.logits.weight.clone()
    start_from(load_starter(), network)

    known = load_starter().state_dict()
    assert torch.equal(network.logits.weight, last)
    assert all(torch.equal(t, known[name]) for name, t in network.state_dict().items() if not name.startswith("logits"))
    with torch.no_grad():
        network.halved.weight.zero_()  # the starter itself is kept
    assert bool(load_starter().halved.weight.any())


def test_a_batch_is_a_function_of_seed_and_step_alone(small_scenes):
    images, targets = batch(0, 3)
    starter_training._scene.cache_clear()

    assert torch.equal(batch(0, 3)[0], images)
    assert not torch.equal(batch(0, 4)[0][..., :96, :96], images[..., :96, :96])
    assert images.shape[1] == 1 and targets.shape[1] == len(OUTPUTS) and images.shape[2:] == targets.shape[2:]
    assert float(targets[:, 1:].min()) >= 0 and float(targets[:, 1:].max()) <= 1


def test_losses_are_zero_for_the_truth():
    targets = torch.zeros(2, 3, 8, 8)
    targets[:, 0] = 0.7
    targets[:, 1:, :4] = 1
    said = torch.cat([targets[:, :1], 60 * (2 * targets[:, 1:] - 1)], dim=1)

    assert all(float(loss) == pytest.approx(0, abs=1e-6) for loss in losses(said, targets).values())
    assert all(float(loss) > 0.2 for loss in losses(-said, targets).values())


def test_outlines_lie_between_bodies_and_around_them():
    bodies = np.zeros((6, 6), np.uint8)
    bodies[2:4, 2:4] = 1
    bodies[2:4, 4:] = 2

    assert np.array_equal(
        np.argwhere(starter_training._outlines(bodies)).tolist(),
        [[2, 2], [2, 3], [2, 4], [2, 5], [3, 2], [3, 4], [4, 2], [4, 3], [4, 4], [4, 5]],
    )


def test_other_widths_need_to_do_without_the_starter():
    with pytest.raises(InputError, match=r"starter weights have the widths \(16, 32, 64, 128\)"):
        changed(preset("quick"), {"slice_network.widths": (8, 16)})
    settings = changed(preset("quick"), {"slice_network.widths": (8, 16), "slice_network.starter": False})

    assert settings.slice_network.widths == (8, 16)


def test_trainings_that_began_before_there_were_starter_weights_go_on_without():
    record = changed(preset("quick"), {"slice_network.starter": False}).model_dump(mode="json")

    assert "starter" not in record["slice_network"]
    assert not parse_settings("run", record).slice_network.starter
    assert parse_settings("run", Settings().model_dump(mode="json")).slice_network.starter


def _ranked(values, body):
    """Probability that a pixel of a body has a higher value than one of its surroundings (area under the ROC curve)."""
    order = np.argsort(np.argsort(values.ravel())) + 1
    inside = body.ravel()
    count = inside.sum()
    return (order[inside].sum() - count * (count + 1) / 2) / (count * (inside.size - count))
