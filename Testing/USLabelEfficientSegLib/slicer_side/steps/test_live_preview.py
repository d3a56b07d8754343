"""What a running training finds is outlined over the volume that is watched, and is gone without a trace afterwards."""

import numpy as np
import pytest

from USLabelEfficientSegLib.imaging.files import write_label_map, write_volume
from USLabelEfficientSegLib.imaging.resampling import working_geometry
from USLabelEfficientSegLib.imaging.scan import LabelMap
from USLabelEfficientSegLib.imaging.simulator import simulate_volume
from USLabelEfficientSegLib.study.study import Study
from USLabelEfficientSegLib.study.watching import PREVIEW, watch_volume


@pytest.fixture
def session(host, tmp_path):
    """A study of one volume, loaded."""
    from USLabelEfficientSegLib.slicer_side.processes.jobs import Job
    from USLabelEfficientSegLib.slicer_side.session.study_session import StudySession

    (tmp_path / "images").mkdir()
    volume = simulate_volume(0, shape=(40, 36, 32), spacing=(2.0, 2.0, 2.0), origin=(5.0, -3.0, 20.0)).volume
    write_volume(tmp_path / "images" / "a.nrrd", volume)
    Study.create(tmp_path / "study", tmp_path / "images", organs=["liver"])
    made = StudySession(tmp_path / "study")
    Job("", made.load).wait()
    return made


def write_preview(session):
    """What training leaves: a block of liver on a coarse grid."""
    geometry = working_geometry(session.study.read_scan("a").geometry, 20)
    voxels = np.zeros(geometry.shape, dtype=np.uint8)
    voxels[5:10, 5:10, 5:10] = 1
    (session.folder / PREVIEW).parent.mkdir(exist_ok=True)
    write_label_map(session.folder / PREVIEW, LabelMap(voxels, geometry, "a"))
    return geometry


def test_the_preview_lies_where_it_was_found_and_replaces_the_one_before(session):
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes.study_nodes import PREVIEW as ROLE
    from USLabelEfficientSegLib.slicer_side.nodes.study_nodes import madeFor
    from USLabelEfficientSegLib.slicer_side.steps.live_preview import remove_preview, show_preview

    geometry = write_preview(session)
    watch_volume(session.folder, "a")
    volumes = len(slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode"))

    show_preview(session, PREVIEW)
    node = show_preview(session, PREVIEW)

    assert node is not None
    assert madeFor(session.volumeNode("a"), ROLE) == [node] and not node.GetSaveWithScene()
    assert node.GetSegmentation().GetNthSegment(0).GetName() == "liver"
    assert len(slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")) == volumes
    segment, volume = node.GetSegmentation().GetNthSegmentID(0), session.volumeNode("a")
    mask = slicer.util.arrayFromSegmentBinaryLabelmap(node, segment, volume).T
    found = session.study.read_scan("a").geometry.index_to_physical(np.argwhere(mask).mean(axis=0))
    np.testing.assert_allclose(found, geometry.index_to_physical([7, 7, 7]), atol=1.0)

    remove_preview()
    assert madeFor(None, ROLE) == []


def test_without_a_watched_volume_nothing_is_shown(session):
    from USLabelEfficientSegLib.slicer_side.steps.live_preview import show_preview

    write_preview(session)
    assert show_preview(session, PREVIEW) is None

    watch_volume(session.folder, "of another study")
    assert show_preview(session, PREVIEW) is None


def test_the_preview_of_an_image_lies_on_its_pixels(host, tmp_path):
    from simulated_heads import write_heads

    from USLabelEfficientSegLib.imaging.pixel_sizes import PixelSizes
    from USLabelEfficientSegLib.slicer_side.nodes.segmentation_nodes import labelsOfSlice
    from USLabelEfficientSegLib.slicer_side.session.study_session import StudySession
    from USLabelEfficientSegLib.slicer_side.steps.live_preview import show_preview

    write_heads(tmp_path / "data", 2)
    images, sizes = tmp_path / "data" / "images", PixelSizes(otherwise=0.3)
    Study.create(tmp_path / "study", images, organs=["head"], pixel_sizes=sizes)
    session = StudySession(tmp_path / "study")
    geometry = session.study.read_scan("head_1").geometry
    voxels = np.zeros(geometry.shape, dtype=np.uint8)
    voxels[20:40, 10:30] = 1
    (session.folder / PREVIEW).parent.mkdir()
    write_label_map(session.folder / PREVIEW, LabelMap(voxels, geometry, "head_1"))
    watch_volume(session.folder, "head_1")
    assert show_preview(session, PREVIEW) is None  # nobody looks at it any more

    image = session.node("head_1")
    node = show_preview(session, PREVIEW)

    assert node is not None
    np.testing.assert_array_equal(labelsOfSlice(node, image, session.organs(), 2, 0), voxels[..., 0])
