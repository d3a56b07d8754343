"""What the promptable network learns from random scenes; the only data are drawn by this program."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from ..imaging.simulator.scenes import Scene, draw_scene
from ..training.context import TrainingContext
from ..training.loop import TrainingState
from ..training.moving_average import average_state, mean_first
from ..training.phases import Lesson, averaged
from ..training.precision import half_precision
from ..training.seeds import step_seed
from .inputs import network_inputs
from .network import CUBE, PromptableNetwork
from .simulated_prompts import draw_prior, draw_prompts

STAGE = "starter"
_AVERAGE_DECAY = 0.9995
_RATE, _DECAY = 2e-3, 1e-4
_USES_APART = 37  # each scene is seen twice, so many steps apart
_DICE = 0.25  # weight of the Dice loss: with more, what is uncertain is drawn too large
_SMALLEST = 12  # voxels of an organ that is asked for


def losses(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Cross entropy, and soft Dice loss averaged over the cubes, of (B, 1, N, N, N)."""
    entropy = F.binary_cross_entropy_with_logits(logits, targets)
    probability, axes = torch.sigmoid(logits), (1, 2, 3, 4)
    overlap = 2 * (probability * targets).sum(axes) + 1
    dice = 1 - overlap / (probability.sum(axes) + targets.sum(axes) + 1)
    return entropy, dice.mean()


def batch(seed: int, step: int) -> tuple[Tensor, Tensor]:
    """Inputs (2, 5, N, N, N) and targets (2, 1, N, N, N): a new scene, and one from some steps ago."""
    rng = np.random.default_rng(step_seed(seed, f"{STAGE} prompts", step))
    samples = [_sample(rng, _scene(seed, number)) for number in (step, max(step - _USES_APART, 0))]
    return torch.stack([inputs for inputs, _ in samples]), torch.stack([target for _, target in samples])


def _state(context: TrainingContext) -> TrainingState:
    torch.manual_seed(context.seed)
    return averaged(PromptableNetwork(), context.device, torch.channels_last_3d, _RATE, _DECAY)


def _steps(
    context: TrainingContext, state: TrainingState, first: int, settled: int
) -> Callable[[int, torch.Generator], dict[str, Tensor]]:
    """The training step; `first` is the number of the first new scene, `settled` is added for the average."""
    network, average, device = state.modules["network"], state.modules["average"], context.device

    def step_function(step: int, generator: torch.Generator) -> dict[str, Tensor]:
        inputs, targets = batch(context.seed, first + step)
        with half_precision(device, on_cpu=True):
            logits = network(inputs.to(device, memory_format=torch.channels_last_3d))
        entropy, dice = losses(logits.float(), targets.to(device))
        state.optimizer.zero_grad()
        (entropy + _DICE * dice).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        state.optimizer.step()
        average_state(average, network, mean_first(settled + step, _AVERAGE_DECAY))
        return {"cross entropy": entropy.detach(), "soft Dice": dice.detach()}

    return step_function


@lru_cache(maxsize=_USES_APART + 2)
def _scene(seed: int, number: int) -> Scene:
    attempt = 0
    while True:
        scene = draw_scene(np.random.default_rng(step_seed(seed, f"{STAGE} scene {attempt}", number)), CUBE)
        if _askable(scene.bodies):
            return scene
        attempt += 1


def _askable(bodies: NDArray[np.uint8]) -> list[int]:
    counts = np.bincount(bodies.ravel())
    return [number for number in range(1, len(counts)) if counts[number] >= _SMALLEST]


def _sample(rng: np.random.Generator, scene: Scene) -> tuple[Tensor, Tensor]:
    """One organ of a scene, seen from a random side, with prompts and perhaps an opinion."""
    organ_number = rng.choice(_askable(scene.bodies))
    turn = rng.permutation(3)
    mirrored = tuple(int(axis) for axis in np.flatnonzero(rng.random(3) < 0.5))
    image = np.flip(scene.image.transpose(turn), mirrored)
    organ = np.flip((scene.bodies == organ_number).transpose(turn), mirrored)
    has_prior = bool(rng.random() < 0.45)
    prior = draw_prior(rng, organ) if has_prior else None
    prompts = draw_prompts(rng, organ, has_prior=has_prior)
    return network_inputs(image, prompts, prior), torch.from_numpy(organ[None].astype(np.float32))


LESSON = Lesson(STAGE, _state, _steps, _RATE)
