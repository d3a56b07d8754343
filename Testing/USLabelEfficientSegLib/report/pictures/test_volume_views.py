import io
import re

import numpy as np
import pytest
from PIL import Image

from USLabelEfficientSegLib.imaging.organ_colours import ORGAN_COLOURS
from USLabelEfficientSegLib.measurement.flags import Flag
from USLabelEfficientSegLib.report.content import ReportCase
from USLabelEfficientSegLib.report.html.slices import slice_html
from USLabelEfficientSegLib.report.pictures.slice_picture import REFERENCE_COLOUR, outlines_of
from USLabelEfficientSegLib.report.pictures.volume_views import volume_rows

ORGANS = ("prostate", "cyst <1 & 2>")


def colours(picture, dashed):
    return {outline.colour for outline in picture.outlines if outline.dashed is dashed}


def test_slices_keep_their_physical_proportions_and_are_named(simulated_case):
    axial, coronal, sagittal = volume_rows(simulated_case(spacing=(1.0, 1.0, 3.0)), ORGANS)[0].slices

    assert [picture.size_mm for picture in (axial, coronal, sagittal)] == [(40, 32), (40, 48), (32, 48)]
    assert [picture.shape for picture in (axial, coronal, sagittal)] == [(40, 32), (40, 16), (32, 16)]
    titles = ["axial, slice 9 of 16", "coronal, slice 17 of 32", "sagittal, slice 16 of 40"]
    assert [picture.title for picture in (axial, coronal, sagittal)] == titles
    assert 'viewBox="0 0 40 48"' in slice_html(coronal, "c")
    for picture, title in zip((axial, coronal, sagittal), titles, strict=True):
        assert f"Case 001, {title}, through prostate" in picture.description
        assert Image.open(io.BytesIO(picture.image)).size == picture.shape


def test_prediction_and_reference_are_outlined_differently(simulated_case):
    axial = volume_rows(simulated_case(), ORGANS)[0].slices[0]

    assert colours(axial, dashed=False) == set(ORGAN_COLOURS[:2])
    assert colours(axial, dashed=True) == {REFERENCE_COLOUR}
    html = slice_html(axial, "case-1")
    assert html.count('class="solid"') == 2 and html.count('class="dashed"') == 1
    assert set(re.findall(r'href="#([^"]+)"', html)) == set(re.findall(r'<path id="([^"]+)"', html))


def test_an_outline_runs_along_the_border_of_its_pixels():
    labels = np.zeros((6, 8), dtype=np.uint8)
    labels[1:4, 2:7] = 1

    (outline,) = outlines_of(labels, {1: "#ffffff"})

    # Rows 1 to 3 and columns 2 to 6: from corner to corner, as corners of pixels are counted.
    assert outline.points.min(axis=0).tolist() == [2, 1] and outline.points.max(axis=0).tolist() == [7, 4]


def test_an_organ_at_the_border_is_outlined_all_around():
    (outline,) = outlines_of(np.ones((3, 4), dtype=np.uint8), {1: "#ffffff"})

    assert outline.points[0].tolist() == outline.points[-1].tolist()
    assert outline.points.max(axis=0).tolist() == [4, 3]


@pytest.mark.parametrize(("width_mm", "bar_mm"), [(40.0, 10), (2.0, 1), (300.0, 100), (64.0, 20)])
def test_the_scale_bar_is_round_and_drawn_to_scale(simulated_case, width_mm, bar_mm):
    axial = volume_rows(simulated_case(spacing=(width_mm / 40, 1.0, 1.0)), ORGANS)[0].slices[0]

    html = slice_html(axial, "c")

    assert axial.bar_mm == bar_mm and f">{bar_mm} mm</span>" in html
    length = re.search(r'class="bar-line" d="M[^"]*h(\d+)"', html)
    assert length is not None and length[1] == str(bar_mm)  # the view box is in mm


def test_missed_organs_have_views_through_the_reference_and_empty_volumes_one_row(simulated_case):
    missed = simulated_case(prediction=False)

    assert [row.caption for row in volume_rows(missed, ORGANS)] == [f"Through {organ}" for organ in ORGANS]
    nothing = ReportCase("Case 001", missed.scan, missed.label_map, missed.rows)
    captions = [row.caption for row in volume_rows(nothing, ORGANS)]
    assert captions == ["No organ found: through the middle of the volume"]


def test_organs_that_ask_for_caution_are_shown_first(simulated_case, measurement):
    rows = [measurement(), measurement(organ=ORGANS[1], label=2, flags=(Flag.HOLES,))]

    assert [row.caption for row in volume_rows(simulated_case(rows=rows), ORGANS)] == [
        "Through cyst <1 & 2>", "Through prostate"
    ]  # fmt: skip


def test_uncertainty_is_shown_in_the_slices_of_the_first_row_and_brightest_where_it_is_largest(simulated_case):
    case = simulated_case()
    uncertainty = np.zeros(case.scan.geometry.shape, dtype=np.float32)
    uncertainty[20, :, :] = 1.0

    outlined, unsure, _ = volume_rows(simulated_case(uncertainty=uncertainty), ORGANS)

    assert [picture.title for picture in unsure.slices] == [picture.title for picture in outlined.slices]
    heat = unsure.slices[0].heat
    assert heat is not None
    axial = Image.open(io.BytesIO(heat)).convert("RGBA")
    opaque = np.asarray(axial)[..., 3] > 0
    assert unsure.caption == "Uncertainty, through prostate" and axial.size == (40, 32)
    assert opaque[:, 20].all() and opaque.sum() == 32  # the view is not mirrored in this volume
