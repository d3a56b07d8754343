"""The methods of `fetal_head.py`, IDL's UNeXt and networks on the labels alone, and the wall-clock that they get."""

from __future__ import annotations

import copy
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from monai.networks.nets import UNet
from torch import Tensor, nn

from USLabelEfficientSegLib.divergence.batches import draw_batch
from USLabelEfficientSegLib.divergence.images import TrainingImages, network_input
from USLabelEfficientSegLib.divergence.losses import supervised_loss
from USLabelEfficientSegLib.divergence.rounds import RoundPosition
from USLabelEfficientSegLib.divergence.training import (
    AVERAGE_DECAY,
    GRADIENT_NORM,
    make_optimizer,
    set_learning_rates,
    train_pair,
)
from USLabelEfficientSegLib.divergence.unext import UNeXt
from USLabelEfficientSegLib.study.events import EventLog
from USLabelEfficientSegLib.study.setting_sections import DivergenceSettings
from USLabelEfficientSegLib.training.context import TrainingContext
from USLabelEfficientSegLib.training.loop import TrainingState, run_training
from USLabelEfficientSegLib.training.moving_average import average_state, mean_first
from USLabelEfficientSegLib.training.precision import half_precision

CALIBRATION_STEPS = 18
CLASSES = 2
# of the networks that learn from the labels alone, whatever the settings say
UNET_LEARNING_RATE = 4e-3
UNEXT_LEARNING_RATE = 4e-3
LOW_COST = " on low-cost probes"

Train = Callable[[TrainingImages, DivergenceSettings, Path, int, torch.device], nn.Module]


@dataclass(frozen=True)
class Arm:
    """One method of the table.

    Attributes:
        train: gives the trained network.
        network: makes the same network untrained.
        changes: of the settings, by name.
        low_cost: train also on degraded copies of the images.
    """

    train: Train
    network: Callable[[], nn.Module]
    changes: Mapping[str, object] = field(default_factory=dict)
    low_cost: bool = False


def make_unext() -> nn.Module:
    """The network that is deployed."""
    return UNeXt(CLASSES)


def make_unet() -> nn.Module:
    """The rival: MONAI's residual U-Net."""
    network = UNet(2, 3, CLASSES, channels=(16, 32, 64, 128, 256), strides=(2, 2, 2, 2), num_res_units=2)
    return PaddedToWholeCells(network, 16)


def train_unext(
    images: TrainingImages, settings: DivergenceSettings, folder: Path, seed: int, device: torch.device
) -> nn.Module:
    """IDL: UNeXt and its partner are trained, UNeXt is kept."""
    context = TrainingContext(
        "divergence", folder / "pair.safetensors", seed, EventLog(folder / "events.jsonl"), device
    )
    return train_pair(images, settings, context).unext


def train_on_labels(make_network: Callable[[], nn.Module]) -> Train:
    """Training of one network on the labelled images alone, everything else as in IDL."""

    def train(
        images: TrainingImages, settings: DivergenceSettings, folder: Path, seed: int, device: torch.device
    ) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = make_network()
        network = network.to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        average = copy.deepcopy(network).eval().requires_grad_(False)
        optimizer = make_optimizer({network: settings.learning_rate}, settings)
        images_a_step = settings.labelled_images + settings.unlabelled_images

        def step_function(step: int, generator: torch.Generator) -> dict[str, Tensor]:
            set_learning_rates(optimizer, RoundPosition(1, step, settings.steps), settings)
            batch = draw_batch(images, settings, (images_a_step, 0), generator).to(device)
            with half_precision(device, on_cpu=True):
                logits = network(network_input(batch.strong))
            loss = supervised_loss(logits.float(), batch.target, batch.weight)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), GRADIENT_NORM)
            optimizer.step()
            average_state(average, network, mean_first(step, AVERAGE_DECAY))
            return {"loss": loss}

        run_training(
            TrainingContext("labels", folder / "network.safetensors", seed, EventLog(folder / "events.jsonl"), device),
            steps=settings.steps,
            state=TrainingState({"network": network, "average": average}, optimizer),
            step_function=step_function,
            settings={**settings.model_dump(mode="json"), "images": images.digest()},
        )
        return average

    return train


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


_ON_CLEAN_IMAGES = {
    "information divergence": Arm(train_unext, make_unext),
    "labelled u-net": Arm(train_on_labels(make_unet), make_unet, {"divergence.learning_rate": UNET_LEARNING_RATE}),
    "labelled unext": Arm(train_on_labels(make_unext), make_unext, {"divergence.learning_rate": UNEXT_LEARNING_RATE}),
}
METHODS = _ON_CLEAN_IMAGES | {name + LOW_COST: replace(arm, low_cost=True) for name, arm in _ON_CLEAN_IMAGES.items()}
_SWITCHED_OFF: dict[str, dict[str, object]] = {
    "all terms": {},
    "no cross supervision": {"divergence.cross_supervision": 0},
    "no information divergence": {"divergence.information_divergence": 0},
    "no interpolation": {"divergence.interpolation": 0},
    "no strong views": {"divergence.strong_views": False},
    "one round": {"divergence.rounds": 1},
    "Swin-Unet as partner": {"divergence.partner": "swin-unet"},
    "labels alone": {
        "divergence.cross_supervision": 0,
        "divergence.information_divergence": 0,
        "divergence.interpolation": 0,
    },
}
#: rows of the ablation table
ABLATIONS = {name: Arm(train_unext, make_unext, off) for name, off in _SWITCHED_OFF.items()}


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
