"""The page of a suite: tables of sets and methods, ours against the best rival, one figure, and the numbers as CSV."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ...disk.files import atomic_write_bytes, atomic_write_text
from ..methods import OURS, method_names, title_of, uses_all_labels
from ..page import budget_in_words, write_table
from ..statistics import Arm
from ..tables import markdown_table, number
from .cells import Margin, SetResults, label_arms, margins, read_sets
from .figure import suite_png

PAGE_NAME, FIGURE_NAME = "suite.md", "suite.png"
TABLE_NAME, MARGINS_NAME = "suite.csv", "margins.csv"
TOLERATED = 0.005  # of Dice, that ours may stay below the best rival

Value = Callable[[SetResults, Arm], float]


def write_suite_report(output: Path, names: Sequence[str], record: Mapping[str, Any]) -> Path | None:
    """Write `suite.md`, `suite.png`, `suite.csv` and `margins.csv` of all runs that are done.

    Args:
        output: the suite's folder.
        names: of all its sets, in order.
        record: of the design of any set, for the page.

    Returns:
        The page; None where no run is done.
    """
    sets = read_sets(output, names)
    if not sets:
        return None
    write_table(output / TABLE_NAME, [_row(one, arm) for one in sets for arm in one.arms])
    atomic_write_bytes(output / FIGURE_NAME, suite_png(sets))
    lines = [
        "# Suite",
        "",
        f"Data sets: {len(sets)}. Rivals train {budget_in_words(record)}; our own method takes what the preset "
        f"`{record['preset']}` takes. Dice and distances are means over organs, held-out cases and seeds.",
        "",
        f"![Dice of each method on each set]({FIGURE_NAME})",
        "",
    ]
    found: list[dict[str, Any]] = []
    for fraction, choice in label_arms(sets):
        compared = margins(sets, fraction, choice, OURS)
        found += [_margin_row(margin, fraction, choice) for margin in compared]
        lines += [f"## {100 * fraction:g} % of the slices labelled, {choice} slices", ""]
        lines += _tables(sets, fraction, choice, compared)
        lines += _verdict(compared)
    if found:
        write_table(output / MARGINS_NAME, found)
    page = output / PAGE_NAME
    atomic_write_text(page, "\n".join(lines))
    return page


def _tables(sets: Sequence[SetResults], fraction: float, choice: str, compared: Sequence[Margin]) -> list[str]:
    """Dice, distances, volume errors and minutes, each a table of sets and methods."""
    methods = [name for name in method_names() if any(_arm(one, name, fraction, choice) for one in sets)]
    by_set = {margin.set_name: margin for margin in compared}

    def table(
        value: Callable[[SetResults, Arm], str],
        last: Callable[[Margin], str] | None = None,
        bottom: Sequence[str] | None = None,
    ) -> list[str]:
        rows = []
        for one in sets:
            arms = [_arm(one, name, fraction, choice) for name in methods]
            row = [one.name, *("" if arm is None else value(one, arm) for arm in arms)]
            if last is not None:
                row.append(last(by_set[one.name]) if one.name in by_set else "")
            rows.append(row)
        heading = ["Set", *(title_of(name) for name in methods), *(["Ours − best rival"] if last else [])]
        return [*markdown_table(heading, [*rows, bottom] if bottom else rows), ""]

    def distance(one: SetResults, arm: Arm) -> str:
        mm, missed = one.summary(arm).hausdorff_95_mm, one.missed(arm)
        text = f"{number(mm, 1)} ({number(mm / one.voxel_mm, 1)})"
        return text if missed == 0 else f"{text}, {100 * missed:.0f} % missed"

    return [
        "Dice:",
        "",
        *table(
            lambda one, arm: f"{one.summary(arm).dice:.3f}",
            lambda m: number(m.dice, 3, signed=True),
            _mean_row(sets, methods, fraction, choice, compared),
        ),
        "HD95 in mm (in voxels: sides of a cube of a voxel's volume). Organs that were missed have none; the "
        "difference is that of the organs that both found:",
        "",
        *table(distance, lambda m: number(m.hausdorff_95_voxels, 1, signed=True) + " voxels"),
        "Median volume error, %:",
        "",
        *table(lambda one, arm: number(one.summary(arm).volume_error, 0)),
        "Minutes of training:",
        "",
        *table(lambda one, arm: number(one.summary(arm).minutes, 1)),
    ]


def _mean_row(
    sets: Sequence[SetResults], methods: Sequence[str], fraction: float, choice: str, compared: Sequence[Margin]
) -> list[str]:
    """Mean Dice of each method, and mean margin, over the sets on which all methods were run."""
    complete = {}
    for one in sets:
        arms = [arm for name in methods if (arm := _arm(one, name, fraction, choice)) is not None]
        if len(arms) == len(methods):
            complete[one.name] = [one.summary(arm).dice for arm in arms]
    if not complete:
        return []
    margins_there = [margin.dice for margin in compared if margin.set_name in complete]
    last = number(float(np.mean(margins_there)), 3, signed=True) if margins_there else ""
    return [f"mean of {len(complete)}", *(f"{mean:.3f}" for mean in np.mean(list(complete.values()), axis=0)), last]


def _verdict(compared: Sequence[Margin]) -> list[str]:
    """In words: the mean margin, and where ours loses."""
    if not compared:
        return []
    mean = float(np.mean([margin.dice for margin in compared]))
    lost = [margin for margin in compared if margin.dice < -TOLERATED]
    where = [f"{m.set_name} ({number(m.dice, 3, signed=True)} against {title_of(m.rival.arm.method)})" for m in lost]
    lines = [
        f"Ours minus the best rival, mean over {len(compared)} sets: {number(mean, 3, signed=True)} of Dice.",
        f"Ours loses more than {TOLERATED} on {', '.join(where)}." if lost else f"No set loses more than {TOLERATED}.",
    ]
    return [" ".join(lines), ""]


def _arm(one: SetResults, method: str, fraction: float, choice: str) -> Arm | None:
    arm = Arm(method, 1.0, "random") if uses_all_labels(method) else Arm(method, fraction, choice)
    return arm if arm in one.arms else None


def _row(one: SetResults, arm: Arm) -> dict[str, Any]:
    summary = asdict(one.summary(arm))
    del summary["arm"]
    voxels = summary["hausdorff_95_mm"] / one.voxel_mm
    return {"set": one.name, **asdict(arm), **summary, "hausdorff_95_voxels": voxels, "missed": one.missed(arm)}


def _margin_row(margin: Margin, fraction: float, choice: str) -> dict[str, Any]:
    return {
        "set": margin.set_name,
        "label_fraction": fraction,
        "choice": choice,
        "rival": margin.rival.arm.method,
        "seeds": margin.ours.seeds,
        "dice": margin.ours.dice,
        "rival_dice": margin.rival.dice,
        "dice_difference": margin.dice,
        "hausdorff_95_difference_voxels": margin.hausdorff_95_voxels,
        "loses": margin.dice < -TOLERATED,
    }
