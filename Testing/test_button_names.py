"""Messages of the panel, and its tutorial, name buttons that exist."""

import ast
import re
from xml.etree import ElementTree

import pytest
from random_user import MODULE

PANEL = MODULE.parent / "USLabelEfficientSegLib" / "slicer_side"


def button_texts(ui):
    """Texts of the buttons of a .ui file, without the shortcuts."""
    widgets = ElementTree.parse(ui).iter("widget")
    buttons = [widget for widget in widgets if widget.get("class") == "QPushButton"]
    texts = [text.text or "" for widget in buttons for text in widget.findall("property[@name='text']/string")]
    return [without_shortcut(text) for text in texts]


def without_shortcut(text):
    return re.sub(r" \(.*\)$", "", text)


def literals(path):
    """All texts in a file of Python."""
    constants = [node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)]
    return [value for value in constants if isinstance(value, str)]


@pytest.mark.parametrize("path", sorted(PANEL.rglob("*.py")), ids=lambda path: path.stem)
def test_messages_name_buttons_that_exist(path):
    ui_files = (MODULE.parent / "Resources" / "UI").glob("*.ui")
    buttons = {text.rstrip("…") for ui in ui_files for text in button_texts(ui)}
    # Of buttons with changing texts.
    offers = {without_shortcut(text) for other in PANEL.rglob("*.py") for text in literals(other)}
    said = re.findall(r"[Pp]ress ([A-Z][\w' ]*)", "\n".join(literals(path)))
    words = [text.split() for text in said]
    beginnings = [{" ".join(text[: n + 1]) for n in range(len(text))} for text in words]

    assert [text for text, known in zip(said, beginnings, strict=True) if not known & (buttons | offers)] == []


SLICERS_OWN = {
    "View > Extensions Manager",
    "Modules > Segmentation > US Label-Efficient Segmentation",
    "File > Save Data",
}
EXTENSIONS = {"USLabelEfficientSeg", "PyTorch"}


def test_the_tutorial_names_what_stands_in_the_panel():
    tutorial = (MODULE.parents[1] / "docs" / "tutorial.md").read_text(encoding="utf-8")
    told = set(re.findall(r"\*\*([^*]+)\*\*", tutorial)) - SLICERS_OWN - EXTENSIONS
    controls = {name.strip(".:") for name in told if name.strip(".:").istitle() or "press **" + name in tutorial}
    shown = {
        without_shortcut(text.text or "").rstrip("…:").strip()
        for ui in (MODULE.parent / "Resources" / "UI").glob("*.ui")
        for text in ElementTree.parse(ui).iter("string")
    } | {without_shortcut(text) for path in PANEL.rglob("*.py") for text in literals(path)}
    shown |= {text.partition(" – ")[0] for text in shown}  # of what a list offers
    steps = {text.partition(". ")[2] for text in shown if re.match(r"\d\. ", text)}

    assert {"Train", "Check", "Save CSV", "Segment"} <= {name.rstrip("…") for name in told}
    assert {name for name in controls if name.rstrip("…") not in shown | steps} == set()
