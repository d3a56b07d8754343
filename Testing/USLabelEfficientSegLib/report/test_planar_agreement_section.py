import dataclasses

import numpy as np
import pytest

from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import LabelMap
from USLabelEfficientSegLib.measurement.planar import measure_labels
from USLabelEfficientSegLib.report.blocks import Picture, Table
from USLabelEfficientSegLib.report.planar_agreement_section import planar_agreement_section
from USLabelEfficientSegLib.report.planar_report import ImageSummary

GRID = Geometry((30, 30, 1), (0.5, 0.5, 1.0), (0.0, 0.0, 0.0), np.eye(3))


def row(circumference_mm):
    labels = LabelMap(np.pad(np.ones((10, 10, 1), dtype=np.uint8), ((10, 10), (10, 10), (0, 0))), GRID, "a")
    (found,) = measure_labels(labels, ["head"])
    circle = dataclasses.replace(found.ellipse, axes_mm=(circumference_mm / np.pi,) * 2)
    return dataclasses.replace(found, ellipse=circle)


def cases(errors):
    return [
        ImageSummary(f"Case {n:03d}", [row(100.0 + n + error)], [row(100.0 + n)], {"head": 0.9}, None)
        for n, error in enumerate(errors, start=1)
    ]


def test_circumferences_have_a_bland_altman_plot_with_its_values():
    section = planar_agreement_section(cases([1.0, 3.0, -1.0, 1.0]), ["head"])

    statistics, single = (block for block in section.blocks if isinstance(block, Table))
    (plot,) = (block for block in section.blocks if isinstance(block, Picture))
    # Errors of mean 1 and standard deviation 1.633: limits 1 +- 3.2.
    assert statistics.rows == [["head", "0.900", "1.50", "+1.00", "1.63", "4"]]
    assert "head: bias +1.00 mm, +1.96 SD +4.20 mm, −1.96 SD −2.20 mm" in plot.description
    assert single.rows[1] == ["Case 002", "head", "105.0", "102.0", "+3.0", "0.900"]


def test_few_references_have_no_limits():
    (plot,) = (b for b in planar_agreement_section(cases([1.0, 3.0]), ["head"]).blocks if isinstance(b, Picture))

    assert "bias" not in plot.description


@pytest.mark.parametrize("count", [0, 2])
def test_without_references_there_is_no_section(count):
    bare = [dataclasses.replace(case, true_rows=(), dice={}) for case in cases([1.0] * count)]

    assert planar_agreement_section(bare, ["head"]).blocks == []
