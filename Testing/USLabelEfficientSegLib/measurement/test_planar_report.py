"""The report of 2-D images, and its pictures."""

import io

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from USLabelEfficientSegLib.imaging.organ_colours import organ_colour
from USLabelEfficientSegLib.imaging.volume import Geometry, ImageLabels, UltrasoundImage
from USLabelEfficientSegLib.measurement.planar_files import measure_labels
from USLabelEfficientSegLib.measurement.planar_overlays import ELLIPSE_COLOUR, image_overlay_png
from USLabelEfficientSegLib.measurement.planar_report import ImageCase, ImageReport, image_report_document
from USLabelEfficientSegLib.measurement.report import html_text

GRID = Geometry((60, 80, 1), (0.5, 0.5, 1.0), (0.0, 0.0, 0.0), np.eye(3))


def labels(radius):
    i, j = np.indices((60, 80))
    return ImageLabels((np.hypot(i - 30, j - 40) <= radius).astype(np.uint8)[..., None], GRID, "Jane Doe")


@pytest.fixture
def case():
    pixels = np.random.default_rng(0).integers(0, 200, (60, 80, 1)).astype(np.uint8)
    rows, true_rows = (measure_labels(labels(radius), ["head"]) for radius in (20, 18))
    image = UltrasoundImage(pixels, GRID, "Jane Doe")
    return ImageCase("Case 001", image, labels(20), rows, labels(18), true_rows, {"head": 0.9}, "0" * 64)


def near(picture, colour):
    return np.abs(picture - 255 * np.array(to_rgb(colour))).max(axis=2) < 40


def test_outline_and_ellipse_are_where_the_organ_is(case):
    png = image_overlay_png(case.image, case.prediction, case.rows, None, 60.0)
    picture = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(float)

    scale = picture.shape[1] / 60
    assert picture.shape[0] / picture.shape[1] == pytest.approx(80 / 60, rel=0.02)
    for colour in (organ_colour(1), ELLIPSE_COLOUR):
        rows, columns = np.nonzero(near(picture, colour))
        radius = np.hypot(columns / scale - 30.5, rows / scale - 40.5)
        assert len(rows) > 50 and np.abs(radius - 20.5).max() < 2.5, colour


def test_a_report_tells_measurements_errors_method_and_no_name(case):
    document = image_report_document(ImageReport("Heads", ["head"], [case], provenance={"version": "1"}))
    page = html_text(document)

    assert "Jane Doe" not in page and "Case 001" in page
    assert [section.title for section in document.sections] == [
        "Areas and circumferences", "Quality flags", "Agreement with references", "Segmentations", "Method",
        "Provenance",
    ]  # fmt: skip
    error = case.rows[0].circumference_mm - case.true_rows[0].circumference_mm
    assert document.tiles["Circumference error, mean"] == f"{error:.2f} mm"
    for text in ("2509.06495", "For research use only", "No prediction intervals are given", f"+{error:.1f}"):
        assert text in page


def test_an_empty_segmentation_is_reported_as_such(case):
    absent = ImageCase("Case 001", case.image, labels(-1), measure_labels(labels(-1), ["head"]))

    document = image_report_document(ImageReport("Heads", ["head"], [absent]))

    page = html_text(document)
    assert "no organ found" in page and "The organ was not found in this image" in page
    assert document.tiles["Images with a quality flag"] == "1 of 1"
