"""Gradients of convolution weights, computed beside the backward pass by a second thread.

From layer to layer the backward pass needs only the gradients of inputs. The gradients of weights, half of its work,
are needed first by the optimizer. One thread computes each gradient, so the numbers are those of one thread, bit for
bit, on any processor. The second thread sleeps while there is nothing to do: beside another program a step takes hardly
longer than with one thread, while OpenMP's threads, which wait for each other by spinning, would stand still.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

Convolution = nn.Conv3d | nn.ConvTranspose3d


class WeightGradients:
    """Takes the gradients of weights out of the backward pass; to be finished before anybody looks at them."""

    def __init__(self, thread: ThreadPoolExecutor) -> None:
        self._thread = thread
        self._waiting: deque[Callable[[], None]] = deque()
        self._started: list[Future[bool]] = []

    def convolve(self, layer: Convolution, volume: Tensor, *, in_onednn: bool) -> Tensor:
        """What `layer` makes of a volume (B, C, I, J, K); computed in oneDNN's layout if asked."""
        result = _Convolution.apply(volume, layer.weight, layer.bias, self, layer, in_onednn)
        assert isinstance(result, Tensor)
        return result

    def put(self, work: Callable[[], None]) -> None:
        """Have something done until `finish`."""
        self._waiting.append(work)
        self._started.append(self._thread.submit(self._do_next))

    def finish(self) -> None:
        """Do what is left, wait for what the other thread is at, and raise what went wrong there."""
        while self._do_next():
            pass
        started, self._started = self._started, []
        for each in started:
            each.result()

    def _do_next(self) -> bool:
        try:
            work = self._waiting.popleft()
        except IndexError:
            return False
        work()
        return True


@contextmanager
def weight_gradients_beside(
    network: nn.Module, layers: Sequence[type], thread: ThreadPoolExecutor | None
) -> Iterator[WeightGradients | None]:
    """Within, the `layers` of a network, which have an attribute `beside`, leave the gradients of their weights to it.

    None, and a backward pass that computes them as ever, where there is no second thread or no network on the CPU.
    """
    if thread is None or any(parameter.device.type != "cpu" for parameter in network.parameters()):
        yield None
        return
    gradients = WeightGradients(thread)
    chosen = [module for module in network.modules() if type(module) in layers]
    for module in chosen:
        module.beside = gradients  # type: ignore[assignment]
    try:
        yield gradients
    finally:
        for module in chosen:
            del module.beside


class _Convolution(torch.autograd.Function):
    """A convolution whose backward pass gives the gradient of its input alone."""

    @staticmethod
    def forward(
        context: Any,
        volume: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        gradients: WeightGradients,
        layer: Convolution,
        in_onednn: bool,
    ) -> Tensor:
        transposed = isinstance(layer, nn.ConvTranspose3d)
        shape = (layer.stride, layer.padding, layer.dilation, transposed, layer.output_padding, layer.groups)
        given = volume.to_mkldnn() if in_onednn else volume
        context.kept = gradients, layer, given, shape, in_onednn
        result = torch.ops.aten.convolution(given, weight, bias, *shape)
        return result.to_dense() if in_onednn else result

    @staticmethod
    def backward(context: Any, *outputs: Tensor) -> tuple[Tensor | None, None, None, None, None, None]:
        gradients, layer, volume, shape, in_onednn = context.kept
        gradient = outputs[0].to_mkldnn() if in_onednn else outputs[0]
        biases = None if layer.bias is None else list(layer.bias.shape)

        def of(which: tuple[bool, bool, bool]) -> list[Tensor | None]:
            made = torch.ops.aten.convolution_backward(gradient, volume, layer.weight, biases, *shape, which)
            return [each.to_dense() if each is not None and each.is_mkldnn else each for each in made]

        def of_weights() -> None:
            with torch.no_grad():
                _, weight, bias = of((False, True, biases is not None))
                _accumulate(layer.weight, weight)
                _accumulate(layer.bias, bias)

        gradients.put(of_weights)
        of_input = of((True, False, False))[0] if context.needs_input_grad[0] else None
        return of_input, None, None, None, None, None


def _accumulate(parameter: nn.Parameter | None, gradient: Tensor | None) -> None:
    if parameter is not None and gradient is not None:
        parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient
