"""Bland-Altman plots of a report, with the values and the confidence intervals of bias and limits of agreement."""

from collections.abc import Mapping, Sequence

from ..evaluation.agreement import Limits
from .blocks import Picture, number
from .common_sections import TEXT_MM
from .pictures.value_charts import Line, Point, bland_altman_png, on_pages


def lines_of(limits: Limits) -> list[Line]:
    """Bias and limits of agreement as the lines of a plot."""
    named = {"bias": limits.bias, "+1.96 SD": limits.upper, "−1.96 SD": limits.lower}
    return [Line(name, found.value, found.lower, found.upper) for name, found in named.items()]


def bland_altman_pictures(
    points: Sequence[Point], lines: Mapping[int, Sequence[Line]], organs: Sequence[str], unit: str
) -> list[Picture]:
    """The plots of all organs, as many on a picture as a page has room for.

    Args:
        points: at least one, all with true values.
        lines: see `lines_of`, by the label of an organ, where they are known.
        organs: names, by label.
        unit: of the points.
    """
    caption = (
        f"Bland-Altman plot of each organ. Solid line: bias; dashed lines: limits of agreement, both in {unit}; grey "
        "bands: their 95 % confidence intervals."
    )
    pictures = []
    for labels in on_pages(points):
        shown = [point for point in points if point.label in labels]
        told = [f"{organs[label - 1]}: {_told(lines[label], unit)}" for label in labels if label in lines]
        description = f"Bland-Altman plot of {len(shown)} measurements. {'; '.join(told)}".rstrip() + "."
        pictures.append(Picture(bland_altman_png(shown, lines, organs, unit), caption, description, TEXT_MM))
    return pictures


def _told(lines: Sequence[Line], unit: str) -> str:
    return ", ".join(f"{line.name} {number(line.value, signed=True)} {unit}" for line in lines)
