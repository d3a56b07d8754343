import numpy as np
import pytest

from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.report.blocks import Table
from USLabelEfficientSegLib.report.content import CaseSummary
from USLabelEfficientSegLib.report.sections.repeated_scans import repeated_scans_section
from USLabelEfficientSegLib.report.visits import Change, Visit, changes, read_visits


def visits_file(tmp_path, text):
    path = tmp_path / "visits.csv"
    path.write_text(text, encoding="utf-8")
    return path


def between(before, after):
    (earlier,), (later,) = before.headline, after.headline
    return Change("Doe", "prostate", 1, (1, 2), ("a", "b"), earlier, later)


def test_visits_are_read_by_date_or_order(tmp_path):
    by_date = read_visits(visits_file(tmp_path, "case,subject,date\nb,Doe,2024-03-01\na,Doe,2024-02-29\n"))
    by_order = read_visits(visits_file(tmp_path, "\ufeffsubject, order ,case\nDoe,2,b\n"))

    assert [visit.case for visit in by_date] == ["b", "a"]
    assert by_date[0].when - by_date[1].when == 1 and by_date[0].is_date
    assert by_order == [Visit("b", "Doe", 2.0, False)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("case,subject\na,Doe\n", "lacks a column"),
        ("case,subject,date,order\na,Doe,2024-02-29,1\n", "lacks a column"),
        ("case,subject,date\na,Doe,29.2.2024\n", "line 2; give every date such as 2024-02-29"),
        ("case,subject,order\na,Doe,\n", "line 2; give every order as a number"),
        ("case,subject,order\na,Doe,nan\n", "as a number"),
        ("case,subject,order\na,Doe,1,5\n", "more cells than headings in line 2"),
        ("case,subject,order\na,,1\n", "no case or subject in line 2"),
        ("case,subject,order\na,Doe,1\na,Doe,2\n", "names the case a twice"),
        ("", "lacks a column"),
    ],
)
def test_visits_that_make_no_sense_are_refused(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read_visits(visits_file(tmp_path, text))


def test_a_missing_file_of_visits_is_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_visits(tmp_path / "none.csv")


def test_changes_go_from_scan_to_scan_and_from_the_first_to_the_last(measurement):
    rows = [measurement(case, volume_ml=ml) for case, ml in (("a", 20.0), ("b", 24.0), ("c", 18.0), ("alone", 5.0))]
    visits = [Visit("c", "Doe", 40, True), Visit("a", "Doe", 10, True), Visit("b", "Doe", 17, True),
              Visit("alone", "Roe", 1, True)]  # fmt: skip

    found = changes(rows, visits)

    assert [(c.scans, c.value, c.days) for c in found] == [((1, 2), 4.0, 7), ((2, 3), -6.0, 23), ((1, 3), -2.0, 30)]
    assert [round(c.percent or 0.0, 6) for c in found] == [20.0, -25.0, -10.0]
    assert {c.subject for c in found} == {"Doe"}


def test_the_interval_of_a_change_joins_both_intervals(measurement):
    change = between(
        measurement(volume_ml=20.0, interval_ml=(17.0, 24.0)), measurement(volume_ml=30.0, interval_ml=(27.0, 34.0))
    )

    assert change.interval == (10 - 5, 10 + 5)  # 3-4-5 triangles both ways
    assert change.exceeds_error is True


def test_a_small_change_does_not_exceed_the_error_and_without_intervals_nothing_is_said(measurement):
    before, after = measurement(interval_ml=(15.0, 25.0)), measurement(volume_ml=22.0, interval_ml=(18.0, 28.0))

    assert between(before, after).exceeds_error is False
    assert between(before, measurement()).exceeds_error is None


def test_the_interval_of_a_change_covers_at_its_level(measurement):
    # Independent errors of 10 %; 90 % intervals of both volumes.
    random, half = np.random.default_rng(0), 1.645 * 2.0
    inside = 0
    for a, b in random.normal((20.0, 26.0), 2.0, (4000, 2)):
        before = measurement(volume_ml=a, interval_ml=(a - half, a + half))
        after = measurement(volume_ml=b, interval_ml=(b - half, b + half))
        lower, upper = between(before, after).interval
        inside += lower <= 6.0 <= upper
    assert inside / 4000 == pytest.approx(0.90, abs=0.015)


def test_a_change_from_nothing_has_no_percentage(measurement):
    assert between(measurement(volume_ml=0.0), measurement()).percent is None


def test_visits_that_do_not_fit_the_measurements_are_refused(measurement):
    with pytest.raises(InputError, match="visit of which there is no segmentation"):
        changes([measurement("a")], [Visit("b", "Doe", 1, False)])
    with pytest.raises(InputError, match="two scans at the same time"):
        changes([measurement("a"), measurement("b")], [Visit("a", "Doe", 1, False), Visit("b", "Doe", 1, False)])


def test_the_section_tells_days_but_neither_dates_nor_names(measurement):
    rows = [
        measurement("Doe_2024-02-29", volume_ml=20.0, interval_ml=(18.0, 22.0)),
        measurement("Doe_2024-03-31", volume_ml=30.0, interval_ml=(27.0, 33.0)),
    ]
    visits = [Visit("Doe_2024-02-29", "Jane Doe", 738945, True), Visit("Doe_2024-03-31", "Jane Doe", 738976, True)]
    cases = [CaseSummary(f"Case 00{n}", row.case, [row]) for n, row in enumerate(rows, start=1)]

    section = repeated_scans_section(cases, visits, show_names=False)
    table = section.blocks[1]
    assert isinstance(table, Table)
    assert table.rows == [
        ["1", "prostate", "Case 001 → Case 002", "31", "20.0", "30.0", "+10.0", "+50.0", "6.39 to 13.6", "yes"]
    ]
    named = repeated_scans_section(cases, visits, show_names=True).blocks[1]
    assert isinstance(named, Table)
    assert named.rows[0][0] == "1: Jane Doe"
    assert repeated_scans_section(cases, [], show_names=False).blocks == []
