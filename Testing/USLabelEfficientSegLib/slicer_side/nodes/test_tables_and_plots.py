import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - the name that its users know

from USLabelEfficientSegLib.slicer_side.results.node_measurements import ResultVolume
from USLabelEfficientSegLib.study.events import Event

ROWS = [
    ResultVolume(
        "scan 1", "prostate", 1234, 12.3456, 12.1, True, interval_ml=(10.25, 14.0), cautions=("cut_by_edge", "holes")
    ),
    ResultVolume("scan 1", "lesion", 10, 0.105, 0.105, cautions=("edited",)),
]


def cells(table):
    return [[table.GetCellText(row, column) for column in range(8)] for row in range(table.GetNumberOfRows())]


def test_volumes_become_a_table_in_ml(host):
    from USLabelEfficientSegLib.slicer_side.nodes.tables_and_plots import volumesTableNode

    table = volumesTableNode(ROWS)

    headings = [table.GetColumnName(column) for column in range(table.GetNumberOfColumns())]
    interval = ["90 % interval, low [ml]", "90 % interval, high [ml]"]
    assert headings == ["Case", "Organ", "Volume [ml]", "Outline volume [ml]", *interval, "Voxels", "Cautions"]
    expected = ["12.3456", "12.1", "10.25", "14", "1234", "cut by edge, holes"]
    assert cells(table)[0] == ["scan 1", "prostate", *expected]
    assert cells(table)[1][2:] == ["0.105", "0.105", "", "", "10", "edited"]
    assert table.GetLocked()


def test_a_table_is_filled_anew(host):
    from USLabelEfficientSegLib.slicer_side.nodes.tables_and_plots import volumesTableNode

    table = volumesTableNode(ROWS)

    assert volumesTableNode(ROWS[1:], table) is table
    assert [row[1] for row in cells(table)] == ["lesion"]
    assert volumesTableNode([], table).GetNumberOfRows() == 0


def test_a_table_is_saved_as_csv(host, tmp_path):
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes.tables_and_plots import volumesTableNode

    assert slicer.util.saveNode(volumesTableNode(ROWS), str(tmp_path / "volumes.csv"))

    text = (tmp_path / "volumes.csv").read_text(encoding="utf-8")
    assert "Volume [ml]" in text.splitlines()[0]
    assert "90 % interval, low [ml]" in text.splitlines()[0] and "10.25" in text and "edited" in text
    assert "12.3456" in text


def test_the_chart_shows_the_losses_of_the_current_stage(host):
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes.tables_and_plots import lossPlotNodes

    events = [Event("teacher", step, 9, losses={"total": 3.0 / (step + 1), "dino": 1.0}) for step in range(9)]
    chart = lossPlotNodes(events)
    assert chart.GetTitle() == "Training: Studying all slices, without labels"
    assert chart.GetNumberOfPlotSeriesNodes() == 2
    made = slicer.mrmlScene.GetNumberOfNodes()

    events += [Event("slice head", 0, 5, losses={"labels": 0.7})]
    assert lossPlotNodes(events, chart) is chart

    assert chart.GetTitle() == "Training: Learning from your labels"
    assert chart.GetNumberOfPlotSeriesNodes() == 1
    assert chart.GetNthPlotSeriesNode(0).GetName() == "Learning from your labels: labels"
    assert slicer.mrmlScene.GetNumberOfNodes() == made + 2


def test_curves_grow_in_place_and_resumed_steps_count_once(host):
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes.tables_and_plots import lossPlotNodes

    events = [Event("student", step, 9, losses={"loss": float(step)}) for step in (0, 1, 2)]
    chart = lossPlotNodes(events)
    series = chart.GetNthPlotSeriesNode(0)
    resumed = [Event("student", step, 9, losses={"loss": 10.0 + step}) for step in (1, 2, 3)]

    lossPlotNodes(events + resumed, chart)

    assert chart.GetNthPlotSeriesNode(0) is series
    table = series.GetTableNode()
    assert slicer.util.arrayFromTableColumn(table, "step").tolist() == [0, 1, 2, 3]
    assert slicer.util.arrayFromTableColumn(table, "loss").tolist() == [0.0, 11.0, 12.0, 13.0]


def test_events_without_losses_make_an_empty_chart(host):
    from USLabelEfficientSegLib.slicer_side.nodes.tables_and_plots import lossPlotNodes

    assert lossPlotNodes([Event("teacher", 0, 9)]).GetNumberOfPlotSeriesNodes() == 0


def test_uncertainty_is_transparent_where_it_is_low(host, tmp_path):
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes.tables_and_plots import uncertaintyNode

    volume = slicer.util.addVolumeFromArray(np.full((20, 20, 20), 100.0))
    slicer.util.arrayFromVolume(volume)[0] = 0
    values = np.zeros((20, 20, 20), dtype=np.float32)
    values[:10] = 0.9

    node = uncertaintyNode(values, volume, "uncertain")

    assert node.GetDisplayNode().GetColorNode().GetTypeAsString() == "Iron"
    assert (node.GetDisplayNode().GetWindowLevelMin(), node.GetDisplayNode().GetWindowLevelMax()) == (0, 1)
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(node).T, values)
    slicer.util.setSliceViewerLayers(foreground=node, foregroundOpacity=1)
    host.render_slice_view(volume, 2, tmp_path / "view.png", size=(200, 200))
    picture = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "view.png"))).astype(int)
    coloured = np.abs(picture[..., 0] - picture[..., 2]) > 30
    assert sorted(round(half, 1) for half in (coloured[:, :100].mean(), coloured[:, 100:].mean())) == [0.0, 1.0]
    assert coloured.mean() == pytest.approx(0.5, abs=0.03)
