import io
import re

import pytest
from PIL import Image
from pypdf import PdfReader

from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.measurement import fonts
from USLabelEfficientSegLib.measurement.pdf import pdf_bytes
from USLabelEfficientSegLib.measurement.report import html_text, write_report
from USLabelEfficientSegLib.measurement.report_blocks import (
    Document,
    Heading,
    Legend,
    LegendEntry,
    Paragraph,
    Picture,
    Section,
)
from USLabelEfficientSegLib.measurement.report_document import report_document


def text_of(reader):
    return re.sub(r"\s+", " ", " ".join(page.extract_text() for page in reader.pages))


def grey_picture(height):
    file = io.BytesIO()
    Image.new("L", (180, height), 128).save(file, "png")
    return Picture(file.getvalue(), "Caption", "A grey picture", 180.0)


def document_of(*sections):
    return Document("Title", "Subtitle", "Notice", {"Cases": "1"}, sections, "Footer")


@pytest.fixture(scope="module")
def document(simulated_case, content):
    cases = [simulated_case(str(n), f"Case {n:03.0f}", spacing=(1.0, 1.0, n)) for n in (1.0, 2.0)]
    return report_document(content(cases))


@pytest.fixture(scope="module")
def reader(document):
    return PdfReader(io.BytesIO(pdf_bytes(document)))


def test_the_pdf_has_the_sections_of_the_page_in_the_same_order(document, reader):
    headings = re.findall(r"<h2>([^<]*)</h2>", html_text(document))

    assert headings == ["Summary", *(section.title for section in document.sections)]
    assert [entry.title for entry in reader.outline] == headings


def test_the_pdf_has_every_text_of_the_document(document, reader):
    found = text_of(reader).replace(" ", "")

    for text in document.texts():
        for word in text.split():
            assert word in found, text


def test_the_pdf_has_every_picture_with_its_description(document, reader):
    pictures = sum(len(page.images) for page in reader.pages)

    assert pictures == html_text(document).count("<img")
    assert pictures >= 8


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


def test_characters_without_a_font_are_refused_before_anything_is_written(tmp_path, simulated_case, content):
    unknown = "\U0010fffd"  # of the private use area
    with pytest.raises(InputError, match="needs a font with the characters"):
        write_report(tmp_path / "report.html", content([simulated_case(label=unknown)]), pdf=tmp_path / "report.pdf")
    assert list(tmp_path.iterdir()) == []


def test_fonts_of_the_computer_are_asked_for_what_dejavu_lacks(monkeypatch):
    monkeypatch.setattr(fonts, "_characters", lambda path: frozenset("abc" if path == fonts.dejavu() else "abé漢"))

    assert fonts.further_fonts(["abc"]) == []
    assert len(fonts.further_fonts(["漢é"])) == 1


@pytest.mark.parametrize("legend", [[], [Legend([LegendEntry("outline", "#ff8800", "line")])]], ids=["bare", "legend"])
@pytest.mark.parametrize("lines", range(0, 60, 3))
def test_a_title_stands_on_the_page_of_the_picture_that_follows_it(lines, legend):
    above = Section("Before", [Paragraph("A line.") for _ in range(lines)] or [Paragraph("One.")])
    picture = Section("Curves", [*legend, grey_picture(height=120)])
    text = document_of(above, picture)

    pages = PdfReader(io.BytesIO(pdf_bytes(text))).pages

    titled = [number for number, page in enumerate(pages) if "Curves" in page.extract_text()]
    assert titled == [number for number, page in enumerate(pages) if page.images]


@pytest.mark.parametrize("lines", range(0, 60, 3))
def test_all_pictures_of_a_volume_stand_on_the_page_of_its_name(lines):
    above = [Paragraph("A line.") for _ in range(lines)]
    volumes = [[Heading(name), grey_picture(height=70), grey_picture(height=60)] for name in ("First", "Second")]
    text = document_of(Section("Volumes", [*above, *volumes[0], *volumes[1]]))

    pages = PdfReader(io.BytesIO(pdf_bytes(text))).pages

    named = [sum(name in page.extract_text() for name in ("First", "Second")) for page in pages]
    assert sum(named) == 2
    assert [len(page.images) for page in pages] == [2 * names for names in named]


def test_a_name_stands_by_the_first_of_more_pictures_than_a_page_holds():
    volume = [Heading("First"), *[grey_picture(height=100)] * 4]
    text = document_of(Section("Volumes", [Paragraph("A line.") for _ in range(20)] + volume))

    pages = PdfReader(io.BytesIO(pdf_bytes(text))).pages

    named = next(number for number, page in enumerate(pages) if "First" in page.extract_text())
    assert [len(page.images) for page in pages][named] >= 1
    assert sum(len(page.images) for page in pages[:named]) == 0
