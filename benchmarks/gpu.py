"""What a graphics card, or several, make of trainings and predictions, measured in ten minutes.

    python benchmarks/gpu.py --output DIR                        # all NVIDIA cards that are there
    python benchmarks/gpu.py --output DIR --device cpu --tiny    # a trial of the script itself, in a minute or two

In this order, each part in its share of the time: the device and its memory; training of `quick` and `standard` on
a simulated study, seconds a stage; predictions of a volume of 256 x 256 x 256; seconds a step of the teacher on one
device and on all, and whether a training that was stopped and continued has the weights of one that was not. A part
that runs out of time tells how far it came, one that fails tells why, and the others go on. DIR gets `gpu.json` and
the table `gpu.md`, which grow while it runs.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
import training_options
from kill_and_resume import SMALL
from whole_volume import random_model, speckled_volume

from USLabelEfficientSegLib import __version__
from USLabelEfficientSegLib.disk.files import atomic_write_json, atomic_write_text, make_folder
from USLabelEfficientSegLib.disk.study_layout import TEACHER_NAME
from USLabelEfficientSegLib.errors import Cancelled, InputError
from USLabelEfficientSegLib.imaging.simulator.files import simulate_files
from USLabelEfficientSegLib.pipeline import train
from USLabelEfficientSegLib.segmentation.model import choose_device
from USLabelEfficientSegLib.study.events import Event
from USLabelEfficientSegLib.study.settings import Settings, changed, preset
from USLabelEfficientSegLib.study.stages import Stage
from USLabelEfficientSegLib.study.study import Study
from USLabelEfficientSegLib.training.checkpoint import load_checkpoint

PRESETS = ("quick", "standard")
SHARES = {"quick": 0.3, "standard": 0.35, "prediction": 0.1, "devices": 0.25}  # of the time
ROUNDS = 5  # predictions after one that warms up
TEACHER_STEPS = 400
Rows = list[tuple[str, str]]


@dataclass(frozen=True)
class Plan:
    """What is measured: where, with how many devices, for how long, and whether only the script is tried."""

    device: torch.device
    devices: int
    seconds: float
    tiny: bool
    folder: Path

    def settings(self, name: str, **more: Any) -> Settings:
        """A preset, or a tiny training in its place."""
        return changed(preset(name), {**(SMALL if self.tiny else {}), **more})

    def limit(self, part: str) -> Callable[[], bool]:
        """Whether the time of a part that begins now is over."""
        end = time.monotonic() + SHARES[part] * self.seconds
        return lambda: time.monotonic() > end


def device_facts(plan: Plan) -> dict[str, Any]:
    """What computes, and whether it computes rightly: a product of matrices beside the CPU's."""
    facts: dict[str, Any] = {
        "version": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "processors": os.cpu_count(),
        "device": str(plan.device),
        "devices": plan.devices,
    }
    if plan.device.type == "cuda":
        cards = [torch.cuda.get_device_properties(number) for number in range(torch.cuda.device_count())]
        facts["cards"] = [{"name": card.name, "memory_gib": card.total_memory / 2**30} for card in cards]
        facts["cuda"], facts["cudnn"] = torch.version.cuda, torch.backends.cudnn.version()
        facts["bfloat16"] = torch.cuda.is_bf16_supported()
    one = torch.randn(256, 256, generator=torch.Generator().manual_seed(0))
    for number in range(plan.devices if plan.device.type == "cuda" else 1):
        device = torch.device("cuda", number) if plan.device.type == "cuda" else plan.device
        torch.testing.assert_close((one.to(device) @ one.to(device)).cpu(), one @ one, rtol=1e-2, atol=1e-1)
    return facts


def make_study(plan: Plan) -> Path:
    """Simulated volumes, three slices in a hundred of them labelled; it is copied for each training."""
    shape, spacing, count = ((32, 32, 24), (2.5, 2.5, 3.0), 3) if plan.tiny else ((128, 128, 96), (0.7, 0.7, 0.7), 12)
    return simulate_files(plan.folder, range(count), shape=shape, spacing=spacing)


def new_study(plan: Plan, name: str) -> Study:
    """A study of its own of the same volumes and labels."""
    images, labels = plan.folder / "images", plan.folder / "labels"
    return Study.create(plan.folder / name, images, labels, label_fraction=0.2 if plan.tiny else 0.03)


def seconds_a_stage(started: float, events: Sequence[Event]) -> dict[str, float]:
    """The time from each event's predecessor to it, summed by stage."""
    seconds: dict[str, float] = {}
    for event in events:
        seconds[event.stage] = seconds.get(event.stage, 0.0) + event.time - started
        started = event.time
    return seconds


def training(plan: Plan, name: str) -> dict[str, Any]:
    """Train a preset on one device until its time is over."""
    study, events = new_study(plan, name), list[Event]()
    study.events.listen(events.append)
    forget_peak(plan.device)
    started, ended = time.time(), "complete"
    try:
        train(study, plan.settings(name), plan.device, cancelled=plan.limit(name))
    except Cancelled:
        ended = f"stopped in {events[-1].stage}, {events[-1].step} of {events[-1].of}"
    stages = seconds_a_stage(started, events)
    return {"ended": ended, "seconds": time.time() - started, "stages": stages, "peak_gib": peak_gib(plan.device)}


def prediction(plan: Plan) -> dict[str, Any]:
    """Seconds from voxels in memory to the label map, with random weights of `quick` and `standard`."""
    side, over = 48 if plan.tiny else 256, plan.limit("prediction")
    volume, result = speckled_volume((side, side, side)), dict[str, Any](side=side)
    for name in PRESETS:
        model, seconds = random_model(plan.settings(name)), list[float]()
        forget_peak(plan.device)
        for number in range(ROUNDS + 1):
            started = time.monotonic()
            model.predict(volume, plan.device).labels()
            seconds += [time.monotonic() - started] if number else []
            if seconds and over():
                break
        median = statistics.median(seconds)
        result[name] = {"seconds": median, "rounds": len(seconds), "peak_gib": peak_gib(plan.device)}
    return result


def several_devices(plan: Plan) -> dict[str, Any]:
    """Milliseconds a step of the teacher of `standard`, and whether stopped trainings end with the same weights."""
    over, result = plan.limit("devices"), dict[str, Any]()
    for count in sorted({1, plan.devices}):
        steps = 30 if plan.tiny else TEACHER_STEPS
        try:
            milliseconds, whole = teacher(plan, f"{count} whole", count, steps, over)
            result[str(count)] = {"steps": steps, "milliseconds_a_step": milliseconds}
            half = stopping_after(plan.folder / f"{count} stopped", steps // 2)
            teacher(plan, f"{count} stopped", count, steps, half)
            _, again = teacher(plan, f"{count} stopped", count, steps, over)
        except Cancelled as ended:
            result.setdefault(str(count), {})["ended"] = str(ended)
            break
        first, second = load_checkpoint(whole)[0], load_checkpoint(again)[0]
        difference = max(float((first[name].float() - second[name].float()).abs().max()) for name in first)
        result[str(count)]["largest_difference_after_resuming"] = difference
    return result


def teacher(plan: Plan, name: str, count: int, steps: int, stop: Callable[[], bool]) -> tuple[float, Path]:
    """Train the teacher alone; milliseconds a step between its first and its last event, and its weights."""
    study = Study.open(plan.folder / name) if (plan.folder / name).exists() else new_study(plan, name)
    events, settings = list[Event](), plan.settings("standard", **{"teacher.steps": steps})
    study.events.listen(events.append)
    stopping = name.endswith("stopped") and not (study.run_folder / TEACHER_NAME).exists()
    try:
        train(study, settings, plan.device, devices=count, until=Stage.TEACHER, cancelled=stop)
    except Cancelled:
        if not stopping:
            raise
    told = [event for event in events if event.stage == Stage.TEACHER and event.step]
    taken = told[-1].step - told[0].step
    return 1000 * (told[-1].time - told[0].time) / max(1, taken), study.run_folder / TEACHER_NAME


def stopping_after(folder: Path, step: int) -> Callable[[], bool]:
    """Whether the teacher of a study has come so far, by what its events tell."""

    def stop() -> bool:
        events = folder / "run" / "events.jsonl"
        lines = events.read_text(encoding="utf-8").splitlines() if events.exists() else []
        told = [json.loads(line) for line in lines if line.endswith("}")]
        return any(event["stage"] == Stage.TEACHER and event["step"] >= step for event in told)

    return stop


def forget_peak(device: torch.device) -> None:
    """Measure memory from now on."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def peak_gib(device: torch.device) -> float | None:
    """Most memory of the card that was in use; None on a processor."""
    return torch.cuda.max_memory_allocated() / 2**30 if device.type == "cuda" else None


def measured(plan: Plan) -> Iterator[tuple[str, dict[str, Any]]]:
    """The parts, one after the other; one that fails tells why."""
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "device": lambda: device_facts(plan),
        **{name: partial(training, plan, name) for name in PRESETS},
        "prediction": lambda: prediction(plan),
        "devices": lambda: several_devices(plan),
    }
    for name, part in parts.items():
        if name == PRESETS[0]:
            make_study(plan)
        try:
            yield name, part()
        except (InputError, Cancelled, RuntimeError, AssertionError) as error:
            yield name, {"error": f"{type(error).__name__}: {error}"}


def table(found: dict[str, dict[str, Any]]) -> str:
    """All that was found, as Markdown."""
    rows: Rows = []
    for part, values in found.items():
        rows += rows_of(part, values)
    return "\n".join(["| what | found |", "| --- | --- |", *(f"| {what} | {value} |" for what, value in rows)]) + "\n"


def rows_of(part: str, values: dict[str, Any]) -> Rows:
    """Lines of the table on a part."""
    if "error" in values:
        return [(part, " ".join(values["error"].split()).replace("|", "/"))]
    if part == "device":
        cards = ", ".join(f"{card['name']}, {card['memory_gib']:.0f} GiB" for card in values.get("cards", []))
        return [("device", f"{values['devices']} x {cards or values['device']}; torch {values['torch']}")]
    if part in PRESETS:
        ended = values["ended"]
        stages = [(f"{part}: {stage}", f"{seconds:.1f} s") for stage, seconds in values["stages"].items()]
        return [(f"training, {part}", f"{values['seconds']:.0f} s, {ended}{in_gib(values)}"), *stages]
    if part == "prediction":
        size = " x ".join([str(values["side"])] * 3)
        return [(f"{size}, {name}", f"{values[name]['seconds']:.2f} s{in_gib(values[name])}") for name in PRESETS]
    rows: Rows = []
    for count, one in values.items():
        told = [f"{one['milliseconds_a_step']:.1f} ms a step"] if "milliseconds_a_step" in one else []
        if (difference := one.get("largest_difference_after_resuming")) is not None:
            told.append("the same weights after resuming" if difference == 0 else f"weights off by {difference:.2g}")
        rows.append((f"teacher, {count} devices", "; ".join([*told, *([one["ended"]] if "ended" in one else [])])))
    return rows


def in_gib(values: dict[str, Any]) -> str:
    """The peak of memory in words."""
    return "" if values["peak_gib"] is None else f", {values['peak_gib']:.2f} GiB"


def run(arguments: argparse.Namespace) -> None:
    """Measure part by part, and write what is known after each."""
    device = choose_device(arguments.device)
    there = torch.cuda.device_count() if device.type == "cuda" and device.index is None else 1
    make_folder(arguments.output)
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        plan = Plan(device, arguments.devices or there, arguments.seconds, arguments.tiny, Path(folder))
        for name, values in measured(plan):
            found[name] = values
            atomic_write_json(arguments.output / "gpu.json", found)
            atomic_write_text(arguments.output / "gpu.md", table(found))
            print("\n".join(f"{what}: {value}" for what, value in rows_of(name, values)), flush=True)


def command_line() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--devices", type=int, metavar="N", help="that train together; by default all that are there")
    parser.add_argument("--seconds", type=float, default=560.0, help="for all parts but the simulation of volumes")
    parser.add_argument("--tiny", action="store_true", help="small volumes and networks, to try the script")
    return parser


if __name__ == "__main__":
    training_options.main(command_line(), run)
