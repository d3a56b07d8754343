import pytest
import torch
from slice_volumes import ball_slices, long_ball

from USLabelEfficientSegLib.slice_network import batches
from USLabelEfficientSegLib.slice_network.batches import draw_batch
from USLabelEfficientSegLib.slice_network.slices import slices_to_learn
from USLabelEfficientSegLib.study.setting_sections import SliceNetworkSettings


def test_unlabelled_slices_are_drawn_only_once_the_average_knows_something():
    settings, generator = SliceNetworkSettings(batch_size=3), torch.Generator()

    early, late = (draw_batch(ball_slices(), settings, (False, False), later, generator) for later in (False, True))

    assert (len(early.labelled.images), len(early.others)) == (3, 0)
    assert len(late.others) == len(late.grids) == len(late.disturbed) == 3


@pytest.fixture
def undisturbed(monkeypatch):
    monkeypatch.setattr(batches, "random_intensity", lambda image, generator: image)


def test_what_a_pose_shows_beyond_the_slice_is_neutral_background(undisturbed):
    settings = SliceNetworkSettings(batch_size=8, scale=0, stretch=0, deformation=0, shift=0.5)
    batch = draw_batch(ball_slices(), settings, (False, False), False, torch.Generator().manual_seed(1)).labelled

    assert torch.allclose(batch.weight, torch.ones_like(batch.weight), atol=1e-4)
    assert torch.allclose(batch.target.sum(dim=1), batch.weight, atol=1e-4)
    beyond = batch.images[:, 0].abs() < 1e-3
    assert float(beyond.float().mean()) > 0.1
    assert float(batch.target[:, 0][beyond].mean()) > 0.98


def test_mirror_images_are_drawn_only_where_they_are_plausible(undisturbed):
    """A column that is bright at one end stays on its side unless rows may be mirrored."""
    still = SliceNetworkSettings(batch_size=16, rotation_degrees=0, scale=0, stretch=0, shift=0, deformation=0)
    shown = ball_slices()
    shown.images.grey[:] = 0
    shown.images.grey[:, :, :8] = 255
    draws = torch.Generator().manual_seed(0)

    fixed, mirrored = (
        draw_batch(shown, still, flips, False, draws).labelled.images[:, 0, 0, 5] > 3
        for flips in ((False, True), (True, False))
    )

    assert bool(fixed.all())
    assert 0 < int(mirrored.sum()) < 16


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
    assert draw_batch(ball_slices(), SliceNetworkSettings(), (False, False), True, torch.Generator()).crossed is None
