"""What a benchmark leaves for people: tables (CSV), figures (PNG), and a page in Markdown that shows them."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..study.files import atomic_write_bytes, atomic_write_text
from .benchmark_figures import degradation_png, dice_against_fraction_png, volume_agreement_png
from .benchmark_methods import OURS, description_of, method_names, title_of, uses_all_labels
from .benchmark_results import JobResult
from .benchmark_statistics import Arm, ArmSummary, Comparison, compare, group_by_arm, summarise_arm

PAGE_NAME = "benchmark.md"


def write_report(output: Path, results: Sequence[JobResult], record: Mapping[str, Any]) -> Path:
    """Write `cases.csv`, `summary.csv`, `comparisons.csv`, figures and `benchmark.md` into a benchmark's folder.

    Args:
        output: the folder.
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

    _write_csv(output / "cases.csv", _case_rows(results))
    _write_csv(output / "summary.csv", [{**asdict(s.arm), **_without(asdict(s), "arm")} for s in summaries])
    if comparisons:
        _write_csv(output / "comparisons.csv", [_comparison_row(comparison) for comparison in comparisons])

    figures = {"dice.png": dice_against_fraction_png(results)}
    fractions = sorted({s.arm.label_fraction for s in summaries if not uses_all_labels(s.arm.method)} or {1.0})
    for fraction in fractions:
        figures[f"volumes_{fraction:g}.png"] = volume_agreement_png(results, fraction)
        degraded = degradation_png(results, fraction)
        if degraded is not None:
            figures[f"degradations_{fraction:g}.png"] = degraded
    for name, png in figures.items():
        atomic_write_bytes(output / name, png)

    page = output / PAGE_NAME
    atomic_write_text(page, page_text(record, summaries, comparisons, methods, reference, list(figures)))
    return page


def page_text(
    record: Mapping[str, Any],
    summaries: Sequence[ArmSummary],
    comparisons: Sequence[Comparison],
    methods: Sequence[str],
    reference: str,
    figures: Sequence[str],
) -> str:
    """The page: how it was measured, a table for each label fraction, comparisons, figures, the methods."""
    cases = record["cases"]
    budget = f"{record['seconds']:g} seconds" if record["seconds"] is not None else f"{record['steps']} steps"
    held_out = "a validation part of the training subjects" if record["validation"] else "held-out test subjects"
    changes = ", ".join(f"`{name}={value}`" for name, value in record["changes"].items())
    lines = [
        "# Benchmark",
        "",
        f"{len(cases['training'])} cases to train on, {len(cases['held_out'])} cases of {held_out} to judge by. Rivals "
        f"train for {budget}; our own method and its variants take what the preset `{record['preset']}`"
        f"{f' with {changes}' if changes else ''} takes, see the minutes. All methods have the same labels for the "
        "same seed, the same grid, random poses and intensities, and the same rule from probabilities to masks.",
        "",
    ]
    fractions = sorted({s.arm.label_fraction for s in summaries if not uses_all_labels(s.arm.method)})
    for fraction in fractions or [1.0]:
        shown = [s for s in summaries if s.arm.label_fraction == fraction or uses_all_labels(s.arm.method)]
        lines += [f"## {100 * fraction:g} % of the slices labelled", "", *_summary_table(shown), ""]
        compared = [comparison for comparison in comparisons if comparison.first.label_fraction == fraction]
        if compared:
            lines += [*_comparison_table(compared), ""]
        lines += [f"![Volumes](volumes_{fraction:g}.png)", ""]
        if f"degradations_{fraction:g}.png" in figures:
            lines += [f"![Dice under degradations](degradations_{fraction:g}.png)", ""]
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
    return "\n".join(lines)


def _summary_table(summaries: Sequence[ArmSummary]) -> list[str]:
    rows = [
        [
            _arm(s.arm),
            str(s.seeds),
            f"{s.labelled_slices:g}",
            f"{s.dice:.3f}",
            _number(s.dice_sd, 3),
            f"{s.dice_lowest:.3f}",
            _number(s.hausdorff_95_mm, 1),
            _number(s.volume_error, 0),
            _number(s.volume_bias, 0, signed=True),
            _number(s.minutes, 1),
        ]
        for s in sorted(summaries, key=lambda s: -s.dice)
    ]
    heading = ["Method", "Seeds", "Slices", "Dice", "SD over seeds", "Lowest seed", "HD95, mm"]
    return _table([*heading, "Volume error, %", "Volume bias, %", "Minutes"], rows)


def _comparison_table(comparisons: Sequence[Comparison]) -> list[str]:
    rows = [
        [
            f"{_arm(c.first)} against {_arm(c.second)}",
            _number(c.difference, 3, signed=True),
            _number(c.difference_sd, 3),
            str(c.seeds),
            str(c.cases),
            f"{c.p_adjusted:.2g}",
        ]
        for c in comparisons
    ]
    return _table(["Comparison", "Difference in Dice", "SD over seeds", "Seeds", "Cases", "p"], rows)


def _table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    align = ["---", *["---:"] * (len(heading) - 1)]
    return ["| " + " | ".join(cells) + " |" for cells in (heading, align, *rows)]


def _arm(arm: Arm) -> str:
    return title_of(arm.method) + (", suggested slices" if arm.choice == "suggested" else "")


def _number(value: float, decimals: int, *, signed: bool = False) -> str:
    if math.isnan(value):
        return "–"
    return f"{value:{'+' if signed else ''}.{decimals}f}".replace("-", "\N{MINUS SIGN}")


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


def _write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows of the same columns; nan becomes an empty cell."""
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(
        {name: "" if isinstance(value, float) and math.isnan(value) else value for name, value in row.items()}
        for row in rows
    )
    atomic_write_text(path, text.getvalue())
