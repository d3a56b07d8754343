"""Fast convolutions give what torch gives, and never take torch's slow way."""

import copy

import pytest
import torch
from torch import Tensor, nn

from USLabelEfficientSegLib.benchmark.peers.networks import VolumeUNet
from USLabelEfficientSegLib.student.build import StudentDesign, build_student
from USLabelEfficientSegLib.student.convolution import ONEDNN, with_fast_convolutions

LAYERS = {
    "3x3x3": nn.Conv3d(6, 8, 3, padding=1),
    "strided": nn.Conv3d(6, 8, 3, stride=2, padding=1, bias=False),
    "in slices": nn.Conv3d(6, 8, (1, 3, 3), padding=(0, 1, 1)),
    "dilated": nn.Conv3d(6, 8, 3, padding=(1, 2, 2), dilation=(1, 2, 2)),
    "single voxels": nn.Conv3d(6, 8, 1),
    "transposed": nn.ConvTranspose3d(6, 8, 3, stride=2, padding=1, output_padding=1),
}
DESIGN = StudentDesign(network="u-net", classes=2, spacing=(1.0, 1.0, 1.0), slice_axis=2, widths=(16, 32, 64))
needs_onednn = pytest.mark.skipif(not ONEDNN, reason="no oneDNN, or not measured on this processor")


def result_and_gradients(layer: nn.Module, volume: Tensor) -> list[Tensor]:
    volume = volume.clone().requires_grad_(True)
    result = layer(volume)
    return [result, *torch.autograd.grad(result.square().sum(), [volume, *layer.parameters()])]


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("shape", [(1, 6, 12, 11, 9), (2, 6, 12, 11, 9), (1, 6, 60, 60, 4)])
def test_results_and_gradients_are_those_of_torch(name: str, shape: tuple[int, ...]) -> None:
    volume = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    fast = with_fast_convolutions(copy.deepcopy(LAYERS[name]))
    expected = result_and_gradients(LAYERS[name], volume)
    for ours, torchs in zip(result_and_gradients(fast, volume), expected, strict=True):
        torch.testing.assert_close(ours, torchs, rtol=1e-4, atol=1e-4 * float(torchs.detach().abs().max()))


def test_weights_keep_names_and_values() -> None:
    network = nn.Sequential(nn.Conv3d(1, 2, 3), nn.ReLU(), nn.ConvTranspose3d(2, 1, 3))
    before = copy.deepcopy(network.state_dict())
    assert with_fast_convolutions(network) is network
    assert list(network.state_dict()) == list(before)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_a_copy_stays_fast() -> None:
    layer = with_fast_convolutions(nn.Conv3d(1, 2, 3))
    assert type(copy.deepcopy(layer)) is type(layer) is not nn.Conv3d


def test_the_result_can_be_used_without_gradients() -> None:
    layer = LAYERS["3x3x3"]
    volume = torch.randn(1, 6, 12, 11, 9)
    with torch.inference_mode():
        torch.testing.assert_close(with_fast_convolutions(copy.deepcopy(layer))(volume), layer(volume))


def slow_kernels(network: nn.Module, volume: Tensor) -> set[tuple[int, ...]]:
    """Sizes of the kernels that torch applies without oneDNN, single voxels aside, for which that is the faster way."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], record_shapes=True) as profile:
        network(volume).square().mean().backward()
    events = [event for event in profile.events() if "slow_conv" in event.name]
    return {tuple(event.input_shapes[1][2:]) for event in events} - {(1, 1, 1)}


@needs_onednn
@pytest.mark.parametrize("network", [build_student(DESIGN), VolumeUNet(2)], ids=["student", "rival"])
def test_no_convolution_of_a_small_volume_is_slow(network: nn.Module) -> None:
    assert not slow_kernels(network, torch.randn(1, 5, 16, 16, 16))


@needs_onednn
def test_torch_alone_would_be_slow() -> None:
    assert slow_kernels(nn.Conv3d(5, 16, 3, padding=1), torch.randn(1, 5, 16, 16, 16)) == {(3, 3, 3)}
