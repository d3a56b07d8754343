"""The tables of a benchmark's page, in Markdown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from .methods import title_of
from .results import UNDEGRADED
from .statistics import Arm, ArmSummary, Comparison
from .times import TimeToDice


def summary_table(summaries: Sequence[ArmSummary]) -> list[str]:
    """A row for each arm, the best first."""
    rows = [
        [
            arm_title(s.arm),
            str(s.seeds),
            f"{s.labelled_slices:g}",
            f"{s.dice:.3f}",
            number(s.dice_sd, 3),
            f"{s.dice_lowest:.3f}",
            number(s.hausdorff_95_mm, 1),
            number(s.volume_error, 0),
            number(s.volume_bias, 0, signed=True),
            number(s.minutes, 1),
        ]
        for s in sorted(summaries, key=lambda s: -s.dice)
    ]
    heading = ["Method", "Seeds", "Slices", "Dice", "SD over seeds", "Lowest seed", "HD95, mm"]
    return markdown_table([*heading, "Volume error, %", "Volume bias, %", "Minutes"], rows)


def comparison_table(comparisons: Sequence[Comparison]) -> list[str]:
    """A row for each comparison."""
    rows = [
        [
            f"{arm_title(c.first)} against {arm_title(c.second)}",
            number(c.difference, 3, signed=True),
            number(c.difference_sd, 3),
            str(c.seeds),
            str(c.cases),
            f"{c.p_adjusted:.2g}",
        ]
        for c in comparisons
    ]
    return markdown_table(["Comparison", "Difference in Dice", "SD over seeds", "Seeds", "Cases", "p"], rows)


def time_table(rival: TimeToDice, times: Sequence[TimeToDice]) -> list[str]:
    """A row for each arm: when it is as good as the best rival in the end, also as a share of that rival's time."""
    rows = [
        [
            arm_title(time.arm),
            f"{time.dice:.3f}",
            number(time.seconds, 0),
            number(time.reached, 0),
            number(100 * time.reached / rival.seconds, 0),
        ]
        for time in times
    ]
    return markdown_table(
        ["Method", "Dice in the end", "Seconds", f"Seconds to {rival.dice:.3f}", "% of the best rival's time"], rows
    )


def degradation_table(arms: Mapping[Arm, Mapping[tuple[str, float], float]]) -> list[str]:
    """A row for each arm: mean Dice of the images as they are, and under each degradation at its full strength."""
    names = list(dict.fromkeys(name for dice in arms.values() for name, _ in dice if name != UNDEGRADED))
    keys = [(UNDEGRADED, 0.0), *((name, 1.0) for name in names)]
    rows = [[arm_title(arm), *(number(dice.get(key, math.nan), 3) for key in keys)] for arm, dice in arms.items()]
    return markdown_table(["Dice at full strength", "as they are", *names], rows)


def arm_title(arm: Arm) -> str:
    """The title of an arm in tables."""
    return title_of(arm.method) + (", suggested slices" if arm.choice == "suggested" else "")


def markdown_table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table, numbers to the right."""
    align = ["---", *["---:"] * (len(heading) - 1)]
    return ["| " + " | ".join(cells) + " |" for cells in (heading, align, *rows)]


def number(value: float, decimals: int, *, signed: bool = False) -> str:
    """A number as tables write it; nan is a dash."""
    if math.isnan(value):
        return "–"
    return f"{value:{'+' if signed else ''}.{decimals}f}".replace("-", "\N{MINUS SIGN}")
