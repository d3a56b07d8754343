"""Training of the starter weights on random scenes; the only data are drawn by this program.

The learning rate is constant for as long as there is time, and falls to zero in a last phase, whenever that begins
(warm-up, stable, decay; Hu et al., arXiv 2404.06395). So more hours can always be added later.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from ..disk.study_layout import EVENTS_NAME, WEIGHTS_SUFFIX
from ..errors import Cancelled
from ..imaging.simulator.scenes import Scene, draw_scene
from ..study.events import EventLog
from ..training.checkpoint_header import read_metadata
from ..training.context import TrainingContext
from ..training.loop import TrainingState, load_modules, run_training
from ..training.moving_average import average_state, mean_first
from ..training.optimizers import adam_w
from ..training.precision import half_precision
from ..training.seeds import step_seed
from .inputs import network_inputs
from .network import CUBE, PromptableNetwork
from .simulated_prompts import draw_prior, draw_prompts

STAGE = "starter"
COOLING_SHARE = 0.25  # of the steps, in the last phase
_ENDLESS = 10_000_000
_AVERAGE_DECAY, _SETTLED = 0.9995, 10_000
_RATE, _DECAY = 2e-3, 1e-4
_WARM_UP = 500
_USES_APART = 37  # each scene is seen twice, so many steps apart
_SMALLEST = 12  # voxels of an organ that is asked for


def learning_context(
    folder: Path, seed: int, device: torch.device, cancelled: Callable[[], bool] | None = None
) -> TrainingContext:
    """Of the first phase of a training of the starter in a folder."""
    return TrainingContext(
        STAGE, folder / f"learning{WEIGHTS_SUFFIX}", seed, EventLog(folder / EVENTS_NAME), device, cancelled
    )


def learn_scenes(context: TrainingContext) -> int:
    """First phase: learn until the context is cancelled, resuming; returns the number of steps so far."""
    state = _state(context)
    with suppress(Cancelled):
        run_training(
            context,
            steps=_ENDLESS,
            state=state,
            step_function=_steps(context, state, settled=0),
            settings={},
            learning_rate=lambda step: _RATE * min((step + 1) / _WARM_UP, 1.0),
            save_every_seconds=120,
        )
    return int(read_metadata(context.checkpoint_path)["step"])


def cool_down(learning: TrainingContext) -> PromptableNetwork:
    """Last phase: continues after `learn_scenes` with a learning rate that falls to zero; resumes, too.

    Args:
        learning: the context of the first phase, with the wish to stop this one.

    Returns:
        The averaged network, in evaluation mode, on the CPU.

    Raises:
        Cancelled: when the context is cancelled; the same call continues.
    """
    done = int(read_metadata(learning.checkpoint_path)["step"])
    file = learning.checkpoint_path.with_name(f"cooling_{done}{WEIGHTS_SUFFIX}")
    context = replace(learning, stage=f"{STAGE}, cooling from {done}", checkpoint_path=file)
    state = _state(context)
    load_modules(learning.checkpoint_path, state.modules)
    steps = max(int(COOLING_SHARE * done), 1)
    run_training(
        context,
        steps=steps,
        state=state,
        step_function=_steps(context, state, settled=_SETTLED, first=done),
        settings={},
        learning_rate=lambda step: _RATE * min((step + 1) / _WARM_UP, 1.0) * (1 - step / steps),
        save_every_seconds=120,
    )
    average = state.modules["average"]
    assert isinstance(average, PromptableNetwork)
    return average.cpu().eval()


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
    network = PromptableNetwork()
    nn.Module.to(network, context.device, memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    average = copy.deepcopy(network).requires_grad_(False)
    optimizer = adam_w([{"params": list(network.parameters())}], _RATE, _DECAY)
    return TrainingState({"network": network, "average": average}, optimizer)


def _steps(
    context: TrainingContext, state: TrainingState, *, settled: int, first: int = 0
) -> Callable[[int, torch.Generator], dict[str, Tensor]]:
    """The training step; `first` is the number of the first new scene, `settled` is added for the average."""
    network, average, device = state.modules["network"], state.modules["average"], context.device

    def step_function(step: int, generator: torch.Generator) -> dict[str, Tensor]:
        inputs, targets = batch(context.seed, first + step)
        with half_precision(device, on_cpu=True):
            logits = network(inputs.to(device, memory_format=torch.channels_last_3d))
        entropy, dice = losses(logits.float(), targets.to(device))
        state.optimizer.zero_grad()
        (entropy + 0.5 * dice).backward()
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
