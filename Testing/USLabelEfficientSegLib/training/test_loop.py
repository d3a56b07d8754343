import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from training_contexts import context_in

import USLabelEfficientSegLib
from USLabelEfficientSegLib.errors import Cancelled, InputError
from USLabelEfficientSegLib.study.events import read_events
from USLabelEfficientSegLib.training import loop
from USLabelEfficientSegLib.training.checkpoint import load_checkpoint
from USLabelEfficientSegLib.training.checkpoint_header import read_metadata
from USLabelEfficientSegLib.training.loop import TrainingState, is_complete, load_modules, run_training
from USLabelEfficientSegLib.training.seeds import step_seed


def train(
    folder: Path,
    steps: int = 6,
    seed: int = 0,
    loss_at: Callable[[int], float] | None = None,
    cancelled: Callable[[], bool] | None = None,
    **more: Any,
) -> Tensor:
    """Train a linear layer and return its weight."""
    torch.manual_seed(0)
    layer = nn.Linear(3, 1)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.1)

    def step_function(step: int, generator: torch.Generator) -> dict[str, float | Tensor]:
        loss = layer(torch.randn(2, 3, generator=generator)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return {"square": loss, "given": loss_at(step) if loss_at else 1.0}

    run_training(
        context_in(folder, seed=seed, cancelled=cancelled),
        steps=steps,
        state=TrainingState({"layer": layer}, optimizer),
        step_function=step_function,
        settings=more.pop("settings", {"width": 3}),
        **more,
    )
    return layer.weight.detach()


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
def test_weights_after_kills_equal_those_of_an_uninterrupted_run(tmp_path: Path) -> None:
    root = str(Path(USLabelEfficientSegLib.__file__).parent.parent)
    result = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("killed_training.py")), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    steps = [int(line.split()[-1]) for line in result.stdout.splitlines()]
    assert len(steps) >= 5 and steps == sorted(set(steps)), "every kill found further progress"


def test_cancelled_run_is_saved_and_resumes_to_the_same_weights(tmp_path: Path) -> None:
    whole = train(tmp_path / "whole")
    calls = iter([False, False, True])
    with pytest.raises(Cancelled, match="toy stopped after step 3 of 6"):
        train(tmp_path / "cancelled", cancelled=lambda: next(calls))
    assert read_metadata(tmp_path / "cancelled" / "toy.safetensors")["step"] == 3
    assert not is_complete(tmp_path / "cancelled" / "toy.safetensors")
    assert torch.equal(train(tmp_path / "cancelled"), whole)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_training_that_goes_on_with_other_threads_says_that_its_weights_may_differ(
    tmp_path: Path, threads: int
) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with pytest.raises(Cancelled):
            train(tmp_path, cancelled=lambda: True)
        torch.set_num_threads(threads)
        train(tmp_path)
    finally:
        torch.set_num_threads(before)

    messages = [event.message for event in read_events(tmp_path / "events.jsonl") if event.message]
    told = "begun with 1 threads and continued with 2: the weights will be the same up to rounding alone"
    assert messages == ([] if threads == 1 else [told])


def test_another_seed_gives_other_weights(tmp_path: Path) -> None:
    assert not torch.equal(train(tmp_path / "a", seed=0), train(tmp_path / "b", seed=1))


def test_complete_stage_is_loaded_and_not_trained(tmp_path: Path) -> None:
    whole = train(tmp_path)

    def never(step: int) -> float:
        raise AssertionError("trained again")

    assert torch.equal(train(tmp_path, loss_at=never), whole)
    assert read_events(tmp_path / "events.jsonl")[-1].message == "already trained"
    layer = nn.Linear(3, 1)
    assert load_modules(tmp_path / "toy.safetensors", {"layer": layer})["complete"]
    assert torch.equal(layer.weight, whole)
    tensors, _ = load_checkpoint(tmp_path / "toy.safetensors")
    assert not any(name.startswith("optimizer/") for name in tensors)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 7}, r"steps \(6, now 7\).*--restart"),
        ({"seed": 5}, r"seed \(0, now 5\)"),
        ({"settings": {"width": 4}}, r"settings, width \(3, now 4\)"),
    ],
)
def test_changed_settings_are_refused_on_resume(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(Cancelled):
        train(tmp_path, cancelled=lambda: True)
    with pytest.raises(InputError, match=message):
        train(tmp_path, **changes)


def test_network_of_another_shape_is_refused(tmp_path: Path) -> None:
    train(tmp_path)
    with pytest.raises(InputError, match="no weights that fit the network 'layer'"):
        load_modules(tmp_path / "toy.safetensors", {"layer": nn.Linear(4, 1)})


def test_loss_that_is_not_finite_stops_the_run_and_is_never_saved(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="loss 'given' became nan at step 3; lower its learning rate"):
        train(tmp_path, loss_at=lambda step: float("nan") if step == 2 else 1.0, save_every_seconds=0.0)
    assert read_metadata(tmp_path / "toy.safetensors")["step"] == 2


def test_weights_that_are_not_finite_are_never_saved(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="weights 'modules/layer/weight' are no longer finite"):
        train(tmp_path, steps=1, learning_rate=lambda step: float("inf"))
    assert not (tmp_path / "toy.safetensors").exists()


def test_events_are_the_first_the_last_and_few_between(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(1000))
    monkeypatch.setattr(loop.time, "monotonic", lambda: next(clock) * 0.1)  # every step takes 0.1 s
    train(tmp_path, steps=21, loss_at=float)
    events = read_events(tmp_path / "events.jsonl")
    assert [event.step for event in events] == [1, 6, 11, 16, 21]
    assert [event.of for event in events] == [21] * 5
    assert events[1].losses["given"] == 3.0  # the mean of steps 1..5
    assert events[1].seconds_left == pytest.approx(1.5)
    assert events[-1].seconds_left == 0.0


def test_learning_rate_is_set_before_every_step(tmp_path: Path) -> None:
    asked: list[int] = []

    def rate(step: int) -> float:
        asked.append(step)
        return 0.0

    torch.manual_seed(0)
    start = nn.Linear(3, 1).weight.detach()
    assert torch.equal(train(tmp_path, learning_rate=rate), start)
    assert asked == list(range(6))


def test_seed_depends_on_seed_stage_and_step_only() -> None:
    seeds = {step_seed(seed, stage, step) for seed in (0, 1) for stage in ("a", "b") for step in (0, 1)}
    assert len(seeds) == 8
    assert step_seed(0, "a", 0) == step_seed(0, "a", 0)
    assert all(0 <= seed < 2**63 for seed in seeds)
