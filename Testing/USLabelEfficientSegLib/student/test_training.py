from contextlib import nullcontext

import numpy as np
import pytest
import torch
from training_contexts import context_in

from USLabelEfficientSegLib.anatomy.kept import InMemory
from USLabelEfficientSegLib.anatomy.targets import SoftTarget
from USLabelEfficientSegLib.anatomy.training_volumes import Proposal, TrainingVolume
from USLabelEfficientSegLib.errors import Cancelled, InputError
from USLabelEfficientSegLib.imaging.normalisation import position_channels
from USLabelEfficientSegLib.student import training
from USLabelEfficientSegLib.student.augmentation import PoseRange
from USLabelEfficientSegLib.student.build import StudentDesign
from USLabelEfficientSegLib.student.training import draw_sample, poses_of_cells, train_student
from USLabelEfficientSegLib.study.events import read_events
from USLabelEfficientSegLib.study.setting_sections import StudentSettings

SHAPE = (16, 14, 12)
STILL = PoseRange(rotation=0, scale=0, shift=0, deformation=0)


def ball_volume(seed=0, shape=SHAPE, features=False):
    """A bright ball in noise, labelled in its middle slice only; returns the volume and the true mask."""
    rng = torch.Generator().manual_seed(seed)
    centre = torch.tensor(shape) / 2 + 2 * torch.rand(3, generator=rng) - 1
    axes = torch.meshgrid(*[torch.arange(n) + 0.5 for n in shape], indexing="ij")
    mask = sum((axis - c) ** 2 for axis, c in zip(axes, centre, strict=True)) < (min(shape) / 3) ** 2
    grey = mask * 2.0 - 1 + 0.2 * torch.randn(shape, generator=rng)
    weight = torch.zeros(shape)
    weight[:, :, shape[2] // 2] = 1
    classes = torch.stack([~mask, mask]).float()
    volume = TrainingVolume.of(
        name=f"ball {seed}",
        spacing=(1.0, 1.0, 1.0),
        grey=(grey / 4 + 0.5).clamp(0, 1),
        image=torch.stack([grey, grey]).half(),
        sector=torch.ones(shape, dtype=torch.bool),
        labels=SoftTarget(classes * weight, weight),
    )
    maps = np.random.default_rng(seed).normal(size=(shape[2], 6, 4, 4)).astype(np.float16) if features else None
    proposal = InMemory(Proposal(classes, torch.full(shape, 0.5)))
    return volume.taught(proposal, None if maps is None else InMemory(maps)), mask


def train(folder, volumes, *, cancelled=None, seed=0, identity="data", **changes):
    settings = StudentSettings(
        **{"widths": (4, 8, 8), "window": 16, "steps": 8, "batch_size": 1, "correlation_slices": 3, **changes}
    )
    design = StudentDesign(network="u-net", classes=2, spacing=(1.0, 1.0, 1.0), slice_axis=2, widths=settings.widths)
    return train_student(
        volumes,
        design,
        settings,
        context_in(folder, "student 1.1", seed, cancelled=cancelled, identity={"run": identity}),
        mirrored_axes=(0,),
    )


def test_the_loss_falls_and_the_student_finds_an_organ_that_is_plain_to_see(tmp_path):
    volumes, masks = zip(*[ball_volume(seed) for seed in range(3)], strict=True)

    easy = {"correlation_weight": 0.0, "learning_rate": 1e-2, "scale": 0.05, "deformation": 0.02}
    student = train(tmp_path, volumes, steps=160, **easy)

    losses = [event.losses for event in read_events(tmp_path / "events.jsonl")]
    assert losses[-1]["labels"] < 0.5 * losses[0]["labels"]
    assert not student.training and not any(p.requires_grad for p in student.parameters())
    with torch.no_grad():
        found = student(volumes[0].inputs[None])[0].argmax(dim=0).bool()
    overlap = 2 * float((found & masks[0]).sum()) / float(found.sum() + masks[0].sum())
    assert overlap > 0.75


def test_a_stopped_and_resumed_training_gives_the_same_weights_bit_for_bit(tmp_path):
    volumes = [ball_volume(seed, features=True)[0] for seed in range(2)]
    expected = train(tmp_path / "whole", volumes).state_dict()

    for stop_after in (1, 3, 2):
        asked = iter(range(100))
        with pytest.raises(Cancelled):
            train(tmp_path / "stopped", volumes, cancelled=lambda asked=asked, n=stop_after: next(asked) == n - 1)
    resumed = train(tmp_path / "stopped", volumes).state_dict()

    assert [event.step for event in read_events(tmp_path / "stopped" / "events.jsonl")][-1] == 8
    assert expected.keys() == resumed.keys()
    for name, weights in expected.items():
        assert torch.equal(weights, resumed[name]), name


@pytest.mark.parametrize("batch_size", [1, 2])
def test_a_second_thread_changes_no_weight(tmp_path, monkeypatch, batch_size):
    volumes = [ball_volume(seed, features=True)[0] for seed in range(2)]
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        two = train(tmp_path / "two", volumes, batch_size=batch_size).state_dict()
        monkeypatch.setattr(training, "second_thread", nullcontext)
        one = train(tmp_path / "one", volumes, batch_size=batch_size).state_dict()
    finally:
        torch.set_num_threads(before)

    assert all(torch.equal(weights, one[name]) for name, weights in two.items())


def test_another_seed_gives_another_student(tmp_path):
    volumes = [ball_volume()[0]]
    first, second = (train(tmp_path / str(seed), volumes, seed=seed, steps=1).state_dict() for seed in (0, 1))

    assert any(not torch.equal(first[name], second[name]) for name in first)


def test_a_student_of_other_data_is_not_continued(tmp_path):
    train(tmp_path, [ball_volume()[0]], steps=1)

    with pytest.raises(InputError, match="run"):
        train(tmp_path, [ball_volume()[0]], steps=1, identity="other data")


def test_what_was_drawn_before_does_not_matter(tmp_path):
    weights = []
    for folder in ("a", "b"):
        torch.rand(3)
        weights.append(train(tmp_path / folder, [ball_volume()[0]], steps=1).state_dict()["up.1.conv.unit0.conv.bias"])

    assert torch.equal(*weights)


def test_an_unlabelled_volume_with_nothing_but_its_outside_in_view_stops_nothing(tmp_path):
    """Windows may fall outside the sector, where no pseudo-label counts."""
    labelled, _ = ball_volume()
    outside = torch.zeros(SHAPE, dtype=torch.bool)
    dark = TrainingVolume.of("dark", (1.0, 1.0, 1.0), torch.zeros(SHAPE), torch.zeros(2, *SHAPE).half(), outside, None)
    empty = dark.taught(InMemory(Proposal(torch.ones(2, *SHAPE) / 2, torch.ones(SHAPE))), None)

    train(tmp_path, [labelled, empty], steps=6, correlation_weight=0.0)

    assert read_events(tmp_path / "events.jsonl")[-1].step == 6


def test_labels_and_correlation_weigh_as_the_settings_say(tmp_path):
    volumes = [ball_volume(features=True)[0]]

    def weights(name, **changes):
        return train(tmp_path / name, volumes, steps=2, **changes).state_dict()["down.conv.unit0.conv.weight"]

    both = weights("both", correlation_weight=0.1, pseudo_label_weight=1.0)
    assert not torch.equal(both, weights("no correlation", correlation_weight=0.0, pseudo_label_weight=1.0))
    assert not torch.equal(both, weights("no pseudo-labels", correlation_weight=0.1, pseudo_label_weight=0.0))


@pytest.mark.parametrize("seed", range(4))
def test_image_and_targets_of_a_sample_move_together_while_position_stays(seed):
    volume, mask = ball_volume()
    clear = TrainingVolume.of(
        "clear", (1.0, 1.0, 1.0), volume.grey, 4 * torch.stack([mask, mask]).half(), volume.sector, None
    ).taught(InMemory(Proposal(torch.stack([~mask, mask]).float(), torch.ones(SHAPE))), None)
    pose = PoseRange(rotation=0.4, scale=0.2, shift=0.1, deformation=0.05, mirrored_axes=(0, 1, 2))

    sample = draw_sample(clear, pose, 64, torch.Generator().manual_seed(seed))

    weighted, _ = sample.targets["pseudo-labels"]
    image, organ = sample.inputs[0, 0].flatten(), weighted[0, 1].flatten()
    assert float(torch.corrcoef(torch.stack([image, organ]))[0, 1]) > 0.8  # gain, bias and noise differ
    torch.testing.assert_close(sample.inputs[0, 2:], position_channels(SHAPE))


def test_a_sample_of_a_large_volume_is_a_window_of_it_that_holds_a_labelled_voxel():
    shape, places = (40, 36, 30), set()
    volume, _ = ball_volume(shape=shape)
    for seed in range(10):
        sample = draw_sample(volume, STILL, 16, torch.Generator().manual_seed(seed))
        position = sample.inputs[0, 2:]
        first = (position[:, 0, 0, 0] + 1) * torch.tensor(shape) / 2 - 0.5  # the index of the window's first voxel
        i, j, k = first.round().int().tolist()
        window = slice(i, i + 16), slice(j, j + 16), slice(k, k + 16)

        assert sample.inputs.shape == (1, 5, 16, 16, 16)
        assert torch.equal(position, position_channels(shape)[:, *window])
        assert float(sample.targets["labels"][1].max()) > 0.9
        pseudo = sample.targets["pseudo-labels"][1][0]
        torch.testing.assert_close(pseudo, volume.pseudo.weight[window], atol=1e-3, rtol=0)
        places.add((i, j, k))
    assert len(places) > 5


@pytest.mark.parametrize(
    ("shape", "cells", "sides"),
    [
        ((16, 16, 16), (4, 4, 4), (4, 4, 4)),
        ((47, 63, 44), (12, 16, 12), (4, 4, 4)),
        ((9, 6, 3), (6, 3, 3), (2, 2, 1)),
        ((24, 5, 3), (12, 4, 4), (2, 2, 2)),  # thinner than the coarsest cells: more cells than it needs
    ],
)
def test_the_teacher_is_read_at_the_centres_of_the_students_feature_cells(shape, cells, sides):
    """Also where the student has padded the volume to whole cells; the last cells are the volume's edge then."""
    still = torch.nn.functional.affine_grid(torch.eye(3, 4)[None], [1, 1, *shape], align_corners=False)

    poses = poses_of_cells(still, cells, sides)[0].flip(-1)

    for axis, (n, count, side) in enumerate(zip(shape, cells, sides, strict=True)):
        centres = (torch.arange(count) + 0.5) * side  # in voxels from the corner
        whole = centres + side / 2 <= n
        found = (poses.select(2, 0).select(1, 0)[:, 0], poses[0, :, 0, 1], poses[0, 0, :, 2])[axis]
        torch.testing.assert_close((found[whole] + 1) * n / 2, centres[whole])
        assert float(found.max()) <= 1
