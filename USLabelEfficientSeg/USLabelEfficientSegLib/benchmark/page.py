"""The results of a benchmark for people: tables (CSV), figures (PNG), and a page in Markdown that shows them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..disk.files import atomic_write_bytes, atomic_write_csv, atomic_write_text
from .figures import degradation_png, dice_against_fraction_png, dice_over_time_png, volume_agreement_png
from .methods import OURS, description_of, method_names, title_of, uses_all_labels
from .results import JobResult
from .statistics import ArmSummary, Comparison, compare, degraded_dice, group_by_arm, summarise_arm
from .tables import arm_title, comparison_table, degradation_table, summary_table, time_table
from .times import times_to_best_rival

PAGE_NAME = "benchmark.md"


def write_report(output: Path, results: Sequence[JobResult], record: Mapping[str, Any]) -> Path:
    """Write `cases.csv`, `summary.csv`, `comparisons.csv`, `times.csv`, figures and `benchmark.md`.

    Args:
        output: the benchmark's folder.
        results: of all runs that are done, at least one.
        record: the benchmark's design, for the page.

    Returns:
        The page.
    """
    order = method_names()
    results = sorted(results, key=lambda r: (order.index(r.job.method), r.job.label_fraction, r.job.choice, r.job.seed))
    summaries = [summarise_arm(arm, runs) for arm, runs in group_by_arm(results).items()]
    methods = list(dict.fromkeys(result.job.method for result in results))
    reference = OURS if OURS in methods else methods[0]
    comparisons = compare(results, reference)
    curve = [{**asdict(r.job), **asdict(point)} for r in results for point in r.curve]

    write_table(output / "cases.csv", _case_rows(results))
    write_table(output / "summary.csv", [{**asdict(s.arm), **_without(asdict(s), "arm")} for s in summaries])
    if comparisons:
        write_table(output / "comparisons.csv", [_comparison_row(comparison) for comparison in comparisons])
    if curve:
        write_table(output / "times.csv", curve)

    lines = _introduction(record)
    fractions = sorted({s.arm.label_fraction for s in summaries if not uses_all_labels(s.arm.method)} or {1.0})
    for fraction in fractions:
        lines += _of_fraction(output, fraction, results, summaries, comparisons)
    atomic_write_bytes(output / "dice.png", dice_against_fraction_png(results))
    lines += [
        "## Dice against the label fraction",
        "",
        "![Dice against the label fraction](dice.png)",
        "",
        "Bars span the seeds' means. Volumes are sums of probabilities. p: Wilcoxon's signed-rank test over the cases' "
        f"mean Dice, two-sided, after Holm's correction over all comparisons with {title_of(reference)} and of "
        "suggested with random slices. It tells about these cases; the SD over seeds tells about draws of labels.",
        "",
        "## Methods",
        "",
        *(f"- **{title_of(name)}** (`{name}`): {description_of(name)}" for name in methods),
        "",
    ]
    page = output / PAGE_NAME
    atomic_write_text(page, "\n".join(lines))
    return page


def _introduction(record: Mapping[str, Any]) -> list[str]:
    cases = record["cases"]
    budget = budget_in_words(record)
    held_out = "a validation part of the training subjects" if record["validation"] else "held-out test subjects"
    changes = ", ".join(f"`{name}={value}`" for name, value in record["changes"].items())
    degradation = record.get("training_degradation")
    return [
        "# Benchmark",
        "",
        f"{len(cases['training'])} cases to train on, {len(cases['held_out'])} cases of {held_out} to judge by. Rivals "
        f"train {budget}; our own method and its variants take what the preset `{record['preset']}`"
        f"{f' with {changes}' if changes else ''} takes, see the minutes. All methods have the same labels for the "
        "same seed, the same grid unless their name says otherwise, random poses and intensities, and the same rule "
        "from probabilities to masks."
        + (f" Every training image is degraded ({degradation}) to a random strength." if degradation else ""),
        "",
    ]


def budget_in_words(record: Mapping[str, Any]) -> str:
    """How long rivals train, after "train", from the record of a design."""
    if record.get("time_of") is not None:
        return f"as long as {title_of(record['time_of'])} took with the same labels and seed"
    return f"for {record['seconds']:g} seconds" if record["seconds"] is not None else f"for {record['steps']} steps"


def _of_fraction(
    output: Path,
    fraction: float,
    results: Sequence[JobResult],
    summaries: Sequence[ArmSummary],
    comparisons: Sequence[Comparison],
) -> list[str]:
    """The page's part about one label fraction; its figures are written."""
    shown = [s for s in summaries if s.arm.label_fraction == fraction or uses_all_labels(s.arm.method)]
    lines = [f"## {100 * fraction:g} % of the slices labelled", "", *summary_table(shown), ""]
    compared = [comparison for comparison in comparisons if comparison.first.label_fraction == fraction]
    if compared:
        lines += [*comparison_table(compared), ""]
    lines += _figure(output, f"volumes_{fraction:g}.png", "Volumes", volume_agreement_png(results, fraction))

    timed = times_to_best_rival(results, fraction)
    over_time = dice_over_time_png(results, fraction, None if timed is None else timed[0].dice)
    if over_time is not None:
        lines += ["### Dice over time", ""]
        if timed is not None:
            lines += [f"The best rival in the end is {arm_title(timed[0].arm)}.", "", *time_table(*timed), ""]
        lines += [
            *_figure(output, f"times_{fraction:g}.png", "Dice over time", over_time),
            "Measured off the clock after an eighth, a quarter, half and all of a rival's training, and of the "
            "training of each student of our own method, which is shown alone; mean over seeds. What our method does "
            "before its first student shows no Dice, and its time counts.",
            "",
        ]

    few = [r for r in results if r.job.label_fraction == fraction or uses_all_labels(r.job.method)]
    degraded = degradation_png(few)
    if degraded is not None:
        lines += ["### Degraded images", "", *degradation_table(degraded_dice(few)), ""]
        lines += _figure(output, f"degradations_{fraction:g}.png", "Dice under degradations", degraded)
    return lines


def _figure(output: Path, name: str, title: str, png: bytes) -> list[str]:
    atomic_write_bytes(output / name, png)
    return [f"![{title}]({name})", ""]


def _case_rows(results: Sequence[JobResult]) -> list[dict[str, Any]]:
    return [
        {**asdict(result.job), **asdict(row), "volume_error_percent": row.volume_error_percent}
        for result in results
        for row in result.cases
    ]


def _comparison_row(comparison: Comparison) -> dict[str, Any]:
    first, second = comparison.first, comparison.second
    return {
        "method": first.method,
        "choice": first.choice,
        "against_method": second.method,
        "against_choice": second.choice,
        "label_fraction": first.label_fraction,
        **_without(asdict(comparison), "first", "second"),
    }


def _without(values: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in names}


def write_table(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows of the same columns; nan becomes an empty cell."""
    cells = [
        ["" if isinstance(value := row[name], float) and math.isnan(value) else value for name in rows[0]]
        for row in rows
    ]
    atomic_write_csv(path, [list(rows[0]), *cells])
