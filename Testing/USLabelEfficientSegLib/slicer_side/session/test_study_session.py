"""A study folder and its nodes: volumes find their case again, labels are saved at once, also during training."""

import numpy as np
import pytest

from USLabelEfficientSegLib.annotation.sparse_labels import LabelledSlice
from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.study.kept_slices import kept_files
from USLabelEfficientSegLib.study.study import Study

ORGANS = ("organ A", "organ B")


@pytest.fixture
def volumes(host):
    from USLabelEfficientSegLib.slicer_side.nodes.simulated_data import createSimulatedStudy

    return createSimulatedStudy(2)


@pytest.fixture
def session(volumes, tmp_path):
    """A study of two simulated volumes that are in the scene."""
    from USLabelEfficientSegLib.slicer_side.nodes.segmentation_nodes import organsNamed
    from USLabelEfficientSegLib.slicer_side.processes.jobs import Job
    from USLabelEfficientSegLib.slicer_side.processes.study_jobs import createStudy

    organs = organsNamed(ORGANS)
    return Job("", lambda job: createStudy(job, tmp_path / "study", volumes, organs, 2), "create").wait()


def test_volumes_are_copied_exactly_and_know_their_case(session, volumes):
    import slicer

    assert session.cases() == [node.GetName() for node in volumes]
    for node in volumes:
        case = session.caseOf(node)
        assert session.volumeNode(case) is node
        stored = session.study.read_scan(case)
        np.testing.assert_array_equal(stored.voxels, slicer.util.arrayFromVolume(node).T)


def test_a_volume_of_another_study_is_not_taken_for_ones_own(session, volumes):
    from USLabelEfficientSegLib.slicer_side.nodes.study_nodes import STUDY

    volumes[0].SetAttribute(STUDY, "another time")

    assert session.caseOf(volumes[0]) is None and session.volumeNode("simulated_0000") is None


def test_volumes_of_one_name_become_different_cases(host, volumes, tmp_path):
    from USLabelEfficientSegLib.slicer_side.nodes.segmentation_nodes import organsNamed
    from USLabelEfficientSegLib.slicer_side.processes.jobs import Job
    from USLabelEfficientSegLib.slicer_side.processes.study_jobs import createStudy

    for node in volumes:
        node.SetName("a/b")
    steps = lambda job: createStudy(job, tmp_path / "study", volumes, organsNamed(["liver"]), 2)  # noqa: E731
    session = Job("", steps, "create").wait()

    assert len(set(session.cases())) == 2
    assert {session.caseOf(node) for node in volumes} == set(session.cases())


def test_a_folder_that_is_not_empty_is_refused_before_anything_is_copied(volumes, tmp_path):
    from USLabelEfficientSegLib.slicer_side.processes.jobs import Job
    from USLabelEfficientSegLib.slicer_side.processes.study_jobs import createStudy

    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(InputError, match="is not empty; choose a new folder"):
        Job("", lambda job: createStudy(job, tmp_path, volumes, [], 2)).wait()
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_labels_are_saved_at_once_and_survive_in_another_scene(session, host):
    from USLabelEfficientSegLib.slicer_side.processes.jobs import Job
    from USLabelEfficientSegLib.slicer_side.session.study_session import StudySession

    labels = session.labels.of("simulated_0001")
    organs = session.organs()
    painted = np.zeros((48, 48), dtype=np.uint8)
    painted[10:20, 5:9] = 2
    labels.setLabels(2, 7, painted, organs)
    labels.markEmpty(0, 3, organs)
    session.labels.save("simulated_0001", studyIsBusy=False)
    assert session.labels.slices("simulated_0001") == [
        (LabelledSlice(0, 3), []), (LabelledSlice(2, 7), ["organ B"])
    ]  # fmt: skip

    host.clear_scene()
    again = StudySession(session.folder)
    Job("", again.load).wait()

    assert again.labels.slices("simulated_0001") == [(LabelledSlice(0, 3), []), (LabelledSlice(2, 7), ["organ B"])]
    stored = again.study.read_labels("simulated_0001")
    assert stored is not None
    np.testing.assert_array_equal(stored.voxels[4:, :, 7], painted[4:])
    np.testing.assert_array_equal(stored.voxels[3], 0)


def test_labels_drawn_while_the_study_is_trained_are_kept_and_taken_over_afterwards(session):
    session.labels.of("simulated_0001").markEmpty(2, 5, session.organs())

    with Study.open(session.folder).lock():  # as training does
        session.labels.save("simulated_0001", studyIsBusy=True)
        assert Study.open(session.folder).read_labels("simulated_0001") is None
    session.labels.takeLeft()

    stored = Study.open(session.folder).read_labels("simulated_0001")
    assert stored is not None and stored.labelled_slices() == [LabelledSlice(2, 5)]


def test_colours_and_terminology_stay_with_the_study(session):
    from USLabelEfficientSegLib.slicer_side.nodes.segmentation_nodes import Organ
    from USLabelEfficientSegLib.slicer_side.session.study_session import StudySession

    session.appearance.keep([Organ("organ A", (0.5, 0.25, 1.0), "a~b~c~d")])
    first, second = StudySession(session.folder).organs()

    assert (first.colour, first.terminology) == ((0.5, 0.25, 1.0), "a~b~c~d")
    assert second.name == "organ B" and second.colour != first.colour


def test_colours_are_read_once_until_they_are_changed_or_the_study_is_read_again(session, monkeypatch):
    from USLabelEfficientSegLib.disk import json_files
    from USLabelEfficientSegLib.slicer_side.nodes.segmentation_nodes import Organ

    read, reads = json_files.read_json, []

    def counted(path):
        reads.append(path.name)
        return read(path)

    monkeypatch.setattr(json_files, "read_json", counted)
    session.refresh()
    reads.clear()

    assert session.organs() == session.organs() and reads == ["organs.json"]
    session.appearance.keep([Organ("organ B", (0.5, 0.25, 1.0), "a~b~c~d")])
    assert session.organs()[1].colour == (0.5, 0.25, 1.0) and reads == ["organs.json"] * 2
    (session.folder / "organs.json").write_text('{"organ B": {"colour": [1, 0, 0], "terminology": ""}}')
    assert session.organs()[1].colour == (0.5, 0.25, 1.0)
    session.refresh()
    assert session.organs()[1].colour == (1, 0, 0)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"organ A": 5}', '{"organ A": {"colour": [1], "terminology": ""}}'])
def test_damaged_colours_are_chosen_anew(session, text):
    (session.folder / "organs.json").write_text(text)

    first, second = session.organs()

    assert (first.name, second.name) == ("organ A", "organ B")
    assert len(first.colour) == len(second.colour) == 3 and first.colour != second.colour


def test_volumes_join_the_study(session, host):
    from USLabelEfficientSegLib.imaging.simulator import simulate_volume
    from USLabelEfficientSegLib.slicer_side.nodes.volume_nodes import nodeFromVoxels
    from USLabelEfficientSegLib.slicer_side.processes.jobs import Job
    from USLabelEfficientSegLib.slicer_side.processes.study_jobs import addVolumes

    case = simulate_volume(9, shape=(20, 18, 16), spacing=(4.0, 4.0, 4.0)).volume
    node = nodeFromVoxels("late", case.voxels, case.geometry)
    Job("", lambda job: addVolumes(job, session, [node]), "add").wait()

    assert session.caseOf(node) == "late"
    np.testing.assert_array_equal(session.study.read_scan("late").voxels, case.voxels)


def test_suggestions_are_used_up_in_order_and_labelled_ones_left_out(host):
    from USLabelEfficientSegLib.slicer_side.session.slice_suggestions import Suggestions

    queue = Suggestions()
    queue.fill({"volume": "a", "axis": 2, "index": index, "reason": "typical"} for index in (4, 8, 9))

    following = queue.next(lambda s: s.index == 4)
    assert following is not None and following.index == 8
    assert len(queue) == 1
    assert queue.next(lambda s: True) is None and queue.next(lambda s: False) is None


def test_what_is_new_since_the_training_and_what_it_would_continue_from(session, volumes):
    from USLabelEfficientSegLib.slicer_side.processes.jobs import Job
    from USLabelEfficientSegLib.slicer_side.processes.study_jobs import addVolumes
    from USLabelEfficientSegLib.study.provenance import start_run
    from USLabelEfficientSegLib.study.settings import preset
    from USLabelEfficientSegLib.training.checkpoint import save_checkpoint

    assert session.training.news() == "" and not session.training.continues()
    start_run(session.study, preset("quick"), "cpu")
    assert session.training.news() == "" and session.training.made_with("quick", "cross-dimensional", {})
    session.labels.of("simulated_0001").markEmpty(2, 5, session.organs())
    session.labels.save("simulated_0001", studyIsBusy=False)
    assert session.training.news() == "labels" and not session.training.continues()
    earlier = session.study.run_folder / "continued_from.safetensors"
    earlier.write_text("")
    assert session.training.continues()
    with pytest.raises(InputError, match="is damaged"):
        session.training.has_supervised_students()
    for networks, alone in ((1, False), (2, True)):
        made = {"networks": networks, "provenance": {"settings": preset("quick").model_dump(mode="json")}}
        save_checkpoint(earlier, {}, {"model": made})
        assert session.training.has_supervised_students() is alone
    save_checkpoint(earlier, {}, {"model": {"networks": 0, "provenance": {}}})
    assert not session.training.continues()  # 2-D networks learn anew

    volumes[0].SetAttribute("USLabelEfficientSeg.Study", "")
    volumes[0].SetName("another")
    Job("", lambda job: addVolumes(job, session, [volumes[0]])).wait()
    assert session.training.news() == "volumes" and session.training.made_with("quick", "cross-dimensional", {})
    assert not session.training.made_with("standard", "cross-dimensional", {})


def test_labels_go_to_the_inbox_when_another_program_writes_the_study(session):
    session.labels.of("simulated_0001").markEmpty(2, 5, session.organs())

    with Study.open(session.folder).lock(), pytest.raises(InputError, match="is being written by process"):
        session.labels.save("simulated_0001", studyIsBusy=False)
    assert kept_files(Study.open(session.folder)) == []  # the inbox has them; kept ones would come back after others
    session.labels.takeLeft()

    stored = Study.open(session.folder).read_labels("simulated_0001")
    assert stored is not None and stored.labelled_slices() == [LabelledSlice(2, 5)]
