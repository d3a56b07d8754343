"""Run inside Slicer by ctest: volumes, segmentations and slice views keep every voxel in its place."""

import unittest

import numpy as np
import slicer
import vtk


class MrmlExchangeTest(unittest.TestCase):
    """What `Testing/USLabelEfficientSegLib/slicer_side` tests outside Slicer, once more with Slicer itself."""

    def setUp(self):
        slicer.mrmlScene.Clear(0)

    def obliqueVolume(self):
        """A left-handed, oblique, anisotropic volume under a rigid transform."""
        rng = np.random.default_rng(0)
        rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
        rotation[:, 0] *= -np.sign(np.linalg.det(rotation))
        ijkToRas = np.eye(4)
        ijkToRas[:3, :3] = rotation * [0.5, 0.8, 1.7]
        ijkToRas[:3, 3] = rng.uniform(-100, 100, 3)
        voxels = rng.integers(0, 255, (12, 14, 16)).astype(np.uint8)
        volume = slicer.util.addVolumeFromArray(voxels, ijkToRas, "oblique")
        transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        matrix = vtk.vtkTransform()
        matrix.RotateWXYZ(33, 1, 2, 3)
        matrix.Translate(10, -20, 30)
        transform.SetMatrixTransformToParent(matrix.GetMatrix())
        volume.SetAndObserveTransformNodeID(transform.GetID())
        return volume, voxels

    def test_a_segmentation_returns_the_voxels_it_was_made_of(self):
        from USLabelEfficientSegLib.slicer_side.nodes import segmentation_nodes, volume_nodes

        volume, voxels = self.obliqueVolume()
        read = volume_nodes.scanFromNode(volume)
        np.testing.assert_array_equal(read.voxels, voxels.T)
        labels = np.random.default_rng(1).integers(0, 3, read.voxels.shape).astype(np.uint8)
        organs = segmentation_nodes.organsNamed(["prostate", "bladder"])
        node = segmentation_nodes.segmentationFromLabelMap(labels, volume, organs, "result")
        np.testing.assert_array_equal(segmentation_nodes.labelMapFromSegmentation(node, volume, organs), labels)
        exported = slicer.util.arrayFromSegmentBinaryLabelmap(node, node.GetSegmentation().GetNthSegmentID(0), volume)
        np.testing.assert_array_equal(exported.T != 0, labels == 1)

    def test_a_slice_view_shows_the_slice_it_is_asked_for(self):
        from USLabelEfficientSegLib.slicer_side.nodes import slice_views

        volume, _ = self.obliqueVolume()
        view = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceNode()
        for axis in range(3):
            slice_views.showSlice(view, volume, axis, 5)
            self.assertEqual(slice_views.shownSlice(view, volume), (axis, 5))

    def test_labelled_slices_are_remembered_by_their_segmentation(self):
        from USLabelEfficientSegLib.slicer_side.nodes import segmentation_nodes
        from USLabelEfficientSegLib.slicer_side.session import labelling

        volume, _ = self.obliqueVolume()
        organs = segmentation_nodes.organsNamed(["prostate"])
        node = segmentation_nodes.createLabelSegmentation(volume, organs)
        labels = np.zeros((16, 14), dtype=np.uint8)
        labels[4:9, 3:7] = 1
        labelling.LabelledSlices(node, volume).setLabels(2, 3, labels, organs)
        sparse = labelling.LabelledSlices(node, volume).sparseLabels(organs)
        np.testing.assert_array_equal(sparse.voxels[:, :, 3], labels)
        self.assertEqual([(s.axis, s.index) for s in sparse.labelled_slices()], [(2, 3)])


if __name__ == "__main__":
    unittest.main()
