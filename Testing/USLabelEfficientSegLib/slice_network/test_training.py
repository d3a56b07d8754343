import pytest
import torch
from slice_volumes import ball_slices, ball_volume, long_ball
from training_contexts import context_in

from USLabelEfficientSegLib.errors import Cancelled
from USLabelEfficientSegLib.slice_network import training
from USLabelEfficientSegLib.slice_network.prediction import predict_slices
from USLabelEfficientSegLib.slice_network.slices import slices_to_learn
from USLabelEfficientSegLib.slice_network.training import train_slice_network
from USLabelEfficientSegLib.study.setting_sections import SliceNetworkSettings


def train(folder, steps=60, *, seed=0, cancelled=None, **changes):
    settings = SliceNetworkSettings(**{"widths": (4, 8), "starter": False, "batch_size": 2, **changes})
    context = context_in(folder, "slice network 1", seed, cancelled=cancelled)
    return train_slice_network(ball_slices(), settings, context, steps=steps, flips=(True, False))


def state(network):
    return list(network.state_dict().values())


def test_one_labelled_slice_suffices_for_an_organ_that_is_plain_to_see(tmp_path):
    network = train(tmp_path)
    volume, inside = ball_volume(7)

    found = predict_slices(network, volume.grey, volume.spacing, 2, 32)[1] > 0.5

    assert 2 * float((found & inside).sum()) / float(found.sum() + inside.sum()) > 0.8


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(tmp_path):
    one, same, other = (state(train(tmp_path / name, 4, seed=seed)) for name, seed in (("a", 1), ("b", 1), ("c", 2)))

    assert all(torch.equal(a, b) for a, b in zip(one, same, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_training_that_is_stopped_resumes_to_the_same_weights(tmp_path):
    asked = iter([False, False, True])
    with pytest.raises(Cancelled):
        train(tmp_path / "stopped", 6, cancelled=lambda: next(asked))

    resumed, at_once = train(tmp_path / "stopped", 6), train(tmp_path / "at once", 6)

    assert all(torch.equal(a, b) for a, b in zip(state(resumed), state(at_once), strict=True))


def test_that_every_volume_shows_every_organ_is_learnt_once_the_average_knows_something(tmp_path):
    early = [state(train(tmp_path / f"early {presence}", 1, presence=presence)) for presence in (0.0, 0.5)]
    late = [state(train(tmp_path / f"late {presence}", 8, presence=presence)) for presence in (0.0, 0.5)]

    assert all(torch.equal(a, b) for a, b in zip(*early, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(*late, strict=True))


def test_networks_of_earlier_releases_are_told_from_others_as_then(tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(training, "run_training", lambda *_, settings, **__: told.append(settings))

    train(tmp_path, presence=0.0)
    train(tmp_path, presence=0.2)

    images = ball_slices().images.digest()
    assert "presence" not in told[0] and told[0]["images"] == images
    assert told[1]["presence"] == 0.2 and told[1]["images"] != images


def test_slices_across_teach_where_organs_end_which_slices_through_their_middle_do_not(tmp_path):
    settings = SliceNetworkSettings(widths=(4, 8), starter=False, consistency=0.0, presence=0.0)
    volume, inside = long_ball("new")
    beyond = {}
    for across in ((), (16,)):
        learnt = slices_to_learn([long_ball("a", along=(7,))[0], long_ball("b", across=across)[0]], 2, 2, 32)
        context = context_in(tmp_path / str(across), "slice network 1", 0)
        network = train_slice_network(learnt, settings, context, steps=200)
        found = predict_slices(network, volume.grey, volume.spacing, 2, 32)[1] > 0.5
        assert float(found[inside].float().mean()) > 0.8
        beyond[across] = int(found[..., :4].sum() + found[..., 12:].sum())

    assert beyond[(16,)] < beyond[()] / 4
