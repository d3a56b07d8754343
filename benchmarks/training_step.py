"""Milliseconds of one training step of the 3-D networks on a CPU, as torch would do it and as it is done here.

    python benchmarks/training_step.py --threads 1,2

Forward and backward pass of one random volume on the grid of the preset, with torch's own convolutions and with the
fast ones, and the step of AdamW, parameter by parameter and in one call. Both kinds are timed in turn, several times,
and the medians are printed. The results of both must agree.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from collections.abc import Callable, Sequence

import torch
import training_options
from torch import Tensor, nn

from USLabelEfficientSegLib.benchmark.peers.networks import VolumeUNet
from USLabelEfficientSegLib.imaging.normalisation import IMAGE_CHANNELS, POSITION_CHANNELS
from USLabelEfficientSegLib.student.build import StudentDesign, build_student
from USLabelEfficientSegLib.student.convolution import FastConv3d, FastConvTranspose3d
from USLabelEfficientSegLib.study.settings import preset
from USLabelEfficientSegLib.training.optimizers import adam_w

CLASSES = 2
ROUNDS, STEPS_A_ROUND = 7, 3
RATE = 1e-5  # of AdamW: small, so that the weights stay sensible


def plain(network: nn.Module) -> nn.Module:
    """A copy with torch's own convolutions."""
    own = {FastConv3d: nn.Conv3d, FastConvTranspose3d: nn.ConvTranspose3d}
    network = copy.deepcopy(network)
    for module in network.modules():
        module.__class__ = own.get(type(module), type(module))
    return network


def step_milliseconds(step: Callable[[], object]) -> float:
    """Mean over a few steps."""
    started = time.perf_counter()
    for _ in range(STEPS_A_ROUND):
        step()
    return 1000 * (time.perf_counter() - started) / STEPS_A_ROUND


def training_step(network: nn.Module, volume: Tensor) -> Callable[[], None]:
    """Forward and backward pass."""

    def step() -> None:
        network.zero_grad()
        network(volume).square().mean().backward()

    return step


def medians(pair: Sequence[Callable[[], object]]) -> list[float]:
    """Median milliseconds of each of several steps that are timed in turn; the first round warms up."""
    times = [[step_milliseconds(step) for step in pair] for _ in range(ROUNDS)]
    return [statistics.median(column) for column in zip(*times[1:], strict=True)]


def optimizer_step(network: nn.Module, *, in_one_call: bool) -> Callable[[], object]:
    """A step of AdamW on the gradients that the network has."""
    parameters = [parameter for parameter in network.parameters() if parameter.grad is not None]
    if in_one_call:
        return adam_w([{"params": parameters}], RATE, 0.0).step
    return torch.optim.AdamW(parameters, RATE, weight_decay=0.0).step


def run(arguments: argparse.Namespace) -> None:
    """Time every network at every number of threads."""
    settings = preset(arguments.preset)
    side = settings.working_grid.max_voxels
    volume = torch.randn(1, IMAGE_CHANNELS + POSITION_CHANNELS, side, side, side)
    design = StudentDesign(
        network=settings.student.network,
        classes=CLASSES,
        spacing=(1.0, 1.0, 1.0),
        slice_axis=2,
        widths=settings.student.widths,
    )
    networks = {"student": build_student(design), "U-Net of the rivals": VolumeUNet(CLASSES)}
    for name, fast in networks.items():
        slow = plain(fast)
        with torch.inference_mode():
            torch.testing.assert_close(fast(volume), slow(volume), rtol=1e-3, atol=1e-3)
        for threads in arguments.threads:
            torch.set_num_threads(threads)
            own, ours = medians([training_step(network, volume) for network in (slow, fast)])
            loop, call = medians([optimizer_step(fast, in_one_call=way) for way in (False, True)])
            print(
                f"{name}, {side} voxels an axis, {threads} threads: {own:.0f} ms with torch's convolutions, "
                f"{ours:.0f} ms with the fast ones, {own / ours:.1f} times as fast; AdamW {loop:.1f} ms, in one call "
                f"{call:.1f} ms",
                flush=True,
            )


def command_line() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--threads", type=training_options.list_of(int), default=[1, 2])
    return parser


if __name__ == "__main__":
    training_options.main(command_line(), run)
