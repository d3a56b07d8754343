"""How much Dice the networks of `fetal_head.py` lose on cheaper probes: degraded held-out images, table and figure."""

from __future__ import annotations

import io
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from fetal_head_data import Head, degraded
from fetal_head_results import segment
from fetal_head_training import LOW_COST
from matplotlib.figure import Figure
from torch import nn

from USLabelEfficientSegLib.benchmark.degradations import DEGRADATIONS, STRENGTHS
from USLabelEfficientSegLib.benchmark.results import UNDEGRADED
from USLabelEfficientSegLib.evaluation.metrics import dice

# Okabe and Ito's colours; with markers they also work in grey.
_STYLES = (("#0072B2", "o"), ("#D55E00", "s"), ("#009E73", "^"), ("#CC79A7", "D"), ("#E69F00", "v"), ("#000000", "P"))


@dataclass(frozen=True)
class DegradedResult:
    """One held-out image under one trained network, degraded; `UNDEGRADED` with strength 0 as it is."""

    fraction: float
    seed: int
    method: str
    name: str
    degradation: str
    strength: float
    dice: float


@dataclass(frozen=True)
class DegradedMean:
    """Mean over the images and seeds of one method at one fraction."""

    method: str
    fraction: float
    degradation: str
    strength: float
    seeds: int
    dice: float


def views(heads: Sequence[Head]) -> Iterator[tuple[str, float, list[Head]]]:
    """The held-out images as they are and under every degradation and strength; the same whenever they are made."""
    yield UNDEGRADED, 0.0, list(heads)
    for name in DEGRADATIONS:
        for strength in STRENGTHS:
            yield name, strength, [degraded(head, name, strength, number) for number, head in enumerate(heads)]


def evaluate_degraded(
    network: nn.Module,
    views: Sequence[tuple[str, float, Sequence[Head]]],
    image_size: int,
    fraction: float,
    seed: int,
    method: str,
) -> Iterator[DegradedResult]:
    """Dice of every image of every view."""
    for name, strength, heads in views:
        for head in heads:
            found = dice(segment(network, head, image_size), head.mask.numpy())
            yield DegradedResult(fraction, seed, method, head.name, name, strength, found)


def degraded_means(results: Sequence[DegradedResult]) -> list[DegradedMean]:
    """Means by fraction, method, degradation and strength, in the order in which these first appear."""
    groups: dict[tuple[float, str, str, float], dict[int, list[float]]] = {}
    for r in results:
        seeds = groups.setdefault((r.fraction, r.method, r.degradation, r.strength), {})
        seeds.setdefault(r.seed, []).append(r.dice)
    return [
        DegradedMean(
            method, fraction, name, strength, len(seeds), statistics.fmean(map(statistics.fmean, seeds.values()))
        )
        for (fraction, method, name, strength), seeds in groups.items()
    ]


def degraded_line(means: Sequence[DegradedMean]) -> str:
    """Dice of one method at one fraction, for each degradation by rising strength."""
    names = dict.fromkeys(mean.degradation for mean in means)
    return ", ".join(
        f"{name} {' '.join(f'{mean.dice:.3f}' for mean in means if mean.degradation == name)}" for name in names
    )


def robustness_png(means: Sequence[DegradedMean]) -> bytes:
    """Dice against strength: a row for each fraction, a chart for each degradation, a line for each method."""
    fractions = sorted({mean.fraction for mean in means})
    methods = list(dict.fromkeys(mean.method for mean in means))
    height = 1.9 * len(fractions) + 0.3 + 0.16 * len(methods)
    figure = Figure(figsize=(11.0, height), dpi=150, layout="constrained")
    grid = figure.subplots(len(fractions), len(DEGRADATIONS), sharex=True, sharey=True, squeeze=False)
    for row, fraction in zip(grid, fractions, strict=True):
        for axes, name in zip(row, DEGRADATIONS, strict=True):
            for method in methods:
                points = [
                    (mean.strength, mean.dice)
                    for mean in means
                    if (mean.method, mean.fraction) == (method, fraction) and mean.degradation in (UNDEGRADED, name)
                ]
                if points:
                    axes.plot(*zip(*sorted(points), strict=True), label=method, **_style(method, methods))
            axes.set_title(f"{name}, {100 * fraction:g} % labels", fontsize=8, loc="left")
            axes.set(xlim=(-0.03, 1.03), ylim=(0, 1))
            axes.tick_params(labelsize=7)
            axes.spines[["top", "right"]].set_visible(False)
            axes.grid(color="#e4e4e4", linewidth=0.6)
            axes.set_axisbelow(True)
        row[0].set_ylabel("Dice on held-out subjects", fontsize=8)
    for axes in grid[-1]:
        axes.set_xlabel("strength", fontsize=8)
    entries = {label: line for row in grid for line, label in zip(*row[0].get_legend_handles_labels(), strict=True)}
    figure.legend(entries.values(), entries.keys(), loc="outside lower center", ncols=2, fontsize=7, frameon=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _style(method: str, methods: Sequence[str]) -> dict[str, Any]:
    """A method keeps its colour when it is trained on low-cost probes; it is dashed then, with open markers."""
    clean = list(dict.fromkeys(name.removesuffix(LOW_COST) for name in methods))
    colour, marker = _STYLES[clean.index(method.removesuffix(LOW_COST)) % len(_STYLES)]
    low_cost = method.endswith(LOW_COST)
    return {
        "color": colour,
        "marker": marker,
        "linestyle": "--" if low_cost else "-",
        "markerfacecolor": "white" if low_cost else colour,
        "markersize": 4,
        "linewidth": 1.4,
    }
