"""Studies of 2-D images in the scene: nodes of one slice, sequences, folders of hundreds that stay on disk."""

import numpy as np
import pytest
from oblique_volumes import turned
from simulated_heads import write_heads

from USLabelEfficientSegLib.annotation.sparse_labels import LabelledSlice
from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.study.study import Study

SHAPE = (14, 10, 1)
PIXEL_MM = (0.3, 0.7)


def image_node(name, seed=0):
    """An oblique 2-D image with pixels that are no squares."""
    from USLabelEfficientSegLib.slicer_side.nodes.volume_nodes import nodeFromVoxels

    voxels = np.random.default_rng(seed).integers(0, 255, SHAPE).astype(np.uint8)
    geometry = Geometry(SHAPE, (*PIXEL_MM, 2.5), (30.0, -20.0, 10.0 + seed), turned(25, 0) @ turned(40, 2))
    return nodeFromVoxels(name, voxels, geometry)


def run(steps):
    from USLabelEfficientSegLib.slicer_side.processes.jobs import Job

    return Job("", steps, "create").wait()


def organs(names=("head",)):
    from USLabelEfficientSegLib.slicer_side.nodes.segmentation_nodes import organsNamed

    return organsNamed(names)


def study_of(folder, nodes=(), images=None):
    from USLabelEfficientSegLib.slicer_side.processes.study_jobs import createStudy

    return run(lambda job: createStudy(job, folder, list(nodes), organs(), 2, images))


def sequence_of(nodes, name="cine"):
    import slicer

    sequence = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", name)
    for time, node in enumerate(nodes):
        sequence.SetDataNodeAtValue(node, str(time))
    return sequence


def volume_nodes():
    import slicer

    return slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")


@pytest.fixture
def heads(host, tmp_path):
    """A study of a folder of 20 PNG files."""
    from USLabelEfficientSegLib.slicer_side.session.image_folder import ImageFolder

    write_heads(tmp_path / "data", 20)
    folder = ImageFolder(tmp_path / "data" / "images", pixelSizes=tmp_path / "data" / "sizes.csv")
    return study_of(tmp_path / "heads", images=folder)


def paint(session, case, value=1, rows=slice(8, 20)):
    """Paint a bar on an image, as the user does with the brush, without keeping it."""
    from USLabelEfficientSegLib.slicer_side.nodes.segmentation_nodes import setSliceLabels

    labelling = session.labels.of(case)
    shape = session.study.case(case).image.shape
    pixels = np.zeros(shape[:2], dtype=np.uint8)
    pixels[5:30, rows] = value
    setSliceLabels(labelling.segmentationNode, labelling.volumeNode, session.organs(), 2, 0, pixels)
    return pixels


def test_nodes_of_one_slice_become_a_study_of_images_with_exactly_their_pixels_and_places(host, tmp_path):
    from USLabelEfficientSegLib.slicer_side.nodes.volume_nodes import geometryOfNode, scanFromNode

    nodes = [image_node("a", 1), image_node("b", 2)]

    session = study_of(tmp_path / "study", nodes)

    assert session.isPlanar and session.study.dimension == 2 and session.cases() == ["a", "b"]
    for node in nodes:
        stored = session.study.read_scan(session.caseOf(node))
        np.testing.assert_array_equal(stored.voxels, scanFromNode(node).voxels)
        assert stored.geometry.same_grid(geometryOfNode(node), 1e-9)
        assert session.volumeNode(node.GetName()) is node


def test_the_label_of_an_image_is_saved_at_once_and_shown_again_in_another_scene(host, tmp_path):
    from USLabelEfficientSegLib.slicer_side.session.study_session import StudySession

    session = study_of(tmp_path / "study", [image_node("a", 1), image_node("b", 2)])
    painted = np.zeros(SHAPE[:2], dtype=np.uint8)
    painted[3:9, 2:7] = 1
    session.labels.of("a").setLabels(2, 0, painted, session.organs())
    session.labels.of("b").markEmpty(2, 0, session.organs())
    for case in "ab":
        session.labels.save(case, studyIsBusy=False)

    host.clear_scene()
    again = StudySession(session.folder)
    run(again.load)

    assert again.labels.slices("a") == [(LabelledSlice(2, 0), ["head"])]
    assert again.labels.slices("b") == [(LabelledSlice(2, 0), [])]
    stored = again.study.read_labels("a")
    assert stored is not None
    np.testing.assert_array_equal(stored.voxels[..., 0], painted)
    np.testing.assert_array_equal(again.labels.of("a").sparseLabels(again.organs()).voxels[..., 0], painted)


@pytest.mark.parametrize("removed", [False, True])
def test_an_image_that_is_labelled_while_its_study_is_trained_is_taken_over_afterwards(host, tmp_path, removed):
    session = study_of(tmp_path / "study", [image_node("a", 1), image_node("b", 2)])
    session.labels.of("b").markEmpty(2, 0, session.organs())
    session.labels.save("b", studyIsBusy=False)
    if removed:
        session.labels.of("b").remove(2, 0)
    else:
        session.labels.of("a").markEmpty(2, 0, session.organs())

    with Study.open(session.folder).lock():  # as training does
        session.labels.save("b" if removed else "a", studyIsBusy=True)
    session.labels.takeLeft()

    labelled = [case.name for case in Study.open(session.folder).cases if case.labels is not None]
    assert labelled == ([] if removed else ["a", "b"])


def test_a_picture_that_tells_no_pixel_size_is_refused_until_it_has_one(host, tmp_path):
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes.volume_nodes import scanFromNode

    write_heads(tmp_path / "data", 1)
    node = slicer.util.addVolumeFromArray(np.arange(48.0).reshape(1, 6, 8), name="head_0")
    storage = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
    storage.SetFileName(str(tmp_path / "data" / "images" / "head_0.png"))
    node.SetAndObserveStorageNodeID(storage.GetID())

    with pytest.raises(InputError, match=r"^head_0: is a picture that does not say how large .*; set its spacing in"):
        scanFromNode(node)
    node.SetSpacing(0.2, 0.2, 1.0)
    assert scanFromNode(node).geometry.spacing == (0.2, 0.2, 1.0)


def test_images_and_volumes_are_not_mixed(host, tmp_path):
    from USLabelEfficientSegLib.slicer_side.nodes.simulated_data import createSimulatedStudy

    (volume,) = createSimulatedStudy(1)
    for image in (image_node("a"), sequence_of([image_node("b")])):
        with pytest.raises(InputError, match=rf"^{image.GetName()}: is a 2-D image, and simulated_0000 is a volume"):
            study_of(tmp_path / "study", [volume, image])
    assert not (tmp_path / "study").exists()


def test_the_frames_of_a_sequence_become_a_study_without_becoming_nodes(host, tmp_path):
    from USLabelEfficientSegLib.slicer_side.nodes.volume_nodes import scanFromNode

    frames = [image_node("frame", seed) for seed in range(12)]
    scans = [scanFromNode(frame) for frame in frames]
    sequence = sequence_of(frames)
    before = volume_nodes()

    session = study_of(tmp_path / "study", [sequence])

    assert session.cases() == [f"cine_{number:02d}" for number in range(12)]
    assert volume_nodes() == before
    for case, scan in zip(session.cases(), scans, strict=True):
        stored = session.study.read_scan(case)
        np.testing.assert_array_equal(stored.voxels, scan.voxels)
        assert stored.geometry.same_grid(scan.geometry, 1e-9)


def test_a_folder_of_images_becomes_a_study_without_being_loaded(heads):
    assert len(heads.cases()) == 20 and volume_nodes() == []
    run(heads.load)
    assert volume_nodes() == [] and heads.missing() == []
    assert all(heads.canShow(case) for case in heads.cases())


def test_pixel_sizes_of_a_folder_are_those_of_the_table_beside_it(heads, tmp_path):
    from USLabelEfficientSegLib.slicer_side.session.image_folder import ImageFolder, tableBeside

    images = tmp_path / "data" / "images"
    assert tableBeside(images) == tmp_path / "data" / "sizes.csv"
    (images / "other.csv").write_text("patient,age\n1,30\n")
    assert tableBeside(images) == tmp_path / "data" / "sizes.csv"
    (images / "more.csv").write_text("filename,pixel size(mm)\nhead_0.png,3\n")
    assert tableBeside(images) is None
    assert ImageFolder(images, 0.25).arguments() == ["--images", str(images), "--pixel-size", "0.25"]
    assert len(ImageFolder(images).names()) == 20


def test_only_the_latest_images_stay_in_the_scene_with_what_belongs_to_them(heads):
    import slicer

    from USLabelEfficientSegLib.slicer_side.session.loaded_images import MOST_IMAGES

    for case in heads.cases():
        heads.labels.of(case)

    assert [node.GetName() for node in volume_nodes()] == heads.cases()[-MOST_IMAGES:]
    assert len(slicer.util.getNodesByClass("vtkMRMLSegmentationNode")) == MOST_IMAGES
    first = heads.node("head_0")
    np.testing.assert_array_equal(
        slicer.util.arrayFromVolume(first).T, heads.study.read_scan("head_0").voxels
    )  # it comes back


def test_an_image_that_is_looked_at_again_stays_longer(heads):
    from USLabelEfficientSegLib.slicer_side.session.loaded_images import MOST_IMAGES

    for case in heads.cases()[:MOST_IMAGES]:
        heads.node(case)
    first, second, third = heads.cases()[0], heads.cases()[1], heads.cases()[MOST_IMAGES]

    heads.node(first)
    heads.node(third)

    assert heads.volumeNode(first) is not None and heads.volumeNode(second) is None


def test_what_the_study_does_not_hold_stays_in_the_scene(heads):
    import slicer

    cases = heads.cases()
    paint(heads, cases[0])  # not kept as label
    heads.labels.of(cases[1]).markEmpty(2, 0, heads.organs())  # not saved
    paint(heads, cases[2])
    heads.labels.of(cases[2]).mark(2, 0)
    heads.labels.save(cases[2], studyIsBusy=False)
    mine = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "my own")
    mine.SetReferenceImageGeometryParameterFromVolumeNode(heads.node(cases[3]))
    slicer.util.setSliceViewerLayers(background=heads.node(cases[4]))

    for case in cases[5:]:
        heads.labels.of(case)

    assert [heads.volumeNode(case) is not None for case in cases[:6]] == [True, True, False, True, True, False]
    assert heads.labels.isLabelled(cases[2], 2, 0) and not heads.labels.isLabelled(cases[5], 2, 0)
    assert heads.volumeNode(cases[2]) is None  # to find out, nothing was loaded


def test_the_users_own_images_never_leave_the_scene(host, tmp_path):
    nodes = [image_node(f"n{number:02d}", number) for number in range(12)]
    session = study_of(tmp_path / "study", nodes)

    for case in session.cases():
        session.labels.of(case)

    assert volume_nodes() == nodes


def test_a_corrected_result_stays_and_an_unchanged_one_goes(heads):
    from USLabelEfficientSegLib.imaging.scan import LabelMap
    from USLabelEfficientSegLib.measurement.planar import measure_labels
    from USLabelEfficientSegLib.slicer_side.nodes.segmentation_nodes import segmentationFromLabelMap, setSliceLabels
    from USLabelEfficientSegLib.slicer_side.nodes.study_nodes import RESULT, attach
    from USLabelEfficientSegLib.slicer_side.results.image_measurements import keepMeasuredImage

    voxels = np.zeros((64, 48, 1), dtype=np.uint8)
    voxels[20:40, 10:30] = 1
    results = []
    for case in heads.cases()[:2]:
        node = heads.node(case)
        result = segmentationFromLabelMap(voxels, node, heads.organs(), f"{case} segmentation")
        attach(result, node, RESULT)
        geometry = heads.study.read_scan(case).geometry
        rows = measure_labels(LabelMap(voxels, geometry, case), ["head"])
        keepMeasuredImage(result, rows, {"head": voxels == 1}, geometry.spacing[:2])
        results.append(result)
    corrected = voxels[..., 0].copy()
    corrected[20:24] = 0
    setSliceLabels(results[0], heads.node(heads.cases()[0]), heads.organs(), 2, 0, corrected)

    for case in heads.cases()[2:]:
        heads.node(case)

    assert [heads.volumeNode(case) is not None for case in heads.cases()[:2]] == [True, False]


def test_images_are_named_as_a_whole(host):
    from USLabelEfficientSegLib.slicer_side.nodes.slice_views import sliceName

    assert sliceName(image_node("a"), 2, 0) == "whole image"


def test_more_images_join_a_study_of_images(heads, tmp_path):
    from USLabelEfficientSegLib.slicer_side.processes.study_jobs import addImages, addVolumes
    from USLabelEfficientSegLib.slicer_side.session.image_folder import ImageFolder

    write_heads(tmp_path / "more", 2, seed=9, prefix="late")
    run(lambda job: addImages(job, heads, ImageFolder(tmp_path / "more" / "images", pixelSize=0.5)))
    run(lambda job: addVolumes(job, heads, [image_node("node"), sequence_of([image_node("x", 3)])]))

    assert len(heads.cases()) == 24
    assert {"late_0", "late_1", "node", "cine_0"} <= set(heads.cases())
    assert heads.study.case("late_0").image.spacing[:2] == (0.5, 0.5)
    assert heads.study.case("node").image.spacing[:2] == pytest.approx(PIXEL_MM)
