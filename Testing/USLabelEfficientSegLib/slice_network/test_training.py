import pytest
import torch
from training_contexts import context_in

from USLabelEfficientSegLib.anatomy.targets import SoftTarget
from USLabelEfficientSegLib.errors import Cancelled
from USLabelEfficientSegLib.slice_network import training
from USLabelEfficientSegLib.slice_network.fine_volume import NEUTRAL, FineVolume
from USLabelEfficientSegLib.slice_network.prediction import predict_slices
from USLabelEfficientSegLib.slice_network.slices import slices_to_learn
from USLabelEfficientSegLib.slice_network.training import draw_batch, train_slice_network
from USLabelEfficientSegLib.study.setting_sections import SliceNetworkSettings

SHAPE = (32, 32, 6)


def ball_volume(seed, labelled=()):
    """A bright ball anywhere in noise, and where it is."""
    draws = torch.Generator().manual_seed(seed)
    centre = torch.rand(2, generator=draws) * 14 + 9
    rows, columns = (torch.arange(n) + 0.5 for n in SHAPE[:2])
    inside = ((rows[:, None] - centre[0]) ** 2 + (columns[None] - centre[1]) ** 2 < 36)[..., None].expand(SHAPE)
    grey = (NEUTRAL + 0.4 * inside + 0.05 * torch.randn(SHAPE, generator=draws)).clamp(0, 1)
    weight = torch.zeros(SHAPE)
    weight[..., list(labelled)] = 1
    classes = torch.stack([~inside, inside]).float()
    target = SoftTarget(classes * weight, weight) if labelled else None
    return FineVolume(f"ball {seed}", (1.0, 1.0, 1.0), grey, torch.ones(SHAPE, dtype=torch.bool), target), inside


def slices():
    return slices_to_learn([ball_volume(0, (2,))[0], ball_volume(1)[0]], 2, 2, 32)


def train(folder, steps=60, *, seed=0, cancelled=None, **changes):
    settings = SliceNetworkSettings(**{"widths": (4, 8), "starter": False, "batch_size": 2, **changes})
    context = context_in(folder, "slice network 1", seed, cancelled=cancelled)
    return train_slice_network(slices(), settings, context, steps=steps, flips=(True, False))


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


def test_unlabelled_slices_are_drawn_only_once_the_average_knows_something():
    settings, generator = SliceNetworkSettings(batch_size=3), torch.Generator()

    early, late = (draw_batch(slices(), settings, (False, False), later, generator) for later in (False, True))

    assert (len(early.labelled.images), len(early.others)) == (3, 0)
    assert len(late.others) == len(late.grids) == len(late.disturbed) == 3


@pytest.fixture
def undisturbed(monkeypatch):
    monkeypatch.setattr(training, "random_intensity", lambda image, generator: image)


def test_what_a_pose_shows_beyond_the_slice_is_neutral_background(undisturbed):
    settings = SliceNetworkSettings(batch_size=8, scale=0, stretch=0, deformation=0, shift=0.5)
    batch = draw_batch(slices(), settings, (False, False), False, torch.Generator().manual_seed(1)).labelled

    assert torch.allclose(batch.weight, torch.ones_like(batch.weight), atol=1e-4)
    assert torch.allclose(batch.target.sum(dim=1), batch.weight, atol=1e-4)
    beyond = batch.images[:, 0].abs() < 1e-3
    assert float(beyond.float().mean()) > 0.1
    assert float(batch.target[:, 0][beyond].mean()) > 0.98


def test_mirror_images_are_drawn_only_where_they_are_plausible(undisturbed):
    """A column that is bright at one end stays on its side unless rows may be mirrored."""
    still = SliceNetworkSettings(batch_size=16, rotation_degrees=0, scale=0, stretch=0, shift=0, deformation=0)
    shown = slices()
    shown.images.grey[:] = 0
    shown.images.grey[:, :, :8] = 255
    draws = torch.Generator().manual_seed(0)

    fixed, mirrored = (
        draw_batch(shown, still, flips, False, draws).labelled.images[:, 0, 0, 5] > 3
        for flips in ((False, True), (True, False))
    )

    assert bool(fixed.all())
    assert 0 < int(mirrored.sum()) < 16


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

    images = slices().images.digest()
    assert "presence" not in told[0] and told[0]["images"] == images
    assert told[1]["presence"] == 0.2 and told[1]["images"] != images


DEEP = (32, 32, 16)
SHOWN = slice(4, 12)  # the organ; beyond it lies something that looks nearly the same


def long_ball(name, *, along=(), across=(), organ=SHOWN):
    """A bright rod through a whole volume, a little dimmer where it is no organ; slices labelled along k and across."""
    draws = torch.Generator().manual_seed(len(name))
    rows, columns = (torch.arange(n) + 0.5 for n in DEEP[:2])
    rod = ((rows[:, None] - 16) ** 2 + (columns[None] - 16) ** 2 < 36)[..., None].expand(DEEP)
    inside = torch.zeros(DEEP, dtype=torch.bool)
    inside[..., organ] = rod[..., organ]
    grey = (NEUTRAL + 0.15 * rod + 0.25 * inside + 0.03 * torch.randn(DEEP, generator=draws)).clamp(0, 1)
    weight = torch.zeros(DEEP)
    weight[..., list(along)] = 1
    weight[list(across)] = 1
    target = SoftTarget(torch.stack([~inside, inside]).float() * weight, weight)
    return FineVolume(name, (1.0, 1.0, 1.0), grey, torch.ones(DEEP, dtype=torch.bool), target), inside


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


def test_of_slices_across_only_the_line_counts(undisturbed):
    settings = SliceNetworkSettings(batch_size=4, rotation_degrees=0, scale=0, stretch=0, shift=0, deformation=0)
    learnt = slices_to_learn([long_ball("a", along=(7,))[0], long_ball("b", across=(16,))[0]], 2, 2, 32)

    lines = draw_batch(learnt, settings, (False, False), True, torch.Generator().manual_seed(0)).crossed

    assert lines is not None
    assert len(lines.images) == 2
    assert torch.all(lines.weight.sum(dim=2).argmax(dim=1) == 16)
    assert lines.weight.sum(dim=(1, 2)).tolist() == pytest.approx([32, 32])
    assert torch.allclose(lines.target.sum(dim=1), lines.weight, atol=1e-5)


def test_without_slices_across_batches_are_drawn_as_ever():
    assert draw_batch(slices(), SliceNetworkSettings(), (False, False), True, torch.Generator()).crossed is None
