"""The report of 2-D images, and its pictures."""

from dataclasses import replace

import numpy as np
import pytest

from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.organ_colours import organ_colour
from USLabelEfficientSegLib.imaging.scan import LabelMap, Scan
from USLabelEfficientSegLib.measurement.planar import measure_labels
from USLabelEfficientSegLib.report.blocks import CaseCard
from USLabelEfficientSegLib.report.content import ReportCase, ReportContent
from USLabelEfficientSegLib.report.document import report_document
from USLabelEfficientSegLib.report.html.document import html_text
from USLabelEfficientSegLib.report.kinds import IMAGES
from USLabelEfficientSegLib.report.pictures.image_outlines import ELLIPSE_COLOUR, image_overlay
from USLabelEfficientSegLib.report.references import true_values

GRID = Geometry((60, 80, 1), (0.5, 0.5, 1.0), (0.0, 0.0, 0.0), np.eye(3))


def labels(radius):
    i, j = np.indices((60, 80))
    return LabelMap((np.hypot(i - 30, j - 40) <= radius).astype(np.uint8)[..., None], GRID, "Jane Doe")


@pytest.fixture
def case():
    pixels = np.random.default_rng(0).integers(0, 200, (60, 80, 1)).astype(np.uint8)
    rows = measure_labels(labels(20), ["head"])
    true = true_values(labels(18), ["head"])
    image = Scan(pixels, GRID, "Jane Doe")
    return ReportCase("Case 001", image, labels(20), rows, labels(18), true, {"head": 0.9}, "0" * 64)


def tiles(document):
    return document.sections[0].blocks[0].entries


def test_outline_and_ellipse_are_where_the_organ_is(case):
    picture = image_overlay(case.scan, case.label_map, case.rows, None, "")

    assert picture.size_mm == (30.0, 40.0) and picture.shape == (60, 80)
    for colour in (organ_colour(1), ELLIPSE_COLOUR):
        (points,) = (outline.points for outline in picture.outlines if outline.colour == colour)
        radius = np.hypot(*(points - (30.5, 40.5)).T)
        assert len(points) > 50 and np.abs(radius - 20.5).max() < 1.0, colour


def test_the_uncertainty_of_an_image_stands_beside_its_outlines(case):
    uncertainty = np.zeros((60, 80, 1), dtype=np.float32)

    document = report_document(ReportContent("Heads", IMAGES, ["head"], [replace(case, uncertainty=uncertainty)]))

    (card,) = (block for section in document.sections for block in section.blocks if isinstance(block, CaseCard))
    assert [picture.title for picture in card.rows[0].slices] == ["Outlines", "Uncertainty"]
    assert card.rows[0].slices[1].heat is not None and "uncertainty" in html_text(document)


def test_a_report_tells_measurements_errors_method_and_no_name(case):
    settings = {"method": "information-divergence"}
    document = report_document(
        ReportContent("Heads", IMAGES, ["head"], [case], settings=settings, provenance={"version": "1"})
    )
    page = html_text(document)

    assert "Jane Doe" not in page and "Case 001" in page
    assert [section.title for section in document.sections] == [
        "At a glance", "Cases", "Agreement with references", "All measurements", "Cautions", "Method", "Settings",
        "Provenance",
    ]  # fmt: skip
    (true,) = measure_labels(labels(18), ["head"])
    error = case.rows[0].circumference_mm - true.circumference_mm
    assert tiles(document)["Mean absolute error of the circumference"] == f"{error:.2f} mm"
    for text in ("2509.06495", "For research use only", "No prediction intervals are given", "0" * 64):
        assert text in page


def test_an_empty_segmentation_is_reported_as_such(case):
    absent = ReportCase("Case 001", case.scan, labels(-1), measure_labels(labels(-1), ["head"]))

    document = report_document(ReportContent("Heads", IMAGES, ["head"], [absent]))

    page = html_text(document)
    assert "No organ found" in page and "The organ was not found in this image" in page
    assert tiles(document)["Images with a caution"] == "1 of 1"
