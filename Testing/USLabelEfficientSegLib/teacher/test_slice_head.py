from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from training_contexts import context_in

from USLabelEfficientSegLib.errors import Cancelled
from USLabelEfficientSegLib.imaging.normalisation import AnatomicalFrame, position_channels
from USLabelEfficientSegLib.study.setting_sections import SliceHeadSettings
from USLabelEfficientSegLib.teacher.labelled_slices import HeadSamples
from USLabelEfficientSegLib.teacher.slice_head import (
    SliceHead,
    feature_statistics,
    position_maps,
    predict_slices,
    slice_boxes,
)
from USLabelEfficientSegLib.teacher.slice_head_training import train_slice_head
from USLabelEfficientSegLib.training.cross_entropy import weighted_cross_entropy

CPU = torch.device("cpu")


def test_published_head_has_24705_parameters() -> None:
    head = SliceHead(384, organs=1, upsample=8)
    assert sum(parameter.numel() for parameter in head.parameters()) == 24_705
    assert head(torch.zeros(2, 384, 32, 32), slice_boxes(2, 2)).shape == (2, 2, 256, 256)


def test_one_organ_is_the_published_binary_cross_entropy() -> None:
    torch.manual_seed(0)
    head = SliceHead(6, organs=1, upsample=2)
    logits = head(torch.randn(3, 6, 4, 4), slice_boxes(3, 2))
    organ = torch.rand(3, 8, 8)
    weight = (torch.rand(3, 8, 8) < 0.5).float()
    loss = weighted_cross_entropy(logits, torch.stack([1 - organ, organ], dim=1), weight, torch.ones(2))
    published = F.binary_cross_entropy_with_logits(logits[:, 1][weight > 0], organ[weight > 0])
    torch.testing.assert_close(loss, published)


def test_unlabelled_pixels_give_no_gradient() -> None:
    logits = torch.randn(1, 3, 4, 4, requires_grad=True)
    weight = torch.zeros(1, 4, 4)
    weight[0, 1, 2] = 0.5
    target = torch.randn(1, 3, 4, 4).softmax(dim=1)
    weighted_cross_entropy(logits, target, weight, torch.ones(3)).backward()
    assert logits.grad is not None
    touched = logits.grad.abs().sum(dim=1)[0] > 0
    assert touched.nonzero().tolist() == [[1, 2]]


def test_class_weights_do_not_bias_the_probabilities() -> None:
    torch.manual_seed(0)
    target = F.one_hot((torch.rand(400, 4, 4) < 0.1).long(), 2).movedim(-1, 1).float()
    samples = HeadSamples(torch.ones(400, 2, 2, 2).half(), target, torch.ones(400, 4, 4), slice_boxes(400, 2))
    head = SliceHead(2, organs=1, upsample=2)
    head.class_weights.copy_(torch.tensor([0.5, 5.0]))
    optimizer = torch.optim.Adam(head.parameters(), 0.02)
    for _ in range(150):
        logits = head.balanced_logits(samples.features.float(), samples.boxes)
        loss = weighted_cross_entropy(logits, target, samples.weight, head.class_weights)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    predicted = predict_slices(head, samples.features[:1], (4, 4), slice_boxes(1, 2))
    assert float(predicted[:, 1].mean()) == pytest.approx(float(target[:, 1].mean()), abs=0.01)


def test_probabilities_are_at_the_slices_pixels_and_sum_to_one() -> None:
    head = SliceHead(5, organs=3, upsample=8)
    probabilities = predict_slices(head, torch.randn(7, 5, 2, 3).half(), (13, 21), slice_boxes(7, 2))
    assert probabilities.shape == (7, 4, 13, 21)
    torch.testing.assert_close(probabilities.sum(dim=1), torch.ones(7, 13, 21))


def test_positions_are_in_the_order_of_the_volumes_axes() -> None:
    features, frame = torch.zeros(5, 2, 4, 3), AnatomicalFrame((0.1, -0.2, 0.3), (1.1, 0.9, 1.2))
    for axis, shape in ((0, (5, 4, 3)), (1, (4, 5, 3)), (2, (4, 3, 5))):
        position = position_maps(features, slice_boxes(5, axis, frame)).movedim(0, axis + 1)
        torch.testing.assert_close(position, position_channels(shape, frame))


def test_slices_are_at_their_centres_and_cover_the_volume_across() -> None:
    boxes = slice_boxes(4, 2)
    torch.testing.assert_close(boxes[:, 2], torch.tensor([-0.75, -0.25, 0.25, 0.75])[:, None].expand(4, 2))
    torch.testing.assert_close(boxes[:, :2], torch.tensor([-1.0, 1.0]).expand(4, 2, 2))


def two_shapes() -> list[HeadSamples]:
    """Features whose first two channels tell the organ; two slice shapes."""
    generator = torch.Generator().manual_seed(0)
    samples = []
    for shape in ((4, 4), (4, 2)):
        classes = torch.randint(3, (12, *shape), generator=generator)
        features = torch.cat(
            [
                F.one_hot(classes, 3).movedim(-1, 1)[:, 1:],
                0.1 * torch.randn((12, 4, *shape), generator=generator),
            ],
            dim=1,
        )
        target = F.one_hot(classes.repeat_interleave(4, 1).repeat_interleave(4, 2), 3).movedim(-1, 1).float()
        samples.append(HeadSamples(features.half(), target, torch.ones_like(target[:, 0]), slice_boxes(12, 2)))
    return samples


def train(folder: Path, **more: Any) -> SliceHead:
    settings = SliceHeadSettings(hidden=16, steps=60, batch_size=8, learning_rate=0.02)
    return train_slice_head(two_shapes(), 4, settings, context_in(folder, "slice head", seed=3, **more))


def test_head_learns_several_organs_from_slices_of_two_shapes(tmp_path: Path) -> None:
    head = train(tmp_path)
    for part in two_shapes():
        predicted = predict_slices(head, part.features, part.target.shape[-2:], part.boxes).argmax(dim=1)
        centre = predicted[:, 2::4, 2::4] == part.target.argmax(dim=1)[:, 2::4, 2::4]
        assert float(centre.float().mean()) > 0.9


def test_interrupted_training_ends_with_the_same_weights(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    (tmp_path / "stopped").mkdir()
    expected = train(tmp_path / "whole")
    calls = iter(range(1000))
    with pytest.raises(Cancelled):
        train(tmp_path / "stopped", cancelled=lambda: next(calls) == 20)
    resumed = train(tmp_path / "stopped")
    for name, value in expected.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_head_does_not_depend_on_what_is_common_to_all_features(tmp_path: Path) -> None:
    head = train(tmp_path)
    mean, scale = feature_statistics([part.features for part in two_shapes()])
    torch.testing.assert_close(head.feature_mean, mean)
    offset_head = SliceHead(6, organs=2, upsample=4, hidden=16)
    offset_head.load_state_dict({**head.state_dict(), "feature_mean": mean + 100, "feature_scale": scale})
    features = two_shapes()[0].features.float()
    torch.testing.assert_close(
        offset_head(features + 100, slice_boxes(12, 2)), head(features, slice_boxes(12, 2)), rtol=1e-3, atol=1e-3
    )
