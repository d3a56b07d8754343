"""Names of stages are written and read in one place."""

import pytest

from USLabelEfficientSegLib.study.stages import CONTINUED, NumberedStage, Stage, round_name, stage_title

NAMES = {
    "teacher": NumberedStage(Stage.TEACHER),
    "slice head": NumberedStage(Stage.SLICE_HEAD),
    "reading volumes": NumberedStage(Stage.READING_VOLUMES),
    "pseudo-labels": NumberedStage(Stage.PSEUDO_LABELS),
    "pseudo-labels 2": NumberedStage(Stage.PSEUDO_LABELS, round=2),
    "pseudo-labels continued": NumberedStage(Stage.PSEUDO_LABELS, round=CONTINUED),
    "student": NumberedStage(Stage.STUDENT),
    "student 1": NumberedStage(Stage.STUDENT, round=1),
    "student 12.3": NumberedStage(Stage.STUDENT, round=12, member=3),
    "student continued.1": NumberedStage(Stage.STUDENT, round=CONTINUED, member=1),
    "labels alone 3": NumberedStage(Stage.SUPERVISED, member=3),
    "slice network 2": NumberedStage(Stage.SLICE_NETWORK, member=2),
    "cross-fitting 5": NumberedStage(Stage.CROSS_FITTING, member=5),
    "slice votes": NumberedStage(Stage.SLICE_VOTES),
}


@pytest.mark.parametrize("name", NAMES)
def test_names_in_events_are_what_they_were_and_are_understood(name: str) -> None:
    assert str(NAMES[name]) == name
    assert NumberedStage.named(name) == NAMES[name]


@pytest.mark.parametrize(
    "name",
    ["", "a", "student x", "student 1.", "student 1.2.3", "labels alone 1.2", "labels alone continued"],
)
def test_other_names_are_no_stages_of_a_training(name: str) -> None:
    assert NumberedStage.named(name) is None


@pytest.mark.parametrize("stage", Stage)
def test_every_stage_has_a_title_for_people(stage: Stage) -> None:
    assert stage.display_name[0].isupper() and stage_title(stage) == stage.display_name


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("student 2.1", "Learning in 3-D, round 2"),
        ("student 2.3", "Learning in 3-D, round 2, network 3"),
        ("student continued.1", "Learning on in 3-D"),
        ("labels alone 1", "Learning in 3-D from your labels alone"),
        ("labels alone 2", "Learning in 3-D from your labels alone, network 2"),
        ("slice network 1", "Learning in 2-D"),
        ("slice network 2", "Learning in 2-D, network 2"),
        ("cross-fitting", "Testing on slices left out"),
        ("cross-fitting 2", "Testing on slices left out, network 2"),
        ("pseudo-labels", "Proposing labels for all slices"),
        ("pseudo-labels 2", "Improving the proposals"),
        ("measuring heads", "Measuring heads"),
    ],
)
def test_titles_tell_round_and_network_where_there_are_several(name: str, title: str) -> None:
    assert stage_title(name) == title


def test_titles_are_translated_before_numbers_are_filled_in() -> None:
    words = {", round {number}": ", Runde {number}", "Learning in 3-D": "Lernen in 3-D"}

    assert stage_title("student 2.1", lambda text: words[text]) == "Lernen in 3-D, Runde 2"


def test_an_option_names_a_stage() -> None:
    assert Stage("slice-head") is Stage.SLICE_HEAD and Stage.SLICE_HEAD.option == "slice-head"
    with pytest.raises(ValueError, match="elephant"):
        Stage("elephant")


def test_files_and_random_numbers_of_rounds_keep_their_names() -> None:
    assert (round_name(1), round_name(CONTINUED)) == ("1", "continued")
