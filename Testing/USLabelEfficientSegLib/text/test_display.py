"""Names of files are shown, and never obeyed."""

import pytest

from USLabelEfficientSegLib.text.display import csv_cell, printable, text_of_csv_cell


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("liver 7", "liver 7"),
        ("Größe, 肝, کلیه‌ها", "Größe, 肝, کلیه‌ها"),
        ("a\x1b[2Jb", r"a\x1b[2Jb"),
        ("a\nb\tc\rd", r"a\nb\tc\rd"),
        ("\x9b31m", r"\x9b31m"),
        ("\x7f\x00", r"\x7f\x00"),
        ("gpj.\u202eexe", r"gpj.\u202eexe"),
        ("a\u2028b\ufeff", r"a\u2028b\ufeff"),
        ("bad\udcff", r"bad\xff"),
        ("half\ud800", r"half\ud800"),
    ],
)
def test_everything_in_a_text_shows(text, shown):
    assert printable(text) == shown
    assert printable(text).encode("utf-8")


@pytest.mark.parametrize(
    "text", ["=1+1", "+cmd", "-2+3", "@SUM(A1)", " =1", "＝1", "a;=1+1", "-", "=HYPERLINK(1)", "--1"]
)
def test_a_formula_becomes_text(text):
    cell = csv_cell(text)

    assert all(part.lstrip()[0] not in "=+-@＝" for part in cell.split(";"))
    assert text_of_csv_cell(cell) == text


@pytest.mark.parametrize("text", ["-1.5", "+3", "0.0001", "-1e-05", "1.", "liver", "a=b", "it's", "", "nan", "'q'"])
def test_numbers_and_plain_texts_are_as_they_are(text):
    assert csv_cell(text) == text == text_of_csv_cell(text)


def test_a_cell_has_one_line():
    assert csv_cell("a\r\n=1") == r"a\r\n=1"
    assert csv_cell("\t=1") == r"\t=1"
