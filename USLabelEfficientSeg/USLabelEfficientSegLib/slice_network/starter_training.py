"""What the 2-D network learns before it sees a study: to look through the speckle of random scenes.

From a slice of a scene it tells how strongly the tissue scatters, where some body is, and where the outlines of bodies
run. None of these is an organ of a study; but who knows them learns an organ from fewer slices (docs/experiments.md).
The scenes are drawn by this program, nobody's data are in the weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from ..imaging.simulator.scenes import draw_scene
from ..student.augmentation import random_intensity
from ..training.context import TrainingContext
from ..training.loop import TrainingState
from ..training.moving_average import average_state, mean_first
from ..training.phases import Lesson, averaged
from ..training.precision import half_precision
from ..training.seeds import step_seed
from .network import SliceUNet

STAGE = "slice starter"
OUTPUTS = ("echo", "body", "outline")
SCENE_SIZE = 96  # voxels an axis
_CANVASES = (96, 112, 128)  # sides of the slices of a step, in pixels
_BATCH = 6
_NEW_SCENE_EVERY = 8  # steps: a scene takes as long as two steps
_APART = 5  # of these, between two slices' scenes in a step: neighbouring steps have little in common
_RATE, _DECAY = 3e-3, 1e-2
_AVERAGE_DECAY = 0.999
_LEAST_ZOOM, _MOST_ZOOM = 0.7, 1.6
_BLACK_OUTSIDE = 0.2  # share of slices that are black, not neutral, outside the sector


@dataclass(frozen=True)
class StoredScene:
    """A scene in bytes.

    Attributes:
        image: (N, N, N) grey values, 0 to 255.
        bodies: (N, N, N), see `Scene`.
        echo: (N, N, N) of the tissue, in thirty-seconds of its standard deviation around 128.
    """

    image: NDArray[np.uint8]
    bodies: NDArray[np.uint8]
    echo: NDArray[np.uint8]


def batch(seed: int, step: int) -> tuple[Tensor, Tensor]:
    """Images (B, 1, S, S) as a network reads them and targets (B, 3, S, S), see `OUTPUTS`, of a step."""
    rng = np.random.default_rng(step_seed(seed, f"{STAGE} slices", step))
    generator = torch.Generator().manual_seed(step_seed(seed, f"{STAGE} intensities", step))
    side = int(rng.choice(_CANVASES))
    numbers = [step // _NEW_SCENE_EVERY + _APART * row for row in range(_BATCH)]
    slices = torch.cat([_slice(rng, _scene(seed, number), side) for number in numbers])
    images = [random_intensity(one[None, :1, ..., None], generator)[..., 0] for one in slices]
    return torch.cat(images), slices[:, 1:]


def losses(said: Tensor, targets: Tensor) -> dict[str, Tensor]:
    """Of outputs (B, 3, S, S): smooth L1 for the echo, cross entropy for bodies and outlines."""
    return {
        "echo": F.smooth_l1_loss(said[:, 0], targets[:, 0]),
        "body": F.binary_cross_entropy_with_logits(said[:, 1], targets[:, 1]),
        "outline": F.binary_cross_entropy_with_logits(said[:, 2], targets[:, 2]),
    }


def _state(context: TrainingContext) -> TrainingState:
    torch.manual_seed(context.seed)
    return averaged(SliceUNet(len(OUTPUTS)), context.device, torch.channels_last, _RATE, _DECAY)


def _steps(
    context: TrainingContext, state: TrainingState, first: int, settled: int
) -> Callable[[int, torch.Generator], dict[str, Tensor]]:
    network, average, device = state.modules["network"], state.modules["average"], context.device

    def step_function(step: int, generator: torch.Generator) -> dict[str, Tensor]:
        images, targets = batch(context.seed, first + step)
        with half_precision(device, on_cpu=True):
            said = network(images.to(device, memory_format=torch.channels_last))
        parts = losses(said.float(), targets.to(device))
        state.optimizer.zero_grad()
        torch.stack(list(parts.values())).sum().backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        state.optimizer.step()
        average_state(average, network, mean_first(settled + step, _AVERAGE_DECAY))
        return {name: part.detach() for name, part in parts.items()}

    return step_function


LESSON = Lesson(STAGE, _state, _steps, _RATE)


@lru_cache(maxsize=_APART * _BATCH + 2)
def _scene(seed: int, number: int) -> StoredScene:
    scene = draw_scene(np.random.default_rng(step_seed(seed, f"{STAGE} scene", number)), SCENE_SIZE)
    echo = (scene.echo - scene.echo.mean()) / max(float(scene.echo.std()), 1e-3)
    return StoredScene(
        np.round(255 * scene.image).astype(np.uint8), scene.bodies, np.clip(32 * echo + 128, 0, 255).astype(np.uint8)
    )


def _slice(rng: np.random.Generator, scene: StoredScene, side: int) -> Tensor:
    """A slice of a scene from a random side, magnified: (1, 4, S, S), its image and its targets."""
    axis, index = int(rng.integers(3)), int(rng.integers(SCENE_SIZE))
    grey, bodies, echo = np.moveaxis(np.stack([scene.image, scene.bodies, scene.echo]), 1 + axis, 1)[:, index]
    sector = grey > 0
    seen = grey[sector] if sector.any() else grey
    z = (grey - seen.mean()) / max(float(seen.std()), 1.0)
    if rng.random() >= _BLACK_OUTSIDE:
        z = z * sector
    layers = np.stack([z, (echo.astype(np.float32) - 128) / 32, bodies > 0, _outlines(bodies)]).astype(np.float32)
    mirrored = tuple(1 + int(way) for way in np.flatnonzero(rng.random(2) < 0.5))
    layers = np.flip(layers, mirrored)
    if rng.random() < 0.5:
        layers = layers.transpose(0, 2, 1)
    zoom = np.exp(rng.uniform(np.log(_LEAST_ZOOM), np.log(_MOST_ZOOM)))
    shown = min(SCENE_SIZE, round(SCENE_SIZE / zoom))
    row, column = rng.integers(0, SCENE_SIZE - shown + 1, 2)
    crop = torch.from_numpy(layers[None, :, row : row + shown, column : column + shown].copy())
    return F.interpolate(crop, (side, side), mode="bilinear", align_corners=False)


def _outlines(bodies: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where the body is another one than in the pixel before, along either axis."""
    outline = np.zeros(bodies.shape, bool)
    outline[1:] |= bodies[1:] != bodies[:-1]
    outline[:, 1:] |= bodies[:, 1:] != bodies[:, :-1]
    return outline
