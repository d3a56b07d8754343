import dataclasses

import numpy as np
import pytest

from USLabelEfficientSegLib.measurement.organ import OrganMeasurement
from USLabelEfficientSegLib.report.blocks import Paragraph, Picture, Table
from USLabelEfficientSegLib.report.content import CaseSummary
from USLabelEfficientSegLib.report.sections.agreement import agreement_section

ROW = OrganMeasurement(
    case="a",
    organ="prostate",
    voxel_count=1,
    volume_ml=20.0,
    outline_volume_ml=20.0,
    label=1,
    surface_volume_ml=20.0,
    surface_area_mm2=1.0,
    axes_mm=(1.0, 1.0, 1.0),
    extents_ras_mm=(1.0, 1.0, 1.0),
    max_diameter_mm=1.0,
    centroid_ras_mm=(0.0, 0.0, 0.0),
    ellipsoid_volume_ml=18.0,
)


def cases(count, organs=("prostate",), interval=False, dice=0.9):
    found = []
    for n, true in enumerate(np.linspace(20, 60, count), start=1):
        measured = true + (-1) ** n
        bounds = (measured - 0.5 * n, measured + 0.5 * n) if interval else None
        rows = [
            dataclasses.replace(ROW, organ=organ, label=label, volume_ml=measured, interval_ml=bounds)
            for label, organ in enumerate(organs, start=1)
        ]
        true_values = {organ: {"volume": float(true)} for organ in organs}
        overlap = {} if dice is None else dict.fromkeys(organs, dice)
        found.append(CaseSummary(f"Case {n:03d}", "Doe", rows, true_values, overlap))
    return found


def tables(section):
    return [block for block in section.blocks if isinstance(block, Table)]


def test_statistics_charts_and_dice_are_shown():
    section = agreement_section(cases(6), ["prostate"])

    statistics, overlap = tables(section)
    values = {row[1]: row[2] for row in statistics.rows}
    assert values["Cases"] == "6"
    assert values["Bias, ml"].startswith("0 (−")
    assert values["Lower limit of agreement, ml"].startswith("−2.15 (")
    assert float(values["ICC(2,1), absolute agreement"].split()[0]) > 0.99
    assert overlap.headings == ("Case", "Dice, prostate")
    assert overlap.rows[0] == ["Case 001", "0.900"]
    differences, scatter = (block for block in section.blocks if isinstance(block, Picture))
    # Errors of 1 ml up and down: SD 1.095, limits 2.147; what a picture shows is told to those who cannot see it.
    assert "prostate: bias 0 ml, +1.96 SD +2.15 ml, −1.96 SD −2.15 ml" in differences.description
    assert "ICC(2,1)" in scatter.description and "confidence intervals" in differences.caption


def test_organs_have_their_own_statistics_and_charts():
    section = agreement_section(cases(4, ("prostate", "cyst")), ["prostate", "cyst"])

    assert {row[0] for row in tables(section)[0].rows} == {"prostate", "cyst"}
    assert sum(isinstance(block, Picture) for block in section.blocks) == 2


def test_the_share_of_references_in_their_interval_is_told():
    section = agreement_section(cases(6, interval=True), ["prostate"])  # half-widths of 0.5, 1, ..., 3 and errors of 1

    texts = [block.text for block in section.blocks if isinstance(block, Paragraph)]
    assert "5 of 6 references lie in the 90 % prediction interval." in texts


def test_too_few_references_have_charts_but_no_statistics():
    section = agreement_section(cases(2, dice=None), ["prostate"])

    assert tables(section) == []
    assert any("Fewer than 3 references" in block.text for block in section.blocks if isinstance(block, Paragraph))


@pytest.mark.parametrize("count", [0, 3])
def test_without_references_there_is_no_section(count):
    bare = [dataclasses.replace(case, true_values={}, dice={}) for case in cases(count)]

    assert agreement_section(bare, ["prostate"]).blocks == []
