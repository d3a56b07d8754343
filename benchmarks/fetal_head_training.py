"""The methods of `fetal_head.py`, IDL's UNeXt and a U-Net on the labels, and the wall-clock that they get."""

from __future__ import annotations

import copy
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from monai.networks.nets import UNet
from torch import Tensor, nn

from USLabelEfficientSegLib.divergence.averaging import update_average
from USLabelEfficientSegLib.divergence.images import TrainingImages, network_input
from USLabelEfficientSegLib.divergence.losses import supervised_loss
from USLabelEfficientSegLib.divergence.training import (
    AVERAGE_DECAY,
    GRADIENT_NORM,
    draw_batch,
    make_optimizer,
    set_learning_rates,
    train_pair,
)
from USLabelEfficientSegLib.study.events import EventLog
from USLabelEfficientSegLib.study.loop import TrainingState, run_training
from USLabelEfficientSegLib.study.settings import DivergenceSettings

CALIBRATION_STEPS = 8
UNET_LEARNING_RATE = 1e-3

Train = Callable[[TrainingImages, DivergenceSettings, Path, int, torch.device], nn.Module]


def train_unext(
    images: TrainingImages, settings: DivergenceSettings, folder: Path, seed: int, device: torch.device
) -> nn.Module:
    """IDL: both networks are trained, UNeXt is kept."""
    pair = train_pair(
        images,
        settings,
        checkpoint_path=folder / "pair.safetensors",
        seed=seed,
        events=EventLog(folder / "events.jsonl"),
        device=device,
    )
    return pair.unext


def train_unet(
    images: TrainingImages, settings: DivergenceSettings, folder: Path, seed: int, device: torch.device
) -> nn.Module:
    """The rival: MONAI's residual U-Net on the labelled images alone, everything else alike."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = UNet(2, 3, images.classes, channels=(16, 32, 64, 128, 256), strides=(2, 2, 2, 2), num_res_units=2)
    padded = PaddedToWholeCells(network, 16).to(device, memory_format=torch.channels_last)
    average = copy.deepcopy(padded).eval().requires_grad_(False)
    optimizer = make_optimizer({padded: UNET_LEARNING_RATE}, settings)

    def step_function(step: int, generator: torch.Generator) -> dict[str, Tensor]:
        set_learning_rates(optimizer, step, settings)
        batch = draw_batch(images, settings, 0, generator).to(device)
        loss = supervised_loss(padded(network_input(batch.strong)), batch.target, batch.weight)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(padded.parameters(), GRADIENT_NORM)
        optimizer.step()
        update_average(average, padded, step, AVERAGE_DECAY)
        return {"loss": loss}

    run_training(
        stage="u-net",
        steps=settings.steps,
        state=TrainingState({"network": padded, "average": average}, optimizer),
        step_function=step_function,
        checkpoint_path=folder / "unet.safetensors",
        seed=seed,
        events=EventLog(folder / "events.jsonl"),
        settings={**settings.model_dump(mode="json"), "images": images.digest()},
    )
    return average


class PaddedToWholeCells(nn.Module):
    """Pads images to multiples of `side`, as a network with pooling wants, and crops its output."""

    def __init__(self, network: nn.Module, side: int) -> None:
        super().__init__()
        self.network = network
        self.side = side

    def forward(self, images: Tensor) -> Tensor:
        """Logits of the size of the images."""
        height, width = images.shape[2:]
        padded = nn.functional.pad(images, (0, -width % self.side, 0, -height % self.side))
        return self.network(padded)[:, :, :height, :width]


def train_for(
    seconds: float, train: Train, images: TrainingImages, settings: DivergenceSettings, seed: int, device: torch.device
) -> tuple[nn.Module, int, float]:
    """Train with as many steps as fit into the wall-clock, by the measured time of a few: network, steps, seconds."""
    with tempfile.TemporaryDirectory() as temporary:

        def timed(name: str, steps: int) -> tuple[nn.Module, float]:
            started = time.monotonic()
            # Every term from the first step on, or the first steps would be too fast to judge by.
            early = {"interpolation_start": 0.0} if name != "run" else {}
            chosen = settings.model_copy(update={"steps": steps, **early})
            return train(images, chosen, Path(temporary) / name, seed, device), time.monotonic() - started

        timed("warm-up", 2)
        start = timed("start", 2)[1]
        step_seconds = (timed("calibration", 2 + CALIBRATION_STEPS)[1] - start) / CALIBRATION_STEPS
        steps = max(1, round((seconds - start) / step_seconds))
        network, taken = timed("run", steps)
        return network, steps, taken
