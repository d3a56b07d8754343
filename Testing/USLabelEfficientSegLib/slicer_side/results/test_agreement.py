"""Results beside references: pairs, the table, the plots; made again without leaving old nodes behind."""

import numpy as np
import pytest

from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.evaluation.agreement import volume_agreement

SHAPE = (16, 14, 12)


@pytest.fixture
def results(host):
    """Four volumes, each with a result of this module and an expert's segmentation of nearly the same ball."""
    from USLabelEfficientSegLib.imaging.geometry import Geometry
    from USLabelEfficientSegLib.slicer_side.nodes.segmentation_nodes import organsNamed, segmentationFromLabelMap
    from USLabelEfficientSegLib.slicer_side.nodes.study_nodes import RESULT, attach
    from USLabelEfficientSegLib.slicer_side.nodes.volume_nodes import nodeFromVoxels

    geometry = Geometry(SHAPE, (2.0, 2.0, 2.5), (5.0, 0.0, 3.0), np.diag([1.0, -1.0, -1.0]))
    distance = np.linalg.norm(np.indices(SHAPE).T - np.array([8, 7, 6]), axis=-1).T
    made = []
    for number, (found, true) in enumerate([(3.0, 3.5), (4.0, 4.0), (5.0, 4.5), (4.5, 5.0)]):
        volume = nodeFromVoxels(f"scan {number}", distance.astype(np.float32), geometry)
        result = segmentationFromLabelMap(
            (distance < found).astype(np.uint8), volume, organsNamed(["liver"]), f"r{number}"
        )
        attach(result, volume, RESULT)
        names = organsNamed(["liver", "bladder"])
        expert = segmentationFromLabelMap((distance < true).astype(np.uint8), volume, names, f"expert {number}")
        made.append((result, expert))
    return made


def cells(table):
    names = [table.GetColumnName(n) for n in range(table.GetNumberOfColumns())]
    rows = range(table.GetNumberOfRows())
    return [dict(zip(names, [table.GetCellText(r, c) for c in range(len(names))], strict=True)) for r in rows]


def test_results_are_compared_with_the_expert_of_their_own_volume(results):
    from USLabelEfficientSegLib.slicer_side.results.agreement import compare

    compared = compare([result for result, _ in results], [expert for _, expert in reversed(results)])

    assert [(one.case, one.organ) for one in compared] == [(f"r{n}", "liver") for n in range(4)]
    assert compared[1].dice == 1.0 and compared[1].measured_ml == compared[1].reference_ml > 0
    assert compared[0].dice is not None and compared[0].dice < 0.9
    assert compared[0].measured_ml < compared[0].reference_ml
    assert (compared[1].hausdorff_95_mm, compared[1].surface_distance_mm) == (0.0, 0.0)
    assert compared[0].hausdorff_95_mm == pytest.approx(8**0.5)  # voxels of 2 mm that touch by an edge
    assert compared[0].surface_distance_mm is not None and 1.5 < compared[0].surface_distance_mm < 2


def test_the_table_and_the_plots_hold_bland_and_altmans_numbers(results):
    import slicer

    from USLabelEfficientSegLib.slicer_side.results.agreement import BLAND_ALTMAN, SCATTER, agreementNodes, compare

    found, experts = zip(*results, strict=True)
    compared = compare(found, experts)
    expected = volume_agreement([one.measured_ml for one in compared], [one.reference_ml for one in compared])
    table = agreementNodes(compared)

    (row,) = cells(table)
    limits = expected.limits_ml
    assert (row["Organ"], row["Cases"]) == ("liver", "4")
    assert float(row["Bias [ml]"]) == pytest.approx(limits.bias.value, abs=0.0051)
    assert float(row["Lower limit [ml]"]) == pytest.approx(limits.lower.value, abs=0.0051)
    assert float(row["ICC(2,1)"]) == pytest.approx(expected.absolute.value, abs=0.0005)
    assert float(row["Mean Dice"]) == pytest.approx(np.mean([one.dice for one in compared]), abs=0.0005)

    chart = table.GetNodeReference(BLAND_ALTMAN)
    series = [chart.GetNthPlotSeriesNode(n) for n in range(chart.GetNumberOfPlotSeriesNodes())]
    assert [one.GetName() for one in series] == ["liver", "liver, bias", "liver, lower limit", "liver, upper limit"]
    means, differences = (slicer.util.arrayFromTableColumn(series[0].GetTableNode(), name) for name in "xy")
    np.testing.assert_allclose(differences, [one.measured_ml - one.reference_ml for one in compared])
    np.testing.assert_allclose(means, [(one.measured_ml + one.reference_ml) / 2 for one in compared])
    upper = slicer.util.arrayFromTableColumn(series[3].GetTableNode(), "y")
    np.testing.assert_allclose(upper, limits.upper.value)
    assert (
        series[0].GetMarkerStyle() == series[0].MarkerStyleCircle
        and series[1].GetLineStyle() == series[1].LineStyleSolid
    )

    scatter = table.GetNodeReference(SCATTER)
    points = scatter.GetNthPlotSeriesNode(0).GetTableNode()
    np.testing.assert_allclose(slicer.util.arrayFromTableColumn(points, "x"), [one.reference_ml for one in compared])


def test_a_second_comparison_replaces_the_nodes_of_the_first(results):
    import slicer

    from USLabelEfficientSegLib.slicer_side.results.agreement import agreementNodes, compare

    found, experts = zip(*results, strict=True)
    compared = compare(found, experts)
    table = agreementNodes(compared)
    count = slicer.mrmlScene.GetNumberOfNodes()

    assert agreementNodes(compared, table) is table
    assert slicer.mrmlScene.GetNumberOfNodes() == count


def test_volumes_of_another_measurement_count_more_and_few_cases_have_no_limits(results):
    from USLabelEfficientSegLib.slicer_side.results.agreement import agreementNodes, compare

    pairs = [result for result, _ in results[:2]], [expert for _, expert in results[:2]]
    compared = compare(*pairs, {"scan 0": {"liver": 1.5}, "r1": {"liver": 2.5, "spleen": 9.0}})

    assert [one.reference_ml for one in compared] == [1.5, 2.5]
    (row,) = cells(agreementNodes(compared))
    assert row["Cases"] == "2" and row["Lower limit [ml]"] == row["ICC(2,1)"] == ""


def test_references_that_fit_nothing_are_refused(results):
    from USLabelEfficientSegLib.slicer_side.results.agreement import compare

    with pytest.raises(InputError, match="no segmentation by this module"):
        compare([results[0][0]], [results[1][1]])
    with pytest.raises(InputError, match="share no case and organ"):
        compare([results[0][0]], [], {"scan 7": {"liver": 1.0}})
