"""CTK's path line edit keeps to itself what its validator does not accept."""

import pytest


@pytest.fixture
def edit(host):
    import ctk

    return ctk.ctkPathLineEdit()


def heard(edit):
    """What the edit tells from now on."""
    told: list[str | bool] = []
    edit.connect("currentPathChanged(QString)", told.append)
    edit.connect("validInputChanged(bool)", told.append)
    return told


def test_a_path_of_another_ending_is_shown_and_not_told(edit):
    edit.nameFilters = ["Trained model (*.safetensors *.pt)"]
    told = heard(edit)

    edit.currentPath = "/models/study"

    assert edit.currentPath == "/models/study"
    assert told == []


def test_a_path_of_the_right_ending_is_told(edit):
    edit.nameFilters = ["Trained model (*.safetensors *.pt)"]
    told = heard(edit)

    edit.currentPath = "/models/a.pt"
    edit.currentPath = "/models/a.ptx"

    assert told == ["/models/a.pt", True, False]


def test_without_filters_every_path_is_told_except_the_empty_one(edit):
    told = heard(edit)

    edit.currentPath = "anything"
    edit.currentPath = ""

    assert told == ["anything", True, False]
    assert edit.currentPath == ""


def test_any_file_can_be_told_in_spite_of_a_filter(edit):
    edit.nameFilters = ["All files (*)"]
    told = heard(edit)

    edit.currentPath = "/models/study"

    assert told[0] == "/models/study"
