import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from USLabelEfficientSegLib.imaging.volume import Geometry, LabelMap, UltrasoundVolume
from USLabelEfficientSegLib.measurement.overlays import overlay_png, overlay_rows
from USLabelEfficientSegLib.measurement.report import write_report
from USLabelEfficientSegLib.measurement.report_content import ReportCase, ReportContent, Table
from USLabelEfficientSegLib.measurement.report_figures import training_curves_png, volume_agreement_png
from USLabelEfficientSegLib.measurement.volumes import organ_volumes
from USLabelEfficientSegLib.segmentation.segments import ORGAN_COLOURS
from USLabelEfficientSegLib.study.events import Event

ORGANS = ("prostate", "cyst <1 & 2>")


def simulated_case(name="Doe^Jane", spacing=(1.0, 1.0, 2.0), prediction=True):
    geometry = Geometry((40, 32, 16), spacing, (0.0, 0.0, 0.0), np.eye(3))
    i, j, k = np.indices(geometry.shape)
    reference = np.zeros(geometry.shape, dtype=np.uint8)
    reference[(i - 14) ** 2 + (j - 16) ** 2 + (2 * (k - 8)) ** 2 < 100] = 1
    reference[(i - 32) ** 2 + (j - 16) ** 2 + (2 * (k - 6)) ** 2 < 25] = 2
    grey = np.random.default_rng(0).rayleigh(40, geometry.shape).clip(0, 255).astype(np.uint8)
    predicted = LabelMap(np.roll(reference, 1, axis=0) * np.uint8(prediction), geometry, name)
    return ReportCase(
        UltrasoundVolume(grey, geometry, name),
        predicted,
        organ_volumes(predicted, ORGANS),
        LabelMap(reference, geometry, name),
        {"prostate": 8.0},
        "ab" * 32,
    )


def content(cases, **changes):
    events = [Event("student", step, 20, losses={"total": 5.0 * 0.8**step}) for step in range(20)]
    values = {
        "events": events,
        "metrics": Table(("Organ", "Dice"), [["prostate", "0.912"]]),
        "settings": {"preset": "quick"},
        "provenance": {"torch": "2.13.0"},
        "highlights": {"Mean Dice": "0.912"},
        **changes,
    }
    return ReportContent("Report of “<script>”", ORGANS, cases, **values)


class References(HTMLParser):
    """Collects what a page would load, and its tags."""

    def __init__(self, html):
        super().__init__()
        self.loaded, self.tags = [], []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.loaded += [value for name, value in attributes if name in ("src", "href", "srcset", "data")]


def test_report_is_self_contained_and_escapes_its_texts(tmp_path):
    write_report(tmp_path / "report.html", content([simulated_case()]))

    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    page = References(html)
    assert len(page.loaded) == 4  # two overlays, the volumes, the training curves
    for source in page.loaded:
        prefix, _, data = source.partition(",")
        assert prefix == "data:image/png;base64"
        Image.open(io.BytesIO(base64.b64decode(data))).verify()
    assert not {"script", "link", "iframe"} & set(page.tags)
    assert "url(" not in html and "@import" not in html
    assert "cyst &lt;1 &amp; 2&gt;" in html and "cyst <1" not in html
    for text in ("For research use only", "not a medical device", "0.912", "quick", "2.13.0", "ab" * 32):
        assert text in html
    assert "10.1016/j.ultrasmedbio.2025.12.014" in html and "2509.06495" in html


def test_case_names_are_shown_only_on_request(tmp_path):
    case = simulated_case("Doe^Jane")

    mapping = write_report(tmp_path / "anonymous.html", content([case]))
    shown = write_report(tmp_path / "named.html", content([case]), show_names=True)

    anonymous = (tmp_path / "anonymous.html").read_text(encoding="utf-8")
    assert mapping == {"Case 001": "Doe^Jane"}
    assert "Case 001" in anonymous and "Doe" not in anonymous
    assert shown == {"Doe^Jane": "Doe^Jane"}
    assert "Doe^Jane" in (tmp_path / "named.html").read_text(encoding="utf-8")


def test_volume_table_holds_measured_and_true_volumes_with_their_error(tmp_path):
    case = simulated_case()
    measured = case.volumes[0].volume_ml

    write_report(tmp_path / "report.html", content([case]))

    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    cells = re.findall(r'<td class="number">([^<]*)</td>', html)
    error = f"{100 * (measured / 8 - 1):+.1f}".replace("-", "−")
    assert cells[:3] == ["8.00", f"{measured:.2f}", error]
    assert cells[3:6] == ["–", f"{case.volumes[1].volume_ml:.2f}", "–"]
    assert "Sum of probabilities, ml" not in html
    assert f"{abs(100 * (measured / 8 - 1)):.1f}\u00a0%" in html


def test_report_without_optional_parts_leaves_their_sections_out(tmp_path):
    case = simulated_case()
    plain = ReportCase(case.volume, case.prediction, case.volumes)

    write_report(tmp_path / "report.html", ReportContent("Report", ORGANS, iter([plain])))

    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    headings = re.findall(r"<h2[^>]*>([^<]*)</h2>", html)
    assert headings == ["Summary", "Organ volumes", "Segmentations", "Method"]
    assert "dashed" not in html.replace("stroke-dasharray", "")


def test_overlay_keeps_physical_proportions():
    case = simulated_case(spacing=(1.0, 1.0, 3.0))

    picture = Image.open(io.BytesIO(overlay_png(case.volume, case.prediction, None, (14, 16, 8))))

    # Axial is 40 x 32 mm, coronal 40 x 48 mm, sagittal 32 x 48 mm, with narrow gaps and a line of titles.
    dark = np.asarray(picture.convert("L")) < 250
    assert np.mean(dark[-1, : picture.width // 4]) == 0  # below the axial view, which is lower than the others
    assert (picture.width - 2 * 0.12 * 120) / (picture.height - 0.24 * 120) == pytest.approx(112 / 48, rel=0.01)


def test_prediction_and_reference_are_outlined_differently():
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


def test_missed_organs_have_views_through_the_reference_and_empty_volumes_one_row():
    missed = simulated_case(prediction=False)

    assert [row.organ for row in overlay_rows(missed, ORGANS)] == list(ORGANS)
    nothing = ReportCase(missed.volume, missed.prediction, missed.volumes)
    assert [row.organ for row in overlay_rows(nothing, ORGANS)] == [None]


def test_training_curves_have_one_chart_a_stage():
    one = [Event("teacher", step, 9, losses={"dino": 1.0 + step}) for step in range(9)]
    four = one + [Event(f"stage {n}", 1, 1, losses={"total": 1.0}) for n in range(3)]

    assert training_curves_png([Event("teacher", 1, 1)]) is None
    heights = [Image.open(io.BytesIO(training_curves_png(events))).height for events in (one, four)]
    assert heights[1] == 2 * heights[0]


def test_volume_figure_accepts_empty_organs():
    picture = Image.open(io.BytesIO(volume_agreement_png([(1, 0.0, 0.0)], "voxel count")))

    assert min(picture.size) > 300
