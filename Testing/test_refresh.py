"""Bringing the panel up to date takes work in proportion to the volumes; work is counted, not timed."""

import pytest
from counted_work import instructions_of
from large_studies import open_large_study
from random_user import MODULE

LITTLE = 60  # instructions a volume, which has two nodes


@pytest.fixture
def panel_with(host, tmp_path):
    """Opens a study of so many volumes."""

    def opened(volumes):
        host.clear_scene()
        folder = tmp_path / str(volumes)
        folder.mkdir()
        return open_large_study(folder, volumes).panel

    yield opened
    host.close_module(MODULE)


def test_a_refresh_is_linear_in_the_number_of_volumes(panel_with):
    work = [instructions_of(panel_with(volumes).refresh) for volumes in (30, 60, 90)]
    first, second = work[1] - work[0], work[2] - work[1]

    assert second < 1.05 * first
    assert second / 30 < 1000  # instructions a volume


def test_a_refresh_summarises_the_study_once_or_twice_and_reads_no_image(panel_with, monkeypatch):
    from USLabelEfficientSegLib.study.study import Study

    panel = panel_with(20)
    summaries, readings = [], []
    summary = Study.summary

    def counted(study):
        summaries.append(study)
        return summary(study)

    monkeypatch.setattr(Study, "summary", counted)
    for name in ("read_scan", "read_labels"):
        monkeypatch.setattr(Study, name, lambda study, case: readings.append(case))

    panel.refresh()

    assert len(summaries) <= 2
    assert not readings


def test_a_refresh_asks_for_voxels_and_fills_lists_only_where_a_volume_has_changed(panel_with, monkeypatch):
    import slicer

    from USLabelEfficientSegLib.slicer_side.node_list import NodeList
    from USLabelEfficientSegLib.slicer_side.nodes import ultrasound_nodes as module

    panel = panel_with(20)
    panel.refresh()
    judged, filled = [], []
    judge = module.may_be_ultrasound

    def counted(node):
        judged.append(node.GetName())
        return judge(node)

    monkeypatch.setattr(module, "may_be_ultrasound", counted)
    for name in ("_fill", "_tick"):
        monkeypatch.setattr(NodeList, name, lambda self, wanted: filled.append(wanted))
    volume = slicer.util.getNode("volume_0007")

    panel.refresh()
    assert not judged and not filled

    volume.SetName("another")
    panel.refresh()
    assert judged == ["another"] and len(filled) >= 2  # in steps 1 and 4

    voxels = volume.GetImageData()
    volume.SetAndObserveImageData(None)
    assert volume not in panel.scene.volumes
    volume.SetAndObserveImageData(voxels)
    assert volume in panel.scene.volumes


def test_the_record_of_a_training_is_read_again_only_when_it_has_changed(panel_with, monkeypatch):
    from USLabelEfficientSegLib.study import provenance
    from USLabelEfficientSegLib.study.settings import preset

    panel = panel_with(3)
    study = panel.session.study
    provenance.start_run(study, preset("quick"), "cpu")
    panel.refresh()
    read, readings = provenance._read, []

    def counted(path):
        readings.append(path)
        return read(path)

    monkeypatch.setattr(provenance, "_read", counted)

    panel.refresh()
    assert not readings
    assert panel.session.training.news() == ""

    provenance.start_run(study, preset("quick"), "cpu")
    panel.refresh()
    assert readings

    study.remove_labels(study.cases[0].name)
    assert panel.session.training.news() == "labels"


def test_ticks_of_the_user_stay_and_nodes_that_are_gone_are_not_told(host):
    import qt
    import slicer

    from USLabelEfficientSegLib.slicer_side.node_list import NodeList

    nodes = [slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name) for name in "abc"]
    widget, told = qt.QListWidget(), []
    nodes_shown = NodeList(widget, lambda: told.append(True))

    nodes_shown.show(nodes, checked=[], fixed=[nodes[2]])
    assert nodes_shown.checked() == [nodes[2]] and not told
    assert not widget.item(2).flags() & qt.Qt.ItemIsUserCheckable

    widget.item(0).setCheckState(qt.Qt.Checked)
    assert told and nodes_shown.checked() == [nodes[0], nodes[2]]

    nodes_shown.show(nodes, checked=[nodes[1]])  # what is wanted now, whatever was ticked
    states = [widget.item(row).checkState() == qt.Qt.Checked for row in range(3)]
    assert states == [False, True, False] and nodes_shown.checked() == [nodes[1]]
    assert widget.item(2).flags() & qt.Qt.ItemIsUserCheckable

    slicer.mrmlScene.RemoveNode(nodes[1])
    assert nodes_shown.checked() == []


def test_a_refresh_after_which_nothing_changed_looks_at_each_node_and_no_more(panel_with):
    work = []
    for volumes in (30, 90):
        panel = panel_with(volumes)
        panel.refresh()
        work.append(instructions_of(panel.refresh))

    assert (work[1] - work[0]) / 60 < LITTLE


def add_label(panel):
    panel.session.labels.of("volume_0010").mark(1, 0)


def add_result(panel):
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes.study_nodes import RESULT, UNCERTAINTY, attach

    volume = slicer.util.getNode("volume_0004")
    for class_name, role in (("vtkMRMLSegmentationNode", RESULT), ("vtkMRMLScalarVolumeNode", UNCERTAINTY)):
        attach(slicer.mrmlScene.AddNewNodeByClass(class_name, f"another {role}"), volume, role)


def save_labels(panel):
    add_label(panel)
    panel.session.labels.save("volume_0010", False)


@pytest.mark.parametrize(("change", "most"), [(add_label, LITTLE), (add_result, 2 * LITTLE), (save_labels, 8 * LITTLE)])
def test_a_refresh_after_a_change_does_little_for_volumes_that_have_not_changed(panel_with, change, most):
    work = []
    for volumes in (30, 90):
        panel = panel_with(volumes)
        panel.refresh()
        change(panel)
        work.append(instructions_of(panel.refresh))

    assert (work[1] - work[0]) / 60 < most


@pytest.mark.parametrize("change", [add_label, add_result])
def test_a_refresh_after_a_change_asks_the_scene_of_the_changed_nodes_alone(panel_with, monkeypatch, change):
    import slicer

    from USLabelEfficientSegLib.slicer_side.session import labels_overview

    panel = panel_with(20)
    panel.refresh()
    before = {node.GetID() for node in slicer.util.getNodesByClass("vtkMRMLNode")}
    change(panel)
    asked, counted = [], []
    coverage = labels_overview._coverage

    def finding(find):
        def found(node):
            asked.append(node.GetID())
            return find(node)

        return found

    def covering(case, *more):
        counted.append(case.name)
        return coverage(case, *more)

    for held in (panel._scene._volumes, panel._scene._segmentations):
        monkeypatch.setattr(held, "_find", finding(held._find))
    monkeypatch.setattr(labels_overview, "_coverage", covering)
    monkeypatch.setattr(slicer.util, "getNodesByClass", lambda *_: pytest.fail("walked through the scene"))

    panel.refresh()

    labels = change is add_label
    assert counted == (["volume_0010"] if labels else [])
    assert len(asked) == (1 if labels else 2) and before.isdisjoint(asked) != labels


def test_labels_of_a_study_that_are_as_they_were_are_the_same_objects(panel_with):
    panel = panel_with(12)
    before = panel.session.study.cases
    panel.session.labels.of("volume_0010").mark(1, 0)
    panel.session.labels.save("volume_0010", False)

    same = [now is then for now, then in zip(panel.session.study.cases, before, strict=True)]
    assert same == [case.name != "volume_0010" for case in before]
    assert len(panel.session.study.case("volume_0010").labels.slices) == 2


def _labelled(panel):
    table = panel.ui.labelTable
    return {table.item(row, 0).text(): table.item(row, 1).text() for row in range(table.rowCount)}


def _listed(widget):
    return [widget.item(row).text() for row in range(widget.count)]


def test_a_label_and_a_volume_that_another_program_adds_are_shown(panel_with, tmp_path):
    import shutil

    from USLabelEfficientSegLib.study.study import Study

    panel = panel_with(12)
    panel.refresh()
    study = Study.open(panel.session.folder)
    labels = study.read_labels("volume_0010")
    assert labels is not None
    study.set_labels("volume_0003", labels)
    panel.refresh()

    assert _labelled(panel)["volume_0003"] == "1"
    assert "with 12 volumes and 3 labelled slices" in panel.ui.dataStatus.text

    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(study.folder / study.case("volume_0000").image.file, other / "later.nrrd")
    study.add_images(other)
    panel.refresh()

    assert _labelled(panel)["later (not loaded)"] == "0"
    assert "with 13 volumes" in panel.ui.dataStatus.text


def test_a_study_that_cannot_be_read_any_more_stays_as_it_was(panel_with):
    panel = panel_with(3)
    panel.refresh()
    manifest = panel.session.folder / "study.json"
    text = manifest.read_bytes()
    manifest.write_bytes(text[:100])
    panel.refresh()

    assert len(_labelled(panel)) == 3
    manifest.write_bytes(text)
    panel.refresh()
    assert len(_labelled(panel)) == 3


def test_volumes_that_come_go_or_are_renamed_and_slices_that_are_marked_show_at_once(panel_with):
    import slicer

    panel = panel_with(12)
    panel.refresh()
    slicer.util.getNode("volume_0004").SetName("fourth")
    slicer.mrmlScene.RemoveNode(slicer.util.getNode("volume_0005"))
    panel.session.labels.of("volume_0010").mark(2, 0)
    panel.refresh()

    for widget in (panel.ui.volumeList, panel.ui.segmentList):
        assert "fourth" in _listed(widget) and not {"volume_0004", "volume_0005"} & set(_listed(widget))
    assert _labelled(panel)["volume_0010"] == "2" and _labelled(panel)["volume_0005 (not loaded)"] == "0"
    assert panel.ui.labelFractionLabel.text.startswith("3 of 48 slices")

    added = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "another")
    added.SetAndObserveImageData(slicer.util.getNode("fourth").GetImageData())
    panel.refresh()
    assert _listed(panel.ui.volumeList)[-1] == _listed(panel.ui.segmentList)[-1] == "another"


def test_a_result_that_arrives_or_goes_is_known_at_once(panel_with):
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes.study_nodes import RESULT, attach

    panel = panel_with(2)
    for node in list(panel.scene.results):
        slicer.mrmlScene.RemoveNode(node)
    panel.refresh()
    assert not panel.ui.measureButton.enabled

    found = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "found")
    found.SetNodeReferenceID(found.GetReferenceImageGeometryReferenceRole(), slicer.util.getNode("volume_0000").GetID())
    panel.refresh()
    assert _listed(panel.ui.referenceList) == ["found"]
    attach(found, slicer.util.getNode("volume_0000"), RESULT)
    panel.refresh()
    assert panel.ui.measureButton.enabled and panel.scene.result_named("found") is found
    assert "found" not in _listed(panel.ui.referenceList)


def test_a_removed_volume_is_not_kept_alive(host, panel_with):
    import slicer

    panel = panel_with(2)
    panel.refresh()
    node, gone = slicer.util.getNode("volume_0001"), []
    node.AddObserver("DeleteEvent", lambda *_: gone.append(True))
    for made in list(panel.scene.results):
        slicer.mrmlScene.RemoveNode(made)
    slicer.mrmlScene.RemoveNode(node)
    del node, made

    assert gone
