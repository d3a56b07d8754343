import numpy as np


def test_the_sample_is_registered_once_and_needs_no_download(host):
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes import simulated_data

    slicer.modules.sampleDataSources.clear()
    simulated_data.registerSampleData()
    simulated_data.registerSampleData()

    (source,) = slicer.modules.sampleDataSources["Ultrasound"]
    assert source.sampleName == simulated_data.SAMPLE_NAME
    assert source.uris == []
    assert callable(source.customDownloader)


def test_the_study_has_volumes_and_a_few_true_labels(host):
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes.segmentation_nodes import organsNamed
    from USLabelEfficientSegLib.slicer_side.nodes.simulated_data import ORGANS, createSimulatedStudy
    from USLabelEfficientSegLib.slicer_side.session.labelling import LabelledSlices

    nodes = createSimulatedStudy(count=3)

    assert [node.GetName() for node in nodes] == ["simulated_0000", "simulated_0001", "simulated_0002"]
    segmentations = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    assert [segmentation.GetDisplayNode().GetVisibility() for segmentation in segmentations] == [1, 0]
    for node, segmentation in zip(nodes, segmentations, strict=False):
        sparse = LabelledSlices(segmentation, node).sparseLabels(organsNamed(ORGANS))
        empty, shown = (sparse.voxels[:, :, s.index] for s in sparse.labelled_slices())
        assert not empty.any()
        assert set(np.unique(shown)) >= {0, 1}
