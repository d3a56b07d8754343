import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from USLabelEfficientSegLib.calibration.shares import Shares
from USLabelEfficientSegLib.measurement.flags import Flag
from USLabelEfficientSegLib.report.blocks import Table, number
from USLabelEfficientSegLib.report.content import ReportCase, ReportContent, case_labels
from USLabelEfficientSegLib.report.document import report_document
from USLabelEfficientSegLib.report.kinds import VOLUMES
from USLabelEfficientSegLib.report.visits import Visit
from USLabelEfficientSegLib.report.writing import write_report
from USLabelEfficientSegLib.segmentation.model_header import Voters

ORGANS = ("prostate", "cyst <1 & 2>")


class References(HTMLParser):
    """Collects what a page would load, and its tags."""

    def __init__(self, html):
        super().__init__()
        self.loaded, self.tags = [], []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.loaded += [value for name, value in attributes if name in ("src", "href", "srcset", "data")]


def written(path, content):
    write_report(path, content)
    return path.read_text(encoding="utf-8")


def texts(html):
    """The page without its pictures, in the letters of which any name may turn up."""
    return re.sub(r'base64,[^"]*"', '"', html)


def rows_of(content):
    """Headings and rows of the table at a glance."""
    table = next(block for block in report_document(content).sections[0].blocks if isinstance(block, Table))
    return table.headings, table.rows


def test_report_is_self_contained_and_escapes_its_texts(tmp_path, simulated_case, content):
    html = written(tmp_path / "report.html", content([simulated_case()]))

    page = References(html)
    pictures = [source for source in page.loaded if not source.startswith("#")]
    assert (
        len(pictures) == 4 + 6
    )  # the organs in 3-D, two of agreement, the training curves; three slices through each organ
    for source in pictures:
        prefix, _, data = source.partition(",")
        assert prefix in ("data:image/png;base64", "data:image/jpeg;base64")
        Image.open(io.BytesIO(base64.b64decode(data))).verify()
    assert not {"script", "link", "iframe"} & set(page.tags)
    assert "url(" not in html and "@import" not in html
    assert "cyst &lt;1 &amp; 2&gt;" in html and "cyst <1" not in html
    for text in ("For research use only", "not a medical device", "0.912", "quick", "2.13.0", "ab" * 32):
        assert text in html
    assert "10.1016/j.ultrasmedbio.2025.12.014" in html and "2509.06495" in html


def test_case_names_are_shown_only_on_request(tmp_path, simulated_case, content):
    names = ["Doe^Jane", "Roe^Richard"]

    anonymous = written(tmp_path / "a.html", content([simulated_case(label=case_labels(names, False)["Doe^Jane"])]))
    named = written(tmp_path / "b.html", content([simulated_case(label=case_labels(names, True)["Doe^Jane"])]))

    assert case_labels(names, False) == {"Doe^Jane": "Case 001", "Roe^Richard": "Case 002"}
    assert "Case 001" in anonymous and "Doe" not in texts(anonymous)
    assert "Doe^Jane" in texts(named)


def test_volume_table_holds_measurements_with_interval_reference_and_flags(simulated_case, content, measurement):
    rows = [
        measurement(
            volume_ml=10.0, outline_volume_ml=9.0, from_probabilities=True, interval_ml=(8.5, 12.0), flags=(Flag.HOLES,)
        ),
        measurement(organ=ORGANS[1], label=2, volume_ml=0.0, flags=(Flag.CUT_BY_EDGE,)),
    ]
    headings, cells = rows_of(content([simulated_case(rows=rows)]))

    volumes = ["Volume, ml", "90 % interval, ml"]
    assert headings == ["Case", "Organ", *volumes, "Cautions", "Reference, ml", "Volume error, %"]
    assert cells[0] == ["Case 001", "prostate", "10.0", "8.50 to 12.0", "⚠\xa0holes", "8.00", "+25.0"]
    assert cells[1] == ["Case 001", ORGANS[1], "≥ 0", "–", "⚠\xa0cut by edge", "–", "–"]
    section = next(s for s in report_document(content([simulated_case(rows=rows)])).sections if s.folded)
    assert section.title == "All measurements"
    table = section.blocks[0]
    assert isinstance(table, Table) and table.rows[0] == ["Case 001", "prostate", "10.0", "9.00", "8.00", "41.5"]


def test_columns_that_nobody_fills_are_left_out(simulated_case, content):
    headings, cells = rows_of(content([simulated_case(true_values={})]))

    assert not {"90 % interval, ml", "Reference, ml", "Volume error, %", "Cautions"} & set(headings)
    assert len(cells[0]) == len(headings)


def test_the_report_says_how_intervals_were_made_and_what_flags_mean(tmp_path, simulated_case, content, measurement):
    row = measurement(interval_ml=(15.0, 25.0), interval_method="Conformal, from 20 subjects.", flags=(Flag.HOLES,))

    html = written(tmp_path / "report.html", content([simulated_case(rows=[row])]))

    assert html.count("Conformal, from 20 subjects.") == 1
    assert "90 % prediction interval" in html and "No prediction intervals" not in html
    assert Flag.HOLES.sentence in html and Flag.EMPTY.sentence not in html
    assert "1 of 1" in html


@pytest.mark.parametrize(
    ("method", "told", "untold"),
    [
        ("cross-dimensional", "Cross-dimensional knowledge distillation", "UNeXt, learns to outline organs"),
        ("information-divergence", "UNeXt, learns to outline organs", "Cross-dimensional knowledge distillation"),
    ],
)
def test_the_report_tells_of_the_method_that_was_used(tmp_path, simulated_case, content, method, told, untold):
    report = replace(content([simulated_case()]), settings={"method": method})

    html = texts(written(tmp_path / "report.html", report))

    assert told in html and "10.1016/j.ultrasmedbio.2025.12.014" in html
    assert untold not in html


def test_a_report_without_the_study_of_the_model_claims_no_method(tmp_path, simulated_case, content):
    html = texts(written(tmp_path / "report.html", replace(content([simulated_case()]), settings={})))

    assert "How the volumes were segmented is not known" in html
    assert "distillation" not in html and "10.1016/j.ultrasmedbio.2025.12.014" not in html


@pytest.mark.parametrize(
    ("flag", "settings", "told", "untold"),
    [
        (Flag.FEW_SLICES, {}, "filled in from slices or strokes", "distillation"),
        (Flag.CORRECTED, {}, "corrected the outlines of the model", "distillation"),
        (
            Flag.CORRECTED,
            {"method": "cross-dimensional"},
            "corrected the outlines of the model",
            "filled in from slices",
        ),
    ],
)
def test_the_report_tells_what_drawings_in_the_volumes_did(
    tmp_path, simulated_case, content, measurement, flag, settings, told, untold
):
    case = simulated_case(rows=[measurement(flags=(flag,), drawn_slices=2)])

    html = texts(written(tmp_path / "report.html", replace(content([case]), settings=settings)))

    assert told in html and untold not in html and "is not known" not in html
    assert ("3-D student learns" in html) == bool(settings)


@pytest.mark.parametrize(
    ("voters", "told", "untold"),
    [
        (Voters(2, 1, Shares(0.6, 12, (0.1, 0.5))), "2-D networks on slices have 60 % of the votes", "were not needed"),
        (Voters(0, 1, Shares(0.97, 12, (0.1, 0.5))), "were not needed", "3-D student learns"),
        (Voters(2, 1), "3-D student learns", "2-D network for each axis"),
    ],
)
def test_the_report_tells_who_votes_in_the_model(tmp_path, simulated_case, content, voters, told, untold):
    html = texts(written(tmp_path / "report.html", replace(content([simulated_case()]), voters=voters)))

    assert told in html and untold not in html
    if voters.shares is not None:
        assert f"{voters.shares.told()}." in html


def test_a_report_without_intervals_says_so(tmp_path, simulated_case, content):
    html = written(tmp_path / "report.html", content([simulated_case()]))

    assert "No prediction intervals are given" in html and "None was raised." in html


def test_report_without_optional_parts_leaves_their_sections_out(tmp_path, simulated_case):
    case = simulated_case()
    plain = ReportCase("Case 001", case.scan, case.label_map, case.rows)

    html = written(tmp_path / "report.html", ReportContent("Report", VOLUMES, ORGANS, iter([plain])))

    headings = re.findall(r"<h2[^>]*>([^<]*)</h2>", html)
    assert headings == ["How to read this", "At a glance", "Cases", "All measurements", "Cautions", "Method"]
    assert 'class="dashed"' not in html and "reference</li>" not in html


def test_cases_are_compared_once_all_are_drawn(simulated_case, content):
    cases = [simulated_case("a"), simulated_case("b", "Case 002")]
    visits = [Visit("a", "Doe", 1.0, False), Visit("b", "Doe", 2.0, False)]

    repeated = report_document(content(iter(cases), visits=visits))
    compared = report_document(content(iter(cases)))

    titles = [section.title for section in repeated.sections]
    assert titles[1:5] == ["Cases", "Repeated scans", "Agreement with references", "Overlap and surface distances"]
    table = next(block for block in repeated.sections[2].blocks if isinstance(block, Table))
    assert [row[2] for row in table.rows] == ["Case 001 → Case 002"] * 2
    assert "Repeated scans" not in [section.title for section in compared.sections]


def test_an_empty_segmentation_is_reported(tmp_path, simulated_case, content):
    case = simulated_case(prediction=False, reference=None, true_values={})
    assert not np.any(case.label_map.voxels)

    html = written(tmp_path / "report.html", content([case]))

    assert "No organ found" in html
    pictures = [source for source in References(html).loaded if not source.startswith("#")]
    assert len(pictures) == 3 + 1  # the slices, the training curves


def test_a_failed_report_leaves_the_old_one(tmp_path, simulated_case, content):
    def cases():
        yield simulated_case()
        raise RuntimeError("power cut")

    (tmp_path / "report.html").write_text("old")
    try:
        write_report(tmp_path / "report.html", content(cases()))
    except RuntimeError as error:
        assert str(error) == "power cut"
    assert (tmp_path / "report.html").read_text() == "old"


def test_numbers_are_written_for_people():
    assert [number(x) for x in (None, 0.034, -3.14159, 152.34)] == ["–", "0.0340", "−3.14", "152"]
    assert number(2, 3, signed=True) == "+2.000"
    assert number(-0.004) == "−0.00400" and number(-0.004, 1, signed=True) == "0.0"
