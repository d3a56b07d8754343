import io

import numpy as np
import pytest
from PIL import Image

from USLabelEfficientSegLib.imaging.organ_colours import ORGAN_COLOURS
from USLabelEfficientSegLib.imaging.volume import LabelMap
from USLabelEfficientSegLib.measurement.overlays import overlay_png, overlay_rows
from USLabelEfficientSegLib.measurement.report_content import ReportCase

ORGANS = ("prostate", "cyst <1 & 2>")


def test_overlay_keeps_physical_proportions(simulated_case):
    case = simulated_case(spacing=(1.0, 1.0, 3.0))

    picture = Image.open(io.BytesIO(overlay_png(case.volume, case.prediction, None, (14, 16, 8))))

    # Axial is 40 x 32 mm, coronal 40 x 48 mm, sagittal 32 x 48 mm, with narrow gaps and a line of titles.
    dark = np.asarray(picture.convert("L")) < 250
    assert np.mean(dark[-1, : picture.width // 4]) == 0  # below the axial view, which is lower than the others
    assert (picture.width - 2 * 0.12 * 120) / (picture.height - 0.24 * 120) == pytest.approx(112 / 48, rel=0.01)


def test_prediction_and_reference_are_outlined_differently(simulated_case):
    case = simulated_case()

    def colours(prediction, reference):
        picture = Image.open(io.BytesIO(overlay_png(case.volume, prediction, reference, (14, 16, 8))))
        pixels = np.asarray(picture.convert("RGB")).reshape(-1, 3)
        return {"#{:02X}{:02X}{:02X}".format(*pixel) for pixel in np.unique(pixels, axis=0)}

    empty = LabelMap(np.zeros_like(case.prediction.voxels), case.prediction.geometry, "empty")
    assert set(ORGAN_COLOURS[:2]) <= colours(case.prediction, None)
    assert not set(ORGAN_COLOURS) & colours(empty, case.reference)
    picture = [overlay_png(case.volume, empty, reference, (14, 16, 8)) for reference in (None, case.reference)]
    assert picture[0] != picture[1]


def test_missed_organs_have_views_through_the_reference_and_empty_volumes_one_row(simulated_case):
    missed = simulated_case(prediction=False)

    rows = overlay_rows(missed, ORGANS)
    assert [row.organ for row in rows] == list(ORGANS)
    assert all(100 < row.width_mm <= 180 for row in rows)
    nothing = ReportCase("Case 001", missed.volume, missed.prediction, missed.rows)
    assert [row.organ for row in overlay_rows(nothing, ORGANS)] == [None]
