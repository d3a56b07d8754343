"""Bringing the panel up to date takes work in proportion to the volumes; work is counted, not timed."""

import pytest
from counted_work import instructions_of
from large_studies import open_large_study
from random_user import MODULE


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
    judge = module._may_be_ultrasound

    def counted(node):
        judged.append(node.GetName())
        return judge(node)

    monkeypatch.setattr(module, "_may_be_ultrasound", counted)
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
