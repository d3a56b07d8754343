"""Biometry of a 2-D image in the scene: the model's numbers count until a pixel is edited, and ellipses lie exactly."""

import numpy as np
import pytest
from oblique_volumes import turned
from random_volume_nodes import put_under_transform

from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import LabelMap
from USLabelEfficientSegLib.measurement.flags import Flag
from USLabelEfficientSegLib.measurement.planar import Ellipse, measure_labels

SHAPE, PIXEL_MM = (90, 60, 1), (0.25, 0.6)
CENTRE_MM, AXES_MM, DEGREES = (11.4, 17.7), (16.0, 11.0), 30.0


def head_mask(shape=SHAPE, spacing=PIXEL_MM, centre=CENTRE_MM, axes=AXES_MM, degrees=DEGREES):
    """The pixels whose centres lie in an ellipse."""
    i, j = np.meshgrid(np.arange(shape[0]), np.arange(shape[1]), indexing="ij")
    x, y = i * spacing[0] - centre[0], j * spacing[1] - centre[1]
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    inside = ((c * x + s * y) / (axes[0] / 2)) ** 2 + ((c * y - s * x) / (axes[1] / 2)) ** 2 <= 1
    return inside[..., None]


@pytest.fixture(params=["plain", "oblique", "oblique and moved"])
def image(host, request):
    """A node of one slice with pixels that are no squares."""
    from USLabelEfficientSegLib.slicer_side.nodes.volume_nodes import nodeFromVoxels

    direction = np.eye(3) if request.param == "plain" else turned(25, 0) @ turned(40, 2)
    geometry = Geometry(SHAPE, (*PIXEL_MM, 1.0), (30.0, -20.0, 110.0), direction)
    node = nodeFromVoxels("a", (50 + 100 * head_mask()).astype(np.uint8), geometry)
    if request.param.endswith("moved"):
        put_under_transform(np.random.default_rng(3), node, depth=2)
    return node


@pytest.fixture
def result(image):
    """A segmentation of the image as a model has made it, with intervals."""
    from dataclasses import replace

    from USLabelEfficientSegLib.slicer_side.nodes.segmentation_nodes import organsNamed, segmentationFromLabelMap
    from USLabelEfficientSegLib.slicer_side.nodes.study_nodes import RESULT, attach
    from USLabelEfficientSegLib.slicer_side.nodes.volume_nodes import worldGeometry
    from USLabelEfficientSegLib.slicer_side.results.image_measurements import keepMeasuredImage

    mask = head_mask()
    voxels = mask.astype(np.uint8)
    node = segmentationFromLabelMap(voxels, image, organsNamed(["head", "face"]), "a segmentation")
    attach(node, image, RESULT)
    geometry = worldGeometry(image)
    rows = measure_labels(LabelMap(voxels, geometry, "a"), ["head", "face"])
    rows[0] = replace(
        rows[0],
        area_mm2=1.01 * rows[0].area_mm2,
        from_probabilities=True,
        area_interval_mm2=(90.0, 180.0),
        circumference_interval_mm=(40.0, 45.0),
        interval_method="made up",
        flags=(Flag.UNCERTAIN_BOUNDARY,),
    )
    keepMeasuredImage(node, rows, {"head": mask, "face": np.zeros_like(mask)}, geometry.spacing[:2])
    return node


def scale_of(image):
    from USLabelEfficientSegLib.slicer_side.nodes.volume_nodes import worldGeometry

    return worldGeometry(image).spacing[0] / PIXEL_MM[0]


def positions_of(curve):
    import slicer

    return slicer.util.arrayFromMarkupsControlPoints(curve, world=True)


def test_an_unchanged_result_has_the_models_measurements_with_intervals(result):
    from USLabelEfficientSegLib.slicer_side.nodes.study_nodes import volumeOf
    from USLabelEfficientSegLib.slicer_side.results.image_measurements import imageMeasurements, isEdited

    head, face = imageMeasurements(result)

    assert (head.case, head.organ, head.label) == ("a segmentation", "head", 1)
    assert head.from_probabilities and head.area_interval_mm2 == (90.0, 180.0)
    assert head.circumference_interval_mm == (40.0, 45.0) and head.flags == (Flag.UNCERTAIN_BOUNDARY,)
    assert isinstance(head.ellipse, Ellipse) and head.circumference_mm == head.ellipse.circumference_mm
    assert (face.organ, face.ellipse, face.flags) == ("face", None, (Flag.EMPTY,))
    assert not isEdited(result, volumeOf(result))


def test_an_edited_organ_is_measured_anew_without_intervals(result):
    from USLabelEfficientSegLib.slicer_side.nodes.segmentation_nodes import organsNamed, setSliceLabels
    from USLabelEfficientSegLib.slicer_side.nodes.study_nodes import volumeOf
    from USLabelEfficientSegLib.slicer_side.results.image_measurements import imageMeasurements, isEdited

    image = volumeOf(result)
    larger = head_mask(axes=(18.0, 12.0))
    setSliceLabels(result, image, organsNamed(["head", "face"]), 2, 0, larger[..., 0].astype(np.uint8))

    head, face = imageMeasurements(result)

    scale = scale_of(image)
    assert head.flags == (Flag.EDITED,) and face.flags == (Flag.EMPTY,)
    assert head.area_interval_mm2 is None and head.circumference_interval_mm is None
    assert head.area_mm2 == pytest.approx(larger.sum() * np.prod(PIXEL_MM) * scale**2)
    assert head.ellipse is not None
    np.testing.assert_allclose(head.ellipse.axes_mm, np.multiply((18.0, 12.0), scale), rtol=0.01)
    assert isEdited(result, image)


def test_a_drawing_of_the_user_is_measured_as_it_is(image):
    from USLabelEfficientSegLib.slicer_side.nodes.segmentation_nodes import organsNamed, segmentationFromLabelMap
    from USLabelEfficientSegLib.slicer_side.results.image_measurements import imageMeasurements

    node = segmentationFromLabelMap(head_mask().astype(np.uint8), image, organsNamed(["head"]), "mine")

    (head,) = imageMeasurements(node)

    assert head.flags == () and not head.from_probabilities
    assert head.ellipse is not None
    np.testing.assert_allclose(head.ellipse.axes_mm, np.multiply(AXES_MM, scale_of(image)), rtol=0.01)


def test_an_image_that_is_moved_in_space_keeps_its_numbers_and_one_that_is_scaled_is_measured_anew(result):
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes.study_nodes import volumeOf
    from USLabelEfficientSegLib.slicer_side.results.image_measurements import imageMeasurements

    image = volumeOf(result)
    before = imageMeasurements(result)[0]
    for factor in (1.0, 2.0):
        matrix = np.diag([factor, factor, factor, 1.0])
        matrix[:3, 3] = 7.0
        transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
        outer = image.GetParentTransformNode()
        while outer is not None and outer.GetParentTransformNode() is not None:
            outer = outer.GetParentTransformNode()
        for node in [image, result] if outer is None else [outer]:
            node.SetAndObserveTransformNodeID(transform.GetID())
        after = imageMeasurements(result)[0]
        if factor == 1.0:
            assert after == before
            for node in [image, result] if outer is None else [outer]:
                node.SetAndObserveTransformNodeID(None)
    assert after.flags == (Flag.EDITED,) and after.area_interval_mm2 is None
    assert after.outline_area_mm2 == pytest.approx(4 * before.outline_area_mm2)
    assert after.circumference_mm == pytest.approx(2 * before.circumference_mm)


def test_the_ellipse_lies_exactly_where_the_organ_is(result):
    """An offset of half a pixel, or of a mirrored axis, would be seen."""
    from USLabelEfficientSegLib.slicer_side.nodes.ellipse_markups import showEllipses
    from USLabelEfficientSegLib.slicer_side.nodes.study_nodes import volumeOf
    from USLabelEfficientSegLib.slicer_side.nodes.volume_nodes import ijkToWorld
    from USLabelEfficientSegLib.slicer_side.results.image_measurements import imageMeasurements

    image = volumeOf(result)
    (curve,) = showEllipses(result, imageMeasurements(result))

    positions = np.column_stack([positions_of(curve), np.ones(curve.GetNumberOfControlPoints())])
    ijk = (np.linalg.inv(ijkToWorld(image)) @ positions.T)[:3]
    np.testing.assert_allclose(ijk[2], 0, atol=1e-6)  # in the plane of the image
    x, y = ijk[0] * PIXEL_MM[0] - CENTRE_MM[0], ijk[1] * PIXEL_MM[1] - CENTRE_MM[1]
    assert np.hypot(x.mean(), y.mean()) < 0.01 * PIXEL_MM[0] + 0.01  # its centre, where the pixels of the mask are
    c, s = np.cos(np.radians(DEGREES)), np.sin(np.radians(DEGREES))
    radius = np.hypot((c * x + s * y) / (AXES_MM[0] / 2), (c * y - s * x) / (AXES_MM[1] / 2))
    np.testing.assert_allclose(radius, 1, atol=0.02)


def test_the_curve_is_as_long_as_the_circumference_says(result):
    from USLabelEfficientSegLib.slicer_side.nodes.ellipse_markups import showEllipses
    from USLabelEfficientSegLib.slicer_side.results.image_measurements import imageMeasurements

    rows = imageMeasurements(result)
    (curve,) = showEllipses(result, rows)

    assert curve.GetCurveLengthWorld() == pytest.approx(rows[0].circumference_mm, rel=1e-3)
    assert curve.GetLocked() and curve.GetName() == "head ellipse, a"
    colour = result.GetSegmentation().GetNthSegment(0).GetColor()
    display = curve.GetDisplayNode()
    assert display.GetSelectedColor() == pytest.approx(colour)
    assert display.GetGlyphScale() * display.GetLineThickness() > 0.1  # a line of no thickness would not be seen


def test_curves_are_replaced_and_each_belongs_to_its_result(result):
    from USLabelEfficientSegLib.slicer_side.nodes.ellipse_markups import ellipsesOf, removeEllipses, showEllipses
    from USLabelEfficientSegLib.slicer_side.nodes.segmentation_nodes import organsNamed, segmentationFromLabelMap
    from USLabelEfficientSegLib.slicer_side.nodes.study_nodes import RESULT, attach, volumeOf
    from USLabelEfficientSegLib.slicer_side.results.image_measurements import imageMeasurements

    image = volumeOf(result)
    other = segmentationFromLabelMap(head_mask().astype(np.uint8), image, organsNamed(["head"]), "another")
    attach(other, image, RESULT)
    showEllipses(result, imageMeasurements(result))
    (second,) = showEllipses(result, imageMeasurements(result))
    (of_other,) = showEllipses(other, imageMeasurements(other))

    assert ellipsesOf(result) == [second] and ellipsesOf(other) == [of_other]
    assert of_other.GetName() != second.GetName()
    removeEllipses(other)
    assert ellipsesOf(result) == [second] and ellipsesOf(other) == []


def test_a_segmentation_whose_image_is_gone_is_refused_by_name(result):
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes.study_nodes import volumeOf
    from USLabelEfficientSegLib.slicer_side.results.image_measurements import imageMeasurements

    slicer.mrmlScene.RemoveNode(volumeOf(result))

    with pytest.raises(InputError, match=r"^a segmentation: has no image in the scene; load its image"):
        imageMeasurements(result)
