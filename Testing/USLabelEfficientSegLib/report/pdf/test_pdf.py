import io
import re
from dataclasses import replace
from datetime import date

import pytest
from PIL import Image
from pypdf import PdfReader

from USLabelEfficientSegLib import __version__
from USLabelEfficientSegLib.measurement.flags import Flag
from USLabelEfficientSegLib.report.blocks import (
    CaseCard,
    Document,
    Heading,
    Legend,
    LegendEntry,
    Paragraph,
    Picture,
    Section,
    Table,
    Tiles,
)
from USLabelEfficientSegLib.report.document import report_document
from USLabelEfficientSegLib.report.html.document import html_text
from USLabelEfficientSegLib.report.pdf.document import pdf_of
from USLabelEfficientSegLib.report.pictures import fonts
from USLabelEfficientSegLib.report.writing import write_report


def text_of(reader):
    return re.sub(r"\s+", " ", " ".join(page.extract_text() for page in reader.pages))


def grey_picture(height):
    file = io.BytesIO()
    Image.new("L", (180, height), 128).save(file, "png")
    return Picture(file.getvalue(), "Caption", "A grey picture", 180.0)


def document_of(*sections):
    return Document("Title", "Subtitle", "2026-01-02, uslabelseg 1.2.3", "Notice", ["Read it."], sections)


def pages_of(document):
    return PdfReader(io.BytesIO(pdf_of(document)[0])).pages


@pytest.fixture(scope="module")
def document(simulated_case, content):
    cases = [simulated_case(str(n), f"Case {n:03.0f}", spacing=(1.0, 1.0, n)) for n in (1.0, 2.0)]
    return report_document(content(cases))


@pytest.fixture(scope="module")
def reader(document):
    return PdfReader(io.BytesIO(pdf_of(document)[0]))


def test_the_pdf_has_the_sections_of_the_page_in_the_same_order(document, reader):
    headings = re.findall(r"<h2>([^<]*)</h2>", html_text(document))

    assert headings == ["How to read this", *(section.title for section in document.sections)]
    assert [entry.title for entry in reader.outline] == headings


def test_the_pdf_has_every_text_of_the_document(document, reader):
    found = text_of(reader).replace(" ", "")

    for text in document.texts():
        for word in text.split():
            assert word in found, text


def test_the_pdf_has_every_picture_with_its_description(document, reader):
    pictures = sum(len(page.images) for page in reader.pages)
    blocks = [block for section in document.sections for block in section.blocks]
    cards = [block for block in blocks if isinstance(block, CaseCard)]

    # A slice that is shown twice on a page is there once.
    shown = sum(len({picture.image for row in card.rows for picture in row.slices}) + 1 for card in cards)
    assert pictures == shown + sum(isinstance(block, Picture) for block in blocks) >= 14


def test_all_fonts_are_embedded(reader):
    fonts_found = [font.get_object() for page in reader.pages for font in page["/Resources"]["/Font"].values()]
    descriptors = [font["/DescendantFonts"][0].get_object()["/FontDescriptor"].get_object() for font in fonts_found]

    assert descriptors and all("/FontFile2" in descriptor for descriptor in descriptors)


def test_names_in_other_alphabets_can_be_read(tmp_path, simulated_case, content):
    organs = ("простата", "κύστη größer")
    case = simulated_case()
    rows = [row.__class__(**{**row.__dict__, "organ": organ}) for row, organ in zip(case.rows, organs, strict=True)]
    shown = content([simulated_case(rows=rows)])
    shown = shown.__class__(**{**shown.__dict__, "organs": organs})

    write_report(tmp_path / "report.html", shown, pdf=tmp_path / "report.pdf")

    text = text_of(PdfReader(tmp_path / "report.pdf"))
    assert "простата" in text and "κύστη größer" in text
    assert "простата" in (tmp_path / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("漢字 1", "[U+6F22][U+5B57] 1"),
        ("हिन्दी", "[U+0939][U+093F][U+0928][U+094D][U+0926][U+0940]"),
        ("scan 🩺", "scan [U+1FA7A]"),
        ("\U0010fffd", "[U+10FFFD]"),  # of the private use area
    ],
)
def test_characters_without_a_font_have_their_codes_and_the_reader_is_told(
    monkeypatch, tmp_path, simulated_case, content, name, shown
):
    monkeypatch.setattr(fonts.fontManager, "ttflist", [])

    written = write_report(
        tmp_path / "report.html", content([simulated_case(label=name)], title=name), pdf=tmp_path / "report.pdf"
    )

    (remark,) = written.remarks
    assert "has no font" in re.sub(r"\s+", " ", remark) and f"U+{max(map(ord, name)):04X}" in remark
    reader = PdfReader(tmp_path / "report.pdf")
    text = text_of(reader)
    assert shown in text and remark.split(" (")[0] in text
    assert all(shown in page.extract_text() for page in reader.pages)  # in their heads
    assert name in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_names_with_fonts_are_not_remarked_on(tmp_path, simulated_case, content):
    case = simulated_case(label="Пациент é 7")

    assert write_report(tmp_path / "a.html", content([case]), pdf=tmp_path / "a.pdf").remarks == []


def test_names_that_differ_differ_in_codes_too():
    missing = frozenset("漢字")

    assert fonts.with_codes("漢 a", missing) == "[U+6F22] a" != fonts.with_codes("字 a", missing)
    assert fonts.with_codes("a\u200d\ufe0fb", frozenset()) == "ab"  # joiners have no shape of their own


def test_fonts_of_the_computer_are_asked_for_what_dejavu_lacks(monkeypatch):
    monkeypatch.setattr(fonts, "_characters", lambda path: frozenset("abc" if path == fonts.dejavu() else "abé漢"))

    assert fonts.further_fonts(["abc"]) == ([], frozenset())
    found, missing = fonts.further_fonts(["漢é字"])
    assert len(found) == 1 and missing == {"字"}


def test_every_page_has_a_head_and_a_foot(document, reader):
    count = len(reader.pages)
    for number, page in enumerate(reader.pages, start=1):
        text = re.sub(r"\s+", " ", page.extract_text())
        assert text.startswith("Report of “<script>”")
        assert "For research use only. Not a medical device." in text
        assert f"page {number} of {count}" in text and f"{date.today().isoformat()}, uslabelseg {__version__}" in text


def test_a_title_too_long_for_the_head_is_cut_there_only():
    title = "A very long title of a report on many organs of many patients " * 4

    (page,) = pages_of(replace(document_of(), title=title.strip()))

    head, *_ = page.extract_text().splitlines()
    assert "…" in head and title.strip() in re.sub(r"\s+", " ", page.extract_text())


@pytest.mark.parametrize("lines", range(0, 40, 7))
def test_no_page_break_divides_a_group_of_rows(lines):
    rows = [[f"Case {n:03d}", f"organ {n}-{k}", "1.0"] for n in range(12) for k in range(7)]
    above = [Paragraph("A line.") for _ in range(lines)]

    pages = pages_of(document_of(Section("Volumes", [*above, Table(("Case", "Organ", "ml"), rows, (0, 1))])))

    for n in range(12):
        (whole,) = [page.extract_text() for page in pages if f"organ {n}-" in page.extract_text()]
        assert f"Case {n:03d}" in whole and all(f"organ {n}-{k}" in whole for k in range(7))


def test_a_group_that_no_page_holds_names_its_case_on_every_page():
    rows = [["Case 001", f"organ {k}", "1.0"] for k in range(90)]

    pages = pages_of(document_of(Section("Volumes", [Table(("Case", "Organ", "ml"), rows, (0, 1))])))

    texts = [page.extract_text() for page in pages if "organ " in page.extract_text()]
    assert len(texts) > 1 and all("Case 001" in text for text in texts)


def test_tiles_are_as_high_as_their_texts():
    entries = {"name " * 30: "value", "B": "long " * 30}
    (page,) = pages_of(document_of(Section("At a glance", [Tiles(entries), Paragraph("What follows.")])))

    heights = []
    page.extract_text(visitor_text=lambda text, _, matrix, *rest: heights.append((text.strip(), matrix[5])))

    below = dict(heights)["What follows."]
    tiles = [height for text, height in heights if text.startswith(("name", "long", "value"))]
    assert len(tiles) >= 6 and min(tiles) > below + 10  # points


@pytest.mark.parametrize("cautions", [0, 2])
@pytest.mark.parametrize("lines", [0, 18, 40])
def test_a_case_keeps_its_numbers_and_pictures_on_one_page(simulated_case, content, measurement, lines, cautions):
    flags = (Flag.HOLES, Flag.EMPTY)[:cautions]
    rows = [measurement(volume_ml=11.7, flags=flags), measurement(organ="cyst <1 & 2>", label=2, volume_ml=23.4)]
    document = report_document(content([simulated_case(rows=rows)]))
    (card,) = (block for section in document.sections for block in section.blocks if isinstance(block, CaseCard))
    above = [Paragraph("A line.") for _ in range(lines)]

    pages = pages_of(document_of(Section("Cases", [*above, card])))

    (page,) = [page for page in pages if "Case 001" in page.extract_text()]
    assert "11.7" in page.extract_text() and "23.4" in page.extract_text()
    assert card.picture is not None
    pictures = {picture.image for row in card.rows for picture in row.slices} | {card.picture.png}
    assert len(page.images) == len(pictures) >= 6  # a slice through both organs is in the file once
    assert sum(len(page.images) for page in pages) == len(pictures)


@pytest.mark.parametrize("legend", [[], [Legend([LegendEntry("outline", "#ff8800", "line")])]], ids=["bare", "legend"])
@pytest.mark.parametrize("lines", range(0, 60, 7))
def test_a_title_stands_on_the_page_of_the_picture_that_follows_it(lines, legend):
    above = Section("Before", [Paragraph("A line.") for _ in range(lines)] or [Paragraph("One.")])
    picture = Section("Curves", [*legend, grey_picture(height=120)])
    text = document_of(above, picture)

    pages = pages_of(text)

    titled = [number for number, page in enumerate(pages) if "Curves" in page.extract_text()]
    assert titled == [number for number, page in enumerate(pages) if page.images]


@pytest.mark.parametrize("lines", range(0, 60, 7))
def test_a_legend_stands_on_the_page_of_its_picture(lines):
    above = [Paragraph("A line.") for _ in range(lines)]
    legend = Legend([LegendEntry("an organ", "#ff8800", "●")])
    text = document_of(Section("Agreement", [Paragraph("One."), *above, legend, grey_picture(height=60)]))

    pages = pages_of(text)

    (page,) = [page for page in pages if "an organ" in page.extract_text()]
    assert len(page.images) == 1


@pytest.mark.parametrize("lines", range(0, 60, 7))
def test_all_pictures_of_a_volume_stand_on_the_page_of_its_name(lines):
    above = [Paragraph("A line.") for _ in range(lines)]
    volumes = [[Heading(name), grey_picture(height=70), grey_picture(height=60)] for name in ("First", "Second")]
    text = document_of(Section("Volumes", [*above, *volumes[0], *volumes[1]]))

    pages = pages_of(text)

    named = [sum(name in page.extract_text() for name in ("First", "Second")) for page in pages]
    assert sum(named) == 2
    assert [len(page.images) for page in pages] == [2 * names for names in named]


def test_a_name_stands_by_the_first_of_more_pictures_than_a_page_holds():
    volume = [Heading("First"), *[grey_picture(height=100)] * 4]
    text = document_of(Section("Volumes", [Paragraph("A line.") for _ in range(20)] + volume))

    pages = pages_of(text)

    named = next(number for number, page in enumerate(pages) if "First" in page.extract_text())
    assert [len(page.images) for page in pages][named] >= 1
    assert sum(len(page.images) for page in pages[:named]) == 0


def test_a_case_with_a_long_table_goes_on_overleaf_under_its_name(simulated_case, content, measurement):
    rows = [measurement(organ=f"organ {n}", label=n, volume_ml=float(n)) for n in range(1, 41)]
    document = report_document(content([simulated_case(rows=rows)]))
    (card,) = (block for section in document.sections for block in section.blocks if isinstance(block, CaseCard))

    pages = pages_of(document_of(Section("Cases", [card])))

    assert len([page for page in pages if page.images]) > 0
    assert all("Case 001" in page.extract_text() for page in pages if page.images)
