"""A second thread computes the gradients of weights: the same numbers as the backward pass alone, bit for bit."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from USLabelEfficientSegLib.student.build import StudentDesign, build_student
from USLabelEfficientSegLib.student.convolution import with_weight_gradients_beside
from USLabelEfficientSegLib.training.threads import DrawnAhead, second_thread

DESIGN = StudentDesign(network="u-net", classes=3, spacing=(1.0, 1.0, 1.0), slice_axis=2, widths=(8, 16, 16))


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def volumes(count: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(1, 5, 20, 18, 16, generator=generator) for _ in range(count)]


def loss_of(network: Any, volume: Tensor) -> Tensor:
    torch.manual_seed(1)  # of dropout
    logits, features = network.forward_with_features(volume)
    return logits.square().mean() + features.abs().mean()


def gradients_of(network: nn.Module) -> dict[str, Tensor | None]:
    return {name: parameter.grad for name, parameter in network.named_parameters()}


@pytest.mark.parametrize("count", [1, 2], ids=["one volume", "two volumes, added up"])
@pytest.mark.parametrize("name", ["u-net", "published"])
def test_gradients_are_those_of_the_backward_pass_bit_for_bit(name: str, count: int) -> None:
    torch.manual_seed(0)
    expected = build_student(DESIGN.model_copy(update={"network": name}))
    network = copy.deepcopy(expected)
    for volume in volumes(count):
        loss_of(expected, volume).backward()
    with second_thread() as thread, with_weight_gradients_beside(network, thread) as beside:
        assert beside is not None
        for volume in volumes(count):
            loss_of(network, volume).backward()
            beside.finish()

    found = gradients_of(network)
    assert sum(gradient is not None for gradient in found.values()) > 10
    for key, gradient in gradients_of(expected).items():
        other = found[key]
        assert (gradient is None) == (other is None), key
        assert gradient is None or (other is not None and torch.equal(gradient, other)), key


def test_outside_the_backward_pass_computes_them_again() -> None:
    network = build_student(DESIGN)
    with second_thread() as thread, with_weight_gradients_beside(network, thread):
        pass

    loss_of(network, volumes(1)[0]).backward()

    assert network.get_parameter("down.conv.unit0.conv.weight").grad is not None
    assert copy.deepcopy(network) is not network  # nothing of a thread is left in it


def test_what_goes_wrong_in_the_other_thread_is_raised_where_gradients_are_needed() -> None:
    network = build_student(DESIGN)

    def fail() -> None:
        raise RuntimeError("not enough memory")

    with second_thread() as thread, with_weight_gradients_beside(network, thread) as beside:
        assert beside is not None
        beside.put(fail)
        with pytest.raises(RuntimeError, match="not enough memory"):
            beside.finish()
        beside.finish()


def test_where_torch_has_several_threads_there_is_no_other() -> None:
    torch.set_num_threads(2)
    network = build_student(DESIGN)

    with second_thread() as thread, with_weight_gradients_beside(network, thread) as beside:
        assert thread is None and beside is None
        loss_of(network, volumes(1)[0]).backward()

    assert network.get_parameter("down.conv.unit0.conv.weight").grad is not None


def test_samples_drawn_ahead_are_those_of_their_steps() -> None:
    drawn: list[int] = []

    def draw(step: int) -> int:
        drawn.append(step)
        return 10 * step

    with second_thread() as thread:
        ahead = DrawnAhead(draw, 5, thread)
        assert [ahead.take(step) for step in (2, 3, 4)] == [20, 30, 40]
    assert drawn == [2, 3, 4]  # none twice, none too many

    alone = DrawnAhead(draw, 5, None)
    assert [alone.take(step) for step in (0, 1)] == [0, 10]
