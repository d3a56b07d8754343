import pytest
import torch

from USLabelEfficientSegLib.student.published import PublishedStudent


def parameters(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_has_as_many_parameters_as_published() -> None:
    assert parameters(PublishedStudent()) == 2_261_345
    assert parameters(PublishedStudent(feature_head=True)) == 2_557_025


def test_several_organs_only_widen_the_last_layer() -> None:
    assert parameters(PublishedStudent(outputs=4)) - parameters(PublishedStudent()) == 3 * (64 * 9 + 1)


def test_output_and_features_have_the_stated_shapes() -> None:
    network = PublishedStudent(outputs=3, feature_head=True).eval()
    volume = torch.randn(2, 1, 5, 32, 48)
    with torch.no_grad():
        logits, features = network.forward_with_features(volume)
        assert torch.equal(network(volume), logits)
    assert logits.shape == (2, 3, 5, 32, 48)
    assert features.shape == (2, 384, 5, 4, 6)


def test_a_slice_sees_three_neighbours_on_each_side() -> None:
    network = PublishedStudent()
    volume = torch.randn(1, 1, 11, 32, 32, requires_grad=True)
    network(volume)[:, :, 5].sum().backward()
    assert volume.grad is not None
    seen = volume.grad.abs().amax(dim=(0, 1, 3, 4)) > 0
    assert seen.nonzero().flatten().tolist() == list(range(2, 9))


def test_all_parameters_learn() -> None:
    network = PublishedStudent(feature_head=True)
    logits, features = network.forward_with_features(torch.randn(1, 1, 4, 16, 16))
    (logits.square().mean() + features.square().mean()).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_refuses_unusable_requests() -> None:
    with pytest.raises(ValueError, match="multiples of 8"):
        PublishedStudent()(torch.zeros(1, 1, 2, 20, 16))
    with pytest.raises(ValueError, match="feature head"):
        PublishedStudent().forward_with_features(torch.zeros(1, 1, 2, 16, 16))
