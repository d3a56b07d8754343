"""The hands of the host's user do what a user's do, and no more."""

import pytest

from slicer_host import hands


@pytest.fixture
def qt(host):
    import qt

    return qt


@pytest.fixture
def table(qt):
    made = qt.QTableWidget(2, 1)
    for row in range(2):
        made.setItem(row, 0, qt.QTableWidgetItem("organ"))
    yield made
    made.close()


def edited(table):
    """The text of the first cell after a user has tried to change it."""
    hands.double_click_cell(table, 0, 0)
    hands.type_text("prostate", table)
    hands.press("Return", table)
    return table.item(0, 0).text()


def test_a_cell_is_edited_by_a_double_click(table):
    assert edited(table) == "prostate"


def test_a_cell_of_a_table_without_edit_triggers_is_not_edited(qt, table):
    table.editTriggers = qt.QAbstractItemView.NoEditTriggers

    assert edited(table) == "organ"


def test_a_cell_is_edited_by_f2_where_the_table_says_so(qt, table):
    hands.click_cell(table, 1, 0)
    hands.press("F2", table)
    hands.type_text("urethra", table)
    hands.press("Return", table)

    assert table.item(1, 0).text() == "urethra"


def test_escape_gives_a_cell_back_its_text(table):
    hands.double_click_cell(table, 0, 0)
    hands.type_text("prostate", table)
    hands.press("Escape", table)

    assert table.item(0, 0).text() == "organ"


def test_what_is_hidden_folded_away_or_disabled_cannot_be_clicked(qt, host):
    import ctk

    section = ctk.ctkCollapsibleButton()
    section.setLayout(qt.QVBoxLayout())
    button = qt.QPushButton("Train")
    section.layout().addWidget(button)
    clicks = []
    button.connect("clicked()", lambda: clicks.append(1))

    hands.click(button)
    section.collapsed = True
    with pytest.raises(AssertionError, match="hidden"):
        hands.click(button)
    section.collapsed = False
    button.enabled = False
    with pytest.raises(AssertionError, match="disabled"):
        hands.click(button)

    assert clicks == [1]
    section.close()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("R&D", "R&D"),
        ("R&amp;D", "R&amp;D"),
        ("it&#x27;s", "it&#x27;s"),
        ("<span>R&amp;D</span>", "R&D"),
        ("<b>a</b> &lt; b", "a < b"),
    ],
)
def test_a_label_decodes_text_only_where_it_looks_rich(qt, text, shown):
    assert hands.shown_text(qt.QLabel(text)) == shown


def test_a_label_of_plain_text_shows_all_that_it_is_given(qt):
    label = qt.QLabel("<b>a</b>")
    label.textFormat = qt.Qt.PlainText

    assert hands.shown_text(label) == "<b>a</b>"
