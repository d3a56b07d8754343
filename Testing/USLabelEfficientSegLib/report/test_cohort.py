"""The report of a cohort: statistics, outliers first, a few pictures, and every case on a page to unfold."""

import re
from dataclasses import replace

import numpy as np
import pytest

from USLabelEfficientSegLib.measurement.flags import Flag
from USLabelEfficientSegLib.report.blocks import Table
from USLabelEfficientSegLib.report.content import CaseSummary
from USLabelEfficientSegLib.report.document import report_document
from USLabelEfficientSegLib.report.outliers import outliers_of
from USLabelEfficientSegLib.report.visits import Visit
from USLabelEfficientSegLib.report.writing import write_report

ORGANS = ("prostate", "cyst <1 & 2>")
COUNT = 250
HUGE, EMPTY = 17, 99


@pytest.fixture(scope="module")
def summaries(measurement):
    """Volumes around 20 and 2 ml; one case has ten times the prostate, and one lacks the cyst."""
    random = np.random.default_rng(0)
    found = []
    for number in range(COUNT):
        first, second = 20 * np.exp(random.normal(0, 0.2)), 2 * np.exp(random.normal(0, 0.2))
        rows = [
            measurement(f"name {number}", ORGANS[0], 1, first * (10 if number == HUGE else 1)),
            measurement(f"name {number}", ORGANS[1], 2, 0.0 if number == EMPTY else second),
        ]
        rows[1] = replace(rows[1], flags=(Flag.EMPTY,)) if number == EMPTY else rows[1]
        found.append(CaseSummary(f"Case {number + 1:03d}", f"name {number}", rows, checksum=f"{number:064x}"))
    return found


@pytest.fixture
def drawn():
    """The labels of the cases that were read again."""
    return []


@pytest.fixture
def cohort(summaries, content, simulated_case, drawn):
    def again(label):
        drawn.append(label)
        return simulated_case(label=label)

    return content([], count=COUNT, again=again, summaries=summaries, failed=3)


def test_a_missing_organ_comes_first_and_a_volume_far_from_the_others_is_told(summaries):
    first, second, *_ = outliers_of(summaries)

    assert (first.case.label, first.reasons) == (f"Case {EMPTY + 1:03d}", [f"not found: {ORGANS[1]}"])
    assert second.case.label == f"Case {HUGE + 1:03d}" and second.score > 3.5
    told = re.fullmatch(r"prostate: volume (\S+) times the median", second.reasons[0])
    assert told is not None
    volumes = [case.rows[0].volume_ml for case in summaries]
    assert float(told[1]) == pytest.approx(volumes[HUGE] / np.median(volumes), rel=0.01)


def test_few_cases_and_equal_ones_have_no_outliers(summaries):
    assert outliers_of(summaries[:7]) == []
    assert outliers_of([summaries[0]] * 20) == []


def test_the_page_has_statistics_pictures_of_outliers_alone_and_every_case(cohort, summaries, drawn, tmp_path):
    assert write_report(tmp_path / "report.html", cohort).cases == COUNT

    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    told = [outlier.case.label for outlier in outliers_of(summaries)][:12]
    assert drawn == told and page.count('<article class="case') == len(told)
    assert [re.sub("<.*?>", "", title) for title in re.findall(r"<summary>(Case .*?)</summary>", page)] == [
        "Case 001 to Case 100", "Case 101 to Case 200", "Case 201 to Case 250",
    ]  # fmt: skip
    assert all(f">{case.label}</th>" in page for case in summaries)
    assert "name 1" not in page and "<script" not in page
    volumes = [case.rows[0].volume_ml for case in summaries]
    assert f'<td class="number">{np.median(volumes):.1f}</td>' in page
    assert f"{COUNT} of {COUNT}" in page and f"{COUNT - 1} of {COUNT}" in page
    assert "Could not be read" in page and len(page) < 5e6


def test_the_pdf_leaves_the_pages_of_all_cases_out(cohort, tmp_path):
    pypdf = pytest.importorskip("pypdf")

    write_report(tmp_path / "report.html", cohort, pdf=tmp_path / "report.pdf")

    text = "".join(page.extract_text() for page in pypdf.PdfReader(tmp_path / "report.pdf").pages)
    assert "Outliers" in text and "Case 018" in text and "Case 101 to Case 200" not in text


def test_changes_of_a_cohort_are_told_as_statistics(cohort, summaries):
    visits = [Visit(case.name, f"subject {n // 2}", n % 2 + 1, False) for n, case in enumerate(summaries)]

    document = report_document(replace(cohort, visits=visits))

    (section,) = [section for section in document.sections if section.title == "Repeated scans"]
    table = section.blocks[-1]
    assert isinstance(table, Table)
    assert [row[:3] for row in table.rows] == [["prostate", "volume", "125"], [ORGANS[1], "volume", "125"]]


def test_as_many_cases_as_are_pictured_get_pictures_each(content, simulated_case):
    few = [simulated_case(name=f"name {n}", label=f"Case {n:03d}") for n in range(3)]

    document = report_document(content(few, count=3, again=lambda label: few[0]))

    assert [section.title for section in document.sections][:2] == ["At a glance", "Cases"]
