import numpy as np
import pytest
from random_volume_nodes import put_under_transform, random_volume_node

from USLabelEfficientSegLib.errors import InputError


@pytest.fixture
def node(host):
    return random_volume_node(np.random.default_rng(0), "scan", shape=(5, 6, 7))


def test_a_copy_of_the_voxels_is_returned(node):
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes.volume_nodes import scanFromNode

    volume = scanFromNode(node)
    before = volume.voxels.copy()
    slicer.util.arrayFromVolume(node)[:] = 0

    assert volume.name == "scan"
    np.testing.assert_array_equal(volume.voxels, before)


@pytest.mark.parametrize("kind", [np.int32, np.float64, np.uint32])
def test_types_that_are_not_stored_become_float32(host, kind):
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes.volume_nodes import scanFromNode

    node = slicer.util.addVolumeFromArray(np.arange(60).reshape(3, 4, 5).astype(kind))

    assert scanFromNode(node).voxels.dtype == np.float32


def test_colours_become_grey(host):
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes.volume_nodes import scanFromNode

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "colour")
    slicer.util.updateVolumeFromArray(node, np.zeros((3, 4, 5, 3), dtype=np.uint8))
    slicer.util.arrayFromVolume(node)[:] = [255, 0, 0]
    slicer.util.arrayFromVolume(node)[0, 0, 0] = [0, 255, 0]

    voxels = scanFromNode(node).voxels

    assert voxels.shape == (5, 4, 3)
    assert (voxels[0, 0, 0], voxels[1, 1, 1]) == (150, 76)


def test_a_volume_without_voxels_is_refused_by_name(host):
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes.volume_nodes import geometryOfNode, scanFromNode

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")

    with pytest.raises(InputError, match=r"^empty: holds no voxels; load"):
        scanFromNode(node)
    with pytest.raises(InputError, match=r"^empty: holds no voxels"):
        geometryOfNode(node)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused_by_name(node, value):
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes.volume_nodes import scanFromNode

    slicer.util.updateVolumeFromArray(node, np.full((3, 4, 5), value, dtype=np.float32))

    with pytest.raises(InputError, match=r"^scan: holds NaN or infinite"):
        scanFromNode(node)


def test_the_world_geometry_follows_scaling_transforms(host):
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes.volume_nodes import geometryOfNode, worldGeometry

    node = slicer.util.addVolumeFromArray(np.arange(60, dtype=np.int16).reshape(3, 4, 5), np.diag([0.5, 1.0, 2.0, 1.0]))
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(np.diag([2.0, 2.0, 2.0, 1.0])))
    node.SetAndObserveTransformNodeID(transform.GetID())

    assert geometryOfNode(node).spacing == pytest.approx((0.5, 1.0, 2.0))
    assert worldGeometry(node).spacing == pytest.approx((1.0, 2.0, 4.0))
    assert worldGeometry(node).voxel_volume_ml == pytest.approx(0.008)


def test_a_transform_that_shears_or_bends_is_refused(host):
    import slicer
    import vtk

    from USLabelEfficientSegLib.slicer_side.nodes.volume_nodes import worldGeometry

    node = slicer.util.addVolumeFromArray(np.arange(60, dtype=np.int16).reshape(3, 4, 5), name="scan")
    shear = np.eye(4)
    shear[0, 1] = 0.5
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(shear))
    node.SetAndObserveTransformNodeID(transform.GetID())

    with pytest.raises(InputError, match=r"^scan: has a position or axes that are not finite, orthogonal"):
        worldGeometry(node)

    bend = vtk.vtkThinPlateSplineTransform()
    for points in ("Source", "Target"):
        landmarks = vtk.vtkPoints()
        for x, y, z in np.random.default_rng(3 if points == "Target" else 4).uniform(0, 9, (6, 3)):
            landmarks.InsertNextPoint(x, y, z)
        getattr(bend, f"Set{points}Landmarks")(landmarks)
    bend.SetBasisToR()
    warp = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTransformNode", "breathing")
    warp.SetAndObserveTransformToParent(bend)
    node.SetAndObserveTransformNodeID(warp.GetID())
    with pytest.raises(InputError, match=r"^scan: is under the transform breathing, which bends it; harden"):
        worldGeometry(node)


def test_a_new_node_is_placed_beside_its_reference(node):
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes.volume_nodes import geometryOfNode, nodeFromVoxels

    put_under_transform(np.random.default_rng(5), node)
    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
    patient = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "patient")
    hierarchy.SetItemParent(hierarchy.GetItemByDataNode(node), patient)

    made = nodeFromVoxels("made", np.zeros((5, 6, 7)), geometryOfNode(node), node)

    assert made.GetParentTransformNode() is node.GetParentTransformNode()
    assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(made)) == patient
    assert made.GetDisplayNode() is not None


def test_the_frames_of_a_sequence_become_volumes(host):
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes.sequences import sequenceFrames
    from USLabelEfficientSegLib.slicer_side.nodes.volume_nodes import scanFromNode

    sequence = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", "heart")
    frame = slicer.util.addVolumeFromArray(np.arange(60).reshape(3, 4, 5).astype(np.int16))
    for time in (0, 1, 2):
        slicer.util.arrayFromVolume(frame)[0, 0, 0] = 100 + time
        sequence.SetDataNodeAtValue(frame, str(time))

    nodes = sequenceFrames(sequence)

    assert [node.GetName() for node in nodes] == ["heart_0", "heart_1", "heart_2"]
    assert [scanFromNode(node).voxels[0, 0, 0] for node in nodes] == [100, 101, 102]
    assert all(node.GetScene() is slicer.mrmlScene for node in nodes)


def test_a_sequence_of_something_else_is_refused(host):
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes.sequences import sequenceFrames

    empty = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", "empty")
    transforms = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", "tracking")
    transforms.SetDataNodeAtValue(slicer.vtkMRMLLinearTransformNode(), "0")

    for sequence in (empty, transforms):
        with pytest.raises(InputError, match="is no sequence of volumes or images"):
            sequenceFrames(sequence)
