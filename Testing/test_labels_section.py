"""Section 2 of the panel in the host: suggested slices in all directions; and studies that it cannot open."""

import numpy as np
import pytest
from random_studies import make_study

from USLabelEfficientSegLib.annotation.sparse_labels import LabelledSlice
from USLabelEfficientSegLib.study.coverage import in_percent
from USLabelEfficientSegLib.study.study import Study


def wait(panel, host):
    while panel.runner.busy:
        host.process_events(0.02)
    host.process_events(0.1)


@pytest.mark.parametrize(("axis", "plane"), [(0, "sagittal"), (1, "coronal"), (2, "axial")])
def test_a_suggested_slice_of_any_direction_is_shown_named_and_counted(panel, host, tmp_path, axis, plane):
    import slicer

    folder = tmp_path / "study"
    make_study(folder)
    panel.data.open(folder)
    wait(panel, host)
    session, ui = panel.session, panel.ui
    case = session.cases()[0]
    before, slices = session.study.summary()["labelled_slices"], 16 * len(session.cases())
    assert f"{before} of {slices} slices" in ui.labelFractionLabel.text
    session.suggestions.fill([{"volume": case, "axis": axis, "index": 5, "reason": "no model yet."}])

    ui.nextSliceButton.click()
    host.process_events(0.1)

    node = session.volumeNode(case)
    size = node.GetImageData().GetDimensions()[axis]
    assert panel.labels.shown_slice() == (axis, 5)
    directions = np.zeros((3, 3))
    node.GetIJKToRASDirections(directions)
    normal = slicer.util.arrayFromVTKMatrix(panel.labels.slice_node().GetSliceToRAS())[:3, 2]
    assert abs(normal @ directions[:, axis]) == pytest.approx(1)
    assert panel.labels.editor.activeEffect().name == "Paint"
    assert panel.labels.editor.segmentationNode() is session.labels.node(node)
    assert f"{case}, {plane}, slice 6 of {size}, in the red view: no model yet." == ui.suggestionLabel.text

    rows = ui.sliceTable.rowCount
    count = int(ui.labelTable.item(0, 1).text())
    ui.emptySliceButton.click()
    host.process_events(0.1)
    labels = Study.open(folder).read_labels(case)
    assert labels is not None and LabelledSlice(axis, 5) in labels.labelled_slices()
    share = in_percent(Study.open(folder).label_fraction())
    assert ui.labelFractionLabel.text == (
        f"{before + 1} of {slices} slices are labelled: {share}."
        if axis == 2
        else f"{before + 1} slices are labelled: {share} of all."
    )
    assert int(ui.labelTable.item(0, 1).text()) == count + 1
    texts = [[ui.sliceTable.item(row, column).text() for column in range(2)] for row in range(ui.sliceTable.rowCount)]
    assert len(texts) == rows + 1 and [f"{plane}, slice 6 of {size}", "no organ"] in texts


def test_slices_have_the_name_of_the_nearest_plane_of_the_patient_or_of_their_axis(host):
    from USLabelEfficientSegLib.imaging.geometry import Geometry
    from USLabelEfficientSegLib.slicer_side.nodes.slice_views import sliceName
    from USLabelEfficientSegLib.slicer_side.nodes.volume_nodes import nodeFromVoxels

    def names(degrees):
        c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        turned = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
        geometry = Geometry((4, 5, 6), (1.0, 2.0, 3.0), (0.0, 0.0, 0.0), turned)
        node = nodeFromVoxels("scan", np.arange(120, dtype=np.uint8).reshape(4, 5, 6), geometry)
        return [sliceName(node, axis, 1) for axis in range(3)]

    assert names(30) == ["sagittal, slice 2 of 4", "coronal, slice 2 of 5", "axial, slice 2 of 6"]
    assert names(45) == ["axis i, slice 2 of 4", "axis j, slice 2 of 5", "axial, slice 2 of 6"]
    assert names(90) == ["coronal, slice 2 of 4", "sagittal, slice 2 of 5", "axial, slice 2 of 6"]
