"""Results belong to the volumes that the job was started with, and never replace what is not theirs."""

import time

import numpy as np
import pytest

from USLabelEfficientSegLib.errors import Cancelled, InputError


@pytest.fixture
def volumes(host):
    """Two volumes with a bright block each."""
    from USLabelEfficientSegLib.imaging.geometry import Geometry
    from USLabelEfficientSegLib.slicer_side.nodes.volume_nodes import nodeFromVoxels

    nodes = []
    for name, start in (("a", 2), ("b", 5)):
        voxels = np.zeros((12, 10, 8), dtype=np.uint8)
        voxels[start : start + 4, 3:6, 2:5] = 200
        voxels[0, 0, 0] = 1
        geometry = Geometry(voxels.shape, (1.0, 2.0, 3.0), (5.0, 0.0, start), np.diag([1.0, -1.0, -1.0]))
        nodes.append(nodeFromVoxels(name, voxels, geometry))
    return nodes


@pytest.fixture
def job(volumes, quick_model, tmp_path):
    """A segmentation of both volumes, not started; keyword arguments are those of the request."""
    from USLabelEfficientSegLib.slicer_side.processes.jobs import Job
    from USLabelEfficientSegLib.slicer_side.results.results import SegmentationRequest, segment

    def make(**options):
        request = SegmentationRequest(quick_model, **options)
        return Job("Segmentation", lambda job: segment(job, volumes, request, tmp_path / "logs"), "segment")

    return make


def run_until(job, condition):
    import slicer

    for _ in range(2000):
        if condition():
            return
        assert job.step(), job.sentence
        slicer.app.processEvents()
        time.sleep(0.005)
    raise AssertionError("nothing happened")


def test_each_volume_gets_its_own_segmentation_beside_it(job, volumes, go_on):
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes.study_nodes import UNCERTAINTY, madeFor, volumeOf

    go_on()
    results = job().wait()

    assert [volumeOf(node) for node in results] == volumes
    assert [node.GetName() for node in results] == ["a segmentation", "b segmentation"]
    for node, volume in zip(results, volumes, strict=True):
        segmentation = node.GetSegmentation()
        assert [segmentation.GetNthSegment(n).GetName() for n in range(2)] == ["liver", "bladder"]
        mask = slicer.util.arrayFromSegmentBinaryLabelmap(node, segmentation.GetNthSegmentID(0), volume)
        np.testing.assert_array_equal(mask > 0, slicer.util.arrayFromVolume(volume) > 100)
        assert len(madeFor(volume, UNCERTAINTY)) == 1
        assert segmentation.ContainsRepresentation("Closed surface")


def test_a_volume_that_is_removed_meanwhile_costs_only_its_own_result(job, volumes, go_on):
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes.study_nodes import RESULT, madeFor, volumeOf

    running = job(uncertainty=False)
    run_until(running, lambda: bool(madeFor(None, RESULT)))
    slicer.mrmlScene.RemoveNode(volumes[1])
    go_on()

    (result,) = running.wait()

    assert volumeOf(result) is volumes[0]
    assert madeFor(None, RESULT) == [result]


def test_closing_the_scene_meanwhile_does_no_harm(job, volumes, go_on, host):
    running = job()
    run_until(running, lambda: running.progress == 0.55)
    host.clear_scene()
    go_on()

    assert running.wait() == []


def test_a_volume_that_is_changed_meanwhile_is_told(job, volumes, go_on):
    running = job()
    run_until(running, lambda: running.progress == 0.55)
    volumes[1].SetSpacing(2.0, 2.0, 2.0)
    go_on()

    with pytest.raises(InputError, match="b: was changed while it was segmented; segment it again"):
        running.wait()


def test_segmentations_are_kept_unless_their_replacement_is_asked_for(job, volumes, go_on):
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes.study_nodes import RESULT, UNCERTAINTY, madeFor

    go_on()
    own = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "a segmentation")
    own.SetReferenceImageGeometryParameterFromVolumeNode(volumes[0])
    job().wait()
    job().wait()
    assert len(madeFor(volumes[0], RESULT)) == 2

    job(replace=True).wait()

    assert len(madeFor(volumes[0], RESULT)) == len(madeFor(volumes[0], UNCERTAINTY)) == 1
    assert own.GetScene() is slicer.mrmlScene and own.GetName() == "a segmentation"


def test_cancelling_keeps_what_is_finished(job, volumes):
    from USLabelEfficientSegLib.slicer_side.nodes.study_nodes import RESULT, madeFor

    running = job()
    run_until(running, lambda: bool(madeFor(None, RESULT)))
    running.cancel()

    with pytest.raises(Cancelled):
        running.wait()
    assert running.state == "cancelled" and len(madeFor(None, RESULT)) == 1


def test_a_failure_tells_cause_remedy_and_log(job, quick_model):
    quick_model.write_text("damaged")
    running = job()

    with pytest.raises(InputError, match=r"model: is damaged; train it again\. Log: .* segment\.log"):
        running.wait()
    assert running.state == "failed" and "is damaged" in running.log.read_text()


def test_volumes_are_in_millilitres_under_the_transforms_of_their_volume(job, volumes, go_on):
    import slicer
    import vtk

    from USLabelEfficientSegLib.slicer_side.results.results import computeVolumes

    go_on()
    results = job(uncertainty=False, show3D=False).wait()
    doubled = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    matrix = vtk.vtkMatrix4x4()
    for axis in range(3):
        matrix.SetElement(axis, axis, 2.0)
    doubled.SetMatrixTransformToParent(matrix)
    for node in (volumes[1], results[1]):
        node.SetAndObserveTransformNodeID(doubled.GetID())

    table = computeVolumes(results)

    cells = {(table.GetCellText(row, 0), table.GetCellText(row, 1)): table.GetCellText(row, 3) for row in range(4)}
    assert float(cells["a segmentation", "liver"]) == pytest.approx(4 * 3 * 3 * 6 / 1000, abs=0.006)
    assert float(cells["b segmentation", "liver"]) == pytest.approx(8 * 4 * 3 * 3 * 6 / 1000, abs=0.006)
    assert float(cells["b segmentation", "bladder"]) == 0


def row_of(table, row):
    """Cells of a table node by the names of their columns."""
    return {table.GetColumnName(column): table.GetCellText(row, column) for column in range(table.GetNumberOfColumns())}


def edit(node, volume, segment_number=0):
    import slicer

    segment = node.GetSegmentation().GetNthSegmentID(segment_number)
    voxels = slicer.util.arrayFromSegmentBinaryLabelmap(node, segment, volume).copy()
    voxels[0, 0, 0] = 1
    voxels[tuple(np.argwhere(voxels)[-1])] = 0  # as many voxels as before
    slicer.util.updateSegmentBinaryLabelmapFromArray(voxels, node, segment, volume)


def test_volume_from_probabilities_interval_and_flags_are_given_until_the_segment_is_edited(job, volumes, go_on):
    from USLabelEfficientSegLib.slicer_side.results.results import computeVolumes

    go_on()
    node = job(uncertainty=False, show3D=False).wait()[0]
    before = [row_of(computeVolumes([node]), row) for row in range(2)]
    ml = 4 * 3 * 3 * 6 / 1000
    assert float(before[0]["Volume [ml]"]) == pytest.approx(1.01 * ml, abs=0.006)
    assert float(before[0]["90 % interval, low [ml]"]) == pytest.approx(0.9 * ml, abs=0.006)
    assert float(before[0]["90 % interval, high [ml]"]) == pytest.approx(1.2 * ml, abs=0.006)
    assert before[0]["Cautions"] == "cut by edge, holes" and before[1]["Cautions"] == "empty"
    assert before[1]["90 % interval, low [ml]"] == ""

    edit(node, volumes[0])

    after = [row_of(computeVolumes([node]), row) for row in range(2)]
    assert after[0]["Volume [ml]"] == after[0]["Outline volume [ml]"] == before[0]["Outline volume [ml]"]
    assert after[0]["90 % interval, low [ml]"] == after[0]["90 % interval, high [ml]"] == ""
    assert after[0]["Cautions"] == "edited"
    assert after[1] == before[1]  # the other organ is as it was


def test_interval_and_volume_follow_transform_and_scene(job, volumes, go_on, host, tmp_path):
    import slicer
    import vtk

    from USLabelEfficientSegLib.slicer_side.results.results import organVolumes

    go_on()
    node = job(uncertainty=False, show3D=False).wait()[0]
    slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    host.clear_scene()
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    node, volume = slicer.util.getNode("a segmentation"), slicer.util.getNode("a")
    native = organVolumes(node)[0]
    doubled = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    matrix = vtk.vtkMatrix4x4()
    matrix.SetElement(1, 1, 2.0)
    doubled.SetMatrixTransformToParent(matrix)
    for one in (volume, node):
        one.SetAndObserveTransformNodeID(doubled.GetID())

    row = organVolumes(node)[0]

    assert native.interval_ml == pytest.approx((0.9 * native.outline_volume_ml, 1.2 * native.outline_volume_ml))
    assert row.outline_volume_ml == pytest.approx(2 * native.outline_volume_ml)
    assert row.interval_ml == pytest.approx((0.9 * row.outline_volume_ml, 1.2 * row.outline_volume_ml))
    assert row.volume_ml == pytest.approx(1.01 * row.outline_volume_ml)


def test_a_segment_drawn_by_hand_has_a_volume_only(job, volumes, go_on):
    from USLabelEfficientSegLib.slicer_side.results.results import organVolumes

    go_on()
    node = job(uncertainty=False, show3D=False).wait()[0]
    node.GetSegmentation().GetNthSegment(0).SetName("kidney")

    row = organVolumes(node)[0]

    assert row.organ == "kidney" and row.volume_ml > 0
    assert row.volume_ml == row.outline_volume_ml and row.interval_ml is None and row.cautions == ()


def test_only_the_result_of_the_volume_in_the_views_is_shown(job, volumes, go_on):
    import slicer

    slicer.util.setSliceViewerLayers(background=volumes[1])
    go_on()

    first, second = job(uncertainty=False).wait()

    assert not first.GetDisplayVisibility() and second.GetDisplayVisibility()


def test_after_a_training_results_are_replaced_unless_somebody_has_corrected_them(job, volumes, go_on):
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes.study_nodes import RESULT, STUDY, madeFor

    go_on()
    first = job(uncertainty=False, show3D=False).wait()
    segment_id = first[1].GetSegmentation().GetNthSegmentID(0)
    voxels = slicer.util.arrayFromSegmentBinaryLabelmap(first[1], segment_id, volumes[1]).copy()
    voxels[2] = 0
    slicer.util.updateSegmentBinaryLabelmapFromArray(voxels, first[1], segment_id, volumes[1])

    second = job(uncertainty=False, show3D=False, replace=True, keepEdited=True, study="2026-01-01").wait()

    assert madeFor(volumes[0], RESULT) == [second[0]]
    assert madeFor(volumes[1], RESULT) == [first[1], second[1]]
    assert second[0].GetAttribute(STUDY) == "2026-01-01"
