"""Circumferences of 2-D images beside their references."""

import dataclasses

import numpy as np
import pytest

from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import LabelMap
from USLabelEfficientSegLib.measurement.planar import measure_labels
from USLabelEfficientSegLib.report.blocks import Heading, Picture, Table
from USLabelEfficientSegLib.report.content import CaseSummary
from USLabelEfficientSegLib.report.sections.agreement import agreement_section
from USLabelEfficientSegLib.report.tables import measurements_table

GRID = Geometry((30, 30, 1), (0.5, 0.5, 1.0), (0.0, 0.0, 0.0), np.eye(3))


def row(circumference_mm):
    labels = LabelMap(np.pad(np.ones((10, 10, 1), dtype=np.uint8), ((10, 10), (10, 10), (0, 0))), GRID, "a")
    (found,) = measure_labels(labels, ["head"])
    assert found.ellipse is not None
    circle = dataclasses.replace(found.ellipse, axes_mm=(circumference_mm / np.pi,) * 2)
    return dataclasses.replace(found, ellipse=circle)


def cases(errors):
    return [
        CaseSummary(
            f"Case {n:03d}", "a", [row(100.0 + n + error)], {"head": {"circumference": 100.0 + n}}, {"head": 0.9}
        )
        for n, error in enumerate(errors, start=1)
    ]


def test_circumferences_have_a_bland_altman_plot_with_its_values():
    section = agreement_section(cases([1.0, 3.0, -1.0, 1.0]), ["head"])

    assert [block.text for block in section.blocks if isinstance(block, Heading)] == ["Circumference"]
    statistics, overlap = (block for block in section.blocks if isinstance(block, Table))
    plot, _ = (block for block in section.blocks if isinstance(block, Picture))
    # Errors of mean 1 and standard deviation 1.633: limits 1 +- 3.2.
    values = {name: value.split(" (")[0] for _, name, value in statistics.rows}
    assert values["Cases"] == "4" and values["Bias, mm"] == "1.00"
    assert values["SD of the differences, mm"] == "1.63" and values["Mean absolute difference, mm"] == "1.50"
    assert "head: bias +1.00 mm, +1.96 SD +4.20 mm, −1.96 SD −2.20 mm" in plot.description
    assert overlap.rows == [*([f"Case 00{n}", "0.900"] for n in range(1, 5)), ["Mean", "0.900"]]


def test_a_case_tells_its_reference_and_its_error_in_mm():
    (case,) = cases([3.0])

    table = measurements_table([(case, case.rows[0])], "Measurements", of_one_case=True)

    assert table.headings == [
        "Organ", "Area, mm²", "Circumference, mm", "Reference, mm", "Circumference error, mm", "Dice",
    ]  # fmt: skip
    assert table.rows == [["head", "25.0", "104.0", "101.0", "+3.0", "0.900"]]


def test_few_references_have_no_limits():
    plot, _ = (block for block in agreement_section(cases([1.0, 3.0]), ["head"]).blocks if isinstance(block, Picture))

    assert "bias" not in plot.description


def test_an_organ_that_was_not_found_has_an_area_of_0_and_no_circumference():
    missed = dataclasses.replace(row(1.0), pixel_count=0, area_mm2=0.0, ellipse=None)
    case = CaseSummary("Case 001", "a", [missed], {"head": {"area": 20.0, "circumference": 16.0}})

    table = measurements_table([(case, missed)], "Measurements")
    section = agreement_section([case], ["head"])

    errors = dict(zip(table.headings, table.rows[0], strict=True))
    assert errors["Area error, %"] == "−100.0" and "Circumference error, mm" not in errors
    assert [block.text for block in section.blocks if isinstance(block, Heading)] == ["Area"]


@pytest.mark.parametrize("count", [0, 2])
def test_without_references_there_is_no_section(count):
    bare = [dataclasses.replace(case, true_values={}, dice={}) for case in cases([1.0] * count)]

    assert agreement_section(bare, ["head"]).blocks == []
