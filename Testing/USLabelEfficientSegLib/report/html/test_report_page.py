"""What everybody needs of the page: contrast, labels, a keyboard, a narrow screen."""

import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from USLabelEfficientSegLib.measurement.flags import Flag
from USLabelEfficientSegLib.report.document import report_document
from USLabelEfficientSegLib.report.html.document import html_text


class Page(HTMLParser):
    """Tags with their attributes, the tags around them, and the text of the page."""

    EMPTY = frozenset({"meta", "img", "br", "link", "path", "image", "use", "rect"})

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.text = [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes), tuple(self.open)))
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes), tuple(self.open)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"{tag} is closed in a wrong place"

    def of(self, name):
        return [attributes for tag, attributes, _ in self.tags if tag == name]


@pytest.fixture(scope="module")
def html(simulated_case, content, measurement):
    rows = [measurement(flags=(Flag.HOLES,)), measurement(organ="cyst <1 & 2>", label=2, volume_ml=3.0)]
    cases = [simulated_case("a"), simulated_case("b", "Case 002", rows=rows)]
    return html_text(report_document(content(cases)))


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


def luminance(colour):
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("mode", [0, 1], ids=["light", "dark"])
def test_texts_have_enough_contrast(html, mode):
    palettes = re.findall(r":root \{([^}]*)\}", html)
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", palettes[mode]))

    for ink in ("ink", "quiet", "accent", "caution"):
        for ground in ("page", "tint", "caution-tint"):
            assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)  # WCAG 2.2, 1.4.3
    assert contrast(colours["caution-rule"], colours["page"]) >= 3  # 1.4.11
    assert contrast(colours["line"], colours["page"]) >= 3
    assert "@media (prefers-color-scheme: dark)" in html


def test_all_colours_of_a_mode_are_given_in_the_other_and_on_paper(html):
    names = [set(re.findall(r"--([a-z-]+):", palette)) for palette in re.findall(r":root \{([^}]*)\}", html)]

    assert len(names) == 3 and names[0] == names[1] == names[2]


def test_the_page_has_landmarks_a_language_and_headings_in_order(page):
    tags = [tag for tag, _, _ in page.tags]
    levels = [int(tag[1]) for tag in tags if re.fullmatch("h[1-6]", tag)]

    assert page.of("html")[0]["lang"] == "en"
    assert all(tags.count(landmark) == 1 for landmark in ("header", "nav", "main", "footer"))
    assert levels[0] == 1 and all(after - before <= 1 for before, after in pairwise(levels))


def test_every_picture_is_told_to_those_who_cannot_see_it(page):
    assert all(len(image["alt"]) > 10 for image in page.of("img"))
    slices = [attributes for attributes in page.of("div") if attributes.get("class") == "slice"]
    assert slices and all(picture["role"] == "img" and "Case 00" in picture["aria-label"] for picture in slices)
    assert all(attributes.get("aria-hidden") == "true" for attributes in page.of("svg"))


def test_tables_have_captions_and_headings_with_their_scope(page):
    tables = [attributes for attributes in page.of("table") if attributes.get("class") != "pairs"]
    regions = [attributes for attributes in page.of("div") if attributes.get("class") == "scroll"]

    assert len(page.of("caption")) == len(tables) - 1  # the metrics of this test have none
    assert all(attributes["scope"] in ("col", "row", "rowgroup") for attributes in page.of("th"))
    assert all(region["tabindex"] == "0" and region["aria-label"] for region in regions)  # arrow keys scroll them


def test_links_of_the_page_lead_somewhere_and_identities_are_unique(page):
    identities = [attributes["id"] for _, attributes, _ in page.tags if "id" in attributes]
    targets = [attributes["href"][1:] for tag, attributes, _ in page.tags if tag in ("a", "use")]

    assert len(set(identities)) == len(identities)
    assert targets and set(targets) <= set(identities)
    assert page.of("a")[0] == {"class": "skip", "href": "#main"}


def test_what_is_read_once_is_folded_and_opened_by_keyboard(html, page):
    folded = re.findall(r"<summary><h2>([^<]*)</h2></summary>", html)

    assert folded == ["All measurements", "Cautions", "Training", "Method", "Settings", "Provenance"]
    assert len(page.of("details")) == len(folded) and ":focus-visible" in html


def test_no_word_of_a_table_is_broken_and_wide_ones_scroll(html):
    for rule in re.findall(r"(?m)^([^{}@]*)\{([^}]*overflow-wrap: anywhere[^}]*)\}", html):
        assert ".pairs td" in rule[0]  # checksums have no words
    assert ".scroll { overflow-x: auto" in html


def test_cases_that_ask_for_caution_come_first_and_are_marked(html, page):
    names = re.findall(r'<h3 id="[^"]*">(Case \d+) <span class="badge">([^<]*)<', html)
    order = re.findall(r'scope="rowgroup"><a href="#(case-\d)">', html)

    assert names == [("Case 002", "⚠ 1 caution"), ("Case 001", "no caution")]
    assert order == ["case-2", "case-1"]
    assert len([row for row in page.of("tr") if row.get("class") == "caution"]) == 2  # at a glance, and in its card


def test_the_numbers_of_a_case_stand_beside_its_pictures(html):
    found = re.search(r'<article class="case[^"]*" id="case-2".*?</article>', html, flags=re.S)

    assert found is not None
    card = found[0]
    assert ">3.00</td>" in card and Flag.HOLES.sentence in card
    assert card.count('class="slice"') == 6 and "mm</span>" in card


def test_the_page_needs_no_network_and_forbids_one(page):
    policy = next(meta["content"] for meta in page.of("meta") if meta.get("http-equiv") == "Content-Security-Policy")

    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert not {"script", "link", "iframe"} & {tag for tag, _, _ in page.tags}


def test_names_do_nothing_whatever_they_hold(simulated_case, content):
    name = "</style><b>\u202egnp.exe\x1b[31m"
    html = html_text(report_document(content([simulated_case(label=name)], title=name)))

    assert "<b>" not in html and "\u202e" not in html and "\x1b" not in html
    assert r"\u202egnp.exe\x1b[31m" in html
