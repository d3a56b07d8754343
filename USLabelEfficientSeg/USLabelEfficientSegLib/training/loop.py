"""The training loop of every stage: kill it at any moment, start it again, and get the same weights.

The same bit for bit, because step number `n` depends on nothing but the state before it and random numbers
that are a function of (seed, stage, n); a checkpoint therefore needs no random state, only weights, optimizer
state and `n`.
"""

import json
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..disk.files import make_folder
from ..errors import Cancelled, InputError
from ..study.events import ALREADY_TRAINED
from .checkpoint import load_checkpoint, optimizer_tensors, restore_optimizer, save_checkpoint
from .checkpoint_header import damaged, read_metadata
from .context import TrainingContext

SECONDS_BETWEEN_EVENTS = 0.5

StepFunction = Callable[[int, torch.Generator], Mapping[str, float | Tensor]]


@dataclass(frozen=True)
class TrainingState:
    """All that training changes: modules by name (an EMA copy is one) and the optimizer of their parameters.

    Any further tensor that outlives a step (such as the centre in DINO) must be a persistent buffer of a
    module.
    """

    modules: Mapping[str, nn.Module]
    optimizer: torch.optim.Optimizer


def run_training(
    context: TrainingContext,
    *,
    steps: int,
    state: TrainingState,
    step_function: StepFunction,
    settings: Mapping[str, Any],
    learning_rate: Callable[[int], float] | None = None,
    save_every_seconds: float = 30.0,
) -> None:
    """Train for `steps` steps, resuming from the context's checkpoint, which in the end holds the stage's result.

    `step_function(step, generator)` does one whole update (forward, backward, optimizer, EMA) and returns its
    losses; it may draw from `generator` (CPU) or from the global generators of torch, numpy and Python, all
    seeded from (seed, stage, step). `learning_rate(step)`, a pure function, is set in every parameter group
    before the step. `settings` is any JSON that the result depends on. A stage that is already complete is
    only loaded. In a group each process has random numbers of its own, and the first one alone saves, tells and is
    asked to stop; for the same weights bit for bit, resume with as many processes.

    Raises `InputError` when the checkpoint is damaged or was made with other settings, and when a loss is not
    finite (such weights are never saved); `Cancelled`, after saving, when `cancelled()` says so.
    """
    stage, path, events = context.stage, context.checkpoint_path, context.events
    depends_on = {"stage": stage, "steps": steps, "seed": context.seed, "settings": {**settings, **context.identity}}
    identity = json.loads(json.dumps(depends_on))
    done = _resume(path, identity, state)
    if is_complete(path):
        events.emit(stage, steps, steps, seconds_left=0.0, message=ALREADY_TRAINED)
        return
    if done:
        _tell_of_other_threads(context, done, steps)

    meter = _Meter(stage)

    def train_step(step: int) -> None:
        generator = context.generator(step)
        _seed_everything(generator.initial_seed())
        _set_learning_rate(state.optimizer, learning_rate, step)
        meter.add(step_function(step, generator))

    if context.group.rank > 0:
        for step in range(done, steps):
            train_step(step)
        return

    started = last_event = last_save = time.monotonic()
    for step in range(done, steps - 1):
        train_step(step)
        now = time.monotonic()
        if step == done or now - last_event >= SECONDS_BETWEEN_EVENTS:
            seconds_left = (now - started) / (step + 1 - done) * (steps - step - 1)
            events.emit(stage, step + 1, steps, seconds_left=seconds_left, losses=meter.take(step))
            last_event = now
        stop = context.cancelled is not None and context.cancelled()
        if stop or now - last_save >= save_every_seconds:
            meter.check(step)
            _save(path, identity, state, step + 1)
            last_save = time.monotonic()
        if stop:
            raise Cancelled(f"{stage} stopped after step {step + 1} of {steps}; the same command continues it")

    train_step(steps - 1)
    losses = meter.take(steps - 1)
    _save(path, identity, state, steps)
    events.emit(stage, steps, steps, seconds_left=0.0, losses=losses)


def _set_learning_rate(
    optimizer: torch.optim.Optimizer, learning_rate: Callable[[int], float] | None, step: int
) -> None:
    if learning_rate is not None:
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step)


def is_complete(checkpoint_path: Path) -> bool:
    """Whether a stage's checkpoint exists and holds its final weights."""
    return checkpoint_path.exists() and bool(read_metadata(checkpoint_path).get("complete"))


def load_modules(checkpoint_path: Path, modules: Mapping[str, nn.Module]) -> dict[str, Any]:
    """Load modules by name from a stage's checkpoint and return its metadata; modules left out are skipped.

    Raises `InputError` when the file is damaged or holds weights of another shape.
    """
    tensors, metadata = load_checkpoint(checkpoint_path)
    _load_modules(checkpoint_path, tensors, modules)
    return metadata


def _seed_everything(value: int) -> None:
    random.seed(value)
    np.random.seed(value % 2**32)
    torch.manual_seed(value)


class _Meter:
    """Mean losses since the last event, kept on their device: reading them each step would stall a GPU."""

    def __init__(self, stage: str) -> None:
        self._stage = stage
        self._sums: dict[str, tuple[float | Tensor, int]] = {}

    def add(self, losses: Mapping[str, float | Tensor]) -> None:
        for name, value in losses.items():
            total, count = self._sums.get(name, (0.0, 0))
            self._sums[name] = (total + (value.detach() if isinstance(value, Tensor) else value), count + 1)

    def check(self, step: int) -> dict[str, float]:
        means = {name: float(total) / count for name, (total, count) in self._sums.items()}
        for name, mean in means.items():
            if not np.isfinite(mean):
                raise _diverged(self._stage, f"its loss '{name}' became {mean} at step {step + 1}")
        return means

    def take(self, step: int) -> dict[str, float]:
        means = self.check(step)
        self._sums = {}
        return means


def _diverged(stage: str, problem: str) -> InputError:
    return InputError(
        f"stage {stage}",
        problem,
        "lower its learning rate and train it again with --restart",
        in_panel="lower its learning rate in the expert settings, and train it anew with another preset",
    )


def _save(path: Path, identity: Mapping[str, Any], state: TrainingState, step: int) -> None:
    tensors = {
        f"modules/{name}/{key}": tensor
        for name, module in state.modules.items()
        for key, tensor in module.state_dict().items()
    }
    for key, tensor in tensors.items():
        if not bool(torch.isfinite(tensor).all()):
            raise _diverged(identity["stage"], f"its weights '{key}' are no longer finite at step {step}")
    complete = step == identity["steps"]
    if not complete:  # the finished stage is only read from, its optimizer would double or triple the file
        tensors |= {f"optimizer/{key}": tensor for key, tensor in optimizer_tensors(state.optimizer).items()}
    threads = torch.get_num_threads()
    make_folder(path.parent)
    save_checkpoint(path, tensors, {**identity, "step": step, "complete": complete, "threads": threads})


def _tell_of_other_threads(context: TrainingContext, done: int, steps: int) -> None:
    """Sums over voxels that several threads share are rounded otherwise than those of one."""
    before, now = read_metadata(context.checkpoint_path).get("threads"), torch.get_num_threads()
    if before is not None and before != now:
        told = f"begun with {before} threads and continued with {now}"
        message = f"{told}: the weights will be the same up to rounding alone"
        context.events.emit(context.stage, done, steps, message=message)


def _resume(path: Path, identity: Mapping[str, Any], state: TrainingState) -> int:
    """Load the checkpoint, if there is one, and return the number of steps that are done."""
    if not path.exists():
        return 0
    tensors, metadata = load_checkpoint(path)
    for key, value in identity.items():
        if metadata.get(key) != value:
            raise InputError(
                path,
                f"was trained with other {_difference(key, metadata.get(key), value)}",
                "use --restart to train it anew",
                in_panel="train it anew with another preset",
            )
    _load_modules(path, tensors, state.modules)
    optimizer = {
        key.removeprefix("optimizer/"): value for key, value in tensors.items() if key.startswith("optimizer/")
    }
    step = metadata.get("step")
    if type(step) is not int or not 0 <= step <= identity["steps"]:
        raise damaged(path)
    try:
        if optimizer:
            restore_optimizer(state.optimizer, optimizer)
    except (ValueError, IndexError, KeyError, RuntimeError, TypeError) as error:
        raise damaged(path) from error
    return step


def _difference(key: str, old: Any, new: Any) -> str:
    if isinstance(old, dict) and isinstance(new, dict):
        name = next(name for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name))
        return f"{key}, {_difference(name, old.get(name), new.get(name))}"
    return f"{key} ({json.dumps(old)}, now {json.dumps(new)})"


def _load_modules(path: Path, tensors: Mapping[str, Tensor], modules: Mapping[str, nn.Module]) -> None:
    for name, module in modules.items():
        prefix = f"modules/{name}/"
        found = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
        expected = {key: value.shape for key, value in module.state_dict().items()}
        if {key: value.shape for key, value in found.items()} != expected:
            raise InputError(
                path,
                f"holds no weights that fit the network '{name}'",
                "use --restart to train it anew",
                in_panel="train it anew with another preset",
            )
        module.load_state_dict(found)
