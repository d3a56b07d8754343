"""Cases and content for tests of reports."""

import functools

import numpy as np
import pytest

from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import LabelMap, Scan
from USLabelEfficientSegLib.report.blocks import Table
from USLabelEfficientSegLib.report.content import ReportCase, ReportContent
from USLabelEfficientSegLib.report.kinds import VOLUMES
from USLabelEfficientSegLib.study.events import Event

ORGANS = ("prostate", "cyst <1 & 2>")


@pytest.fixture(scope="session")
def simulated_case(measurement):
    """Makes a case of two organs, whose names need escaping, on a small grid."""
    return functools.partial(_simulated_case, measurement)


@pytest.fixture(scope="session")
def content():
    """Makes the content of a report."""
    return _content


def _simulated_case(
    measurement, name="Doe^Jane", label="Case 001", spacing=(1.0, 1.0, 2.0), prediction=True, **changes
):
    geometry = Geometry((40, 32, 16), spacing, (0.0, 0.0, 0.0), np.eye(3))
    i, j, k = np.indices(geometry.shape)
    reference = np.zeros(geometry.shape, dtype=np.uint8)
    reference[(i - 14) ** 2 + (j - 16) ** 2 + (2 * (k - 8)) ** 2 < 100] = 1
    reference[(i - 32) ** 2 + (j - 16) ** 2 + (2 * (k - 6)) ** 2 < 25] = 2
    grey = np.random.default_rng(0).rayleigh(40, geometry.shape).clip(0, 255).astype(np.uint8)
    predicted = LabelMap(np.roll(reference, 1, axis=0) * np.uint8(prediction), geometry, name)
    counts = [np.count_nonzero(predicted.voxels == number) * geometry.voxel_volume_ml for number in (1, 2)]
    values = {
        "rows": [measurement(name, organ, n, ml) for n, (organ, ml) in enumerate(zip(ORGANS, counts, strict=True), 1)],
        "reference": LabelMap(reference, geometry, name),
        "true_values": {"prostate": {"volume": 8.0}},
        "checksum": "ab" * 32,
        **changes,
    }
    return ReportCase(label, Scan(grey, geometry, name), predicted, **values)


def _content(cases, **changes):
    values = {
        "title": "Report of “<script>”",
        "events": [Event("student", step, 20, losses={"total": 5.0 * 0.8**step}) for step in range(20)],
        "metrics": Table(("Organ", "Dice"), [["prostate", "0.912"]]),
        "settings": {"preset": "quick"},
        "provenance": {"torch": "2.13.0"},
        **changes,
    }
    return ReportContent(kind=VOLUMES, organs=ORGANS, cases=cases, **values)
