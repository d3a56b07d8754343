"""Training for as long as there is time: one phase at a constant learning rate, and a last one in which it falls.

(Warm-up, stable, decay; Hu et al., arXiv 2404.06395.) More hours can always be added to the first phase, and the last
one can begin whenever there is to be a result.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from ..disk.study_layout import EVENTS_NAME, WEIGHTS_SUFFIX
from ..errors import Cancelled
from ..study.events import EventLog
from .checkpoint_header import read_metadata
from .context import TrainingContext
from .loop import StepFunction, TrainingState, load_modules, run_training
from .optimizers import adam_w
from .starter_files import load_starter_weights

COOLING_SHARE = 0.25  # of the steps, in the last phase
SETTLED = 10_000  # steps that the average has already seen, in the last phase
_ENDLESS = 10_000_000
_WARM_UP = 500  # steps
_SECONDS_BETWEEN_SAVES = 120


@dataclass(frozen=True)
class Lesson:
    """What is learnt in both phases.

    Attributes:
        stage: its name in events.
        state: makes the untrained network, its average ("network", "average") and the optimizer of a context.
        steps: makes the step function of a context and a state. Further arguments: the number that the first step has
            in the whole training, and how many steps the average has already seen.
        learning_rate: of the first phase.
    """

    stage: str
    state: Callable[[TrainingContext], TrainingState]
    steps: Callable[[TrainingContext, TrainingState, int, int], StepFunction]
    learning_rate: float


def averaged(
    network: nn.Module, device: torch.device, memory_format: torch.memory_format, rate: float, decay: float
) -> TrainingState:
    """The state of an untrained network on a device, with its average and AdamW."""
    nn.Module.to(network, device, memory_format=memory_format)  # type: ignore[call-overload]
    average = copy.deepcopy(network).requires_grad_(False)
    optimizer = adam_w([{"params": list(network.parameters())}], rate, decay)
    return TrainingState({"network": network, "average": average}, optimizer)


def learning_context(
    lesson: Lesson, folder: Path, seed: int, device: torch.device, cancelled: Callable[[], bool] | None = None
) -> TrainingContext:
    """Of the first phase of a training in a folder."""
    file, events = folder / f"learning{WEIGHTS_SUFFIX}", EventLog(folder / EVENTS_NAME)
    return TrainingContext(lesson.stage, file, seed, events, device, cancelled)


def learn(context: TrainingContext, lesson: Lesson, weights: Path | None = None) -> int:
    """First phase: learn until the context is cancelled, resuming; returns the number of steps so far.

    Args:
        context: of the first phase.
        lesson: what is learnt.
        weights: starter weights to begin with, for the first call; None for none.

    Raises:
        InputError: damaged weights, or of another network.
    """
    state = lesson.state(context)
    if weights is not None:
        for module in state.modules.values():
            load_starter_weights(weights, module)
    with suppress(Cancelled):
        run_training(
            context,
            steps=_ENDLESS,
            state=state,
            step_function=lesson.steps(context, state, 0, 0),
            settings={},
            learning_rate=lambda step: lesson.learning_rate * min((step + 1) / _WARM_UP, 1.0),
            save_every_seconds=_SECONDS_BETWEEN_SAVES,
        )
    return int(read_metadata(context.checkpoint_path)["step"])


def cool_down(learning: TrainingContext, lesson: Lesson) -> nn.Module:
    """Last phase: continues after `learn` with a learning rate that falls to zero; resumes, too.

    Args:
        learning: the context of the first phase, with the wish to stop this one.
        lesson: the same as in the first phase.

    Returns:
        The averaged network, in evaluation mode, on the CPU.

    Raises:
        Cancelled: when the context is cancelled; the same call continues.
    """
    done = int(read_metadata(learning.checkpoint_path)["step"])
    file = learning.checkpoint_path.with_name(f"cooling_{done}{WEIGHTS_SUFFIX}")
    context = replace(learning, stage=f"{learning.stage}, cooling from {done}", checkpoint_path=file)
    state = lesson.state(context)
    load_modules(learning.checkpoint_path, state.modules)
    steps = max(int(COOLING_SHARE * done), 1)
    run_training(
        context,
        steps=steps,
        state=state,
        step_function=lesson.steps(context, state, done, SETTLED),
        settings={},
        learning_rate=lambda step: lesson.learning_rate * min((step + 1) / _WARM_UP, 1.0) * (1 - step / steps),
        save_every_seconds=_SECONDS_BETWEEN_SAVES,
    )
    return state.modules["average"].cpu().eval()
