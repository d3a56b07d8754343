"""The module in the host, by clicks: the whole story, a random user, Slicer's patience, scripts without panel."""

import doctest
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from random_studies import make_study
from random_user import MODULE, NAME, TINY_PRESET, child_processes
from slicer_host.not_bundled import NOT_BUNDLED

from USLabelEfficientSegLib.annotation.sparse_labels import LabelledSlice
from USLabelEfficientSegLib.study.coverage import in_percent
from USLabelEfficientSegLib.study.events import read_events
from USLabelEfficientSegLib.study.stages import stage_title
from USLabelEfficientSegLib.study.study import Study

OPENING = """
import sys
sys.modules.update(dict.fromkeys({blocked!r}))
import slicer_host
slicer_host.start()
import slicer
widget = slicer_host.load_module({module!r})
slicer.util.selectModule("USLabelEfficientSeg")
assert widget.ui.studyButton.text and not widget.ui.trainButton.enabled
assert not slicer_host.errors
"""


class Story:
    """The panel with a user who waits."""

    def __init__(self, host):
        import slicer

        self.host = host
        self.widget = host.load_module(MODULE)
        slicer.util.selectModule("Data")
        slicer.util.selectModule(NAME)
        self.ui, self.panel = self.widget.ui, self.widget.panel

    def click(self, name):
        button = getattr(self.ui, name)
        assert button.enabled, f"{name}: {button.toolTip}"
        button.click()
        self.host.process_events(0.05)

    def until(self, condition, seconds=600):
        """Let Slicer run until something has happened."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "nothing happened"
            assert not self.host.errors, self.host.errors[0]
            self.host.process_events()
            time.sleep(0.005)
        self.host.process_events(0.05)

    def idle(self):
        return not self.panel.runner.busy and not self.panel.logic.aside.busy

    def close(self):
        import slicer

        slicer.app.moduleManager().moduleAboutToBeUnloaded.emit(NAME)


@pytest.fixture
def story(host):
    made = Story(host)
    yield made
    made.close()


def test_from_volumes_to_corrected_segmentations_by_clicks(story, host, tmp_path, monkeypatch):
    import qt
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes.study_nodes import LABELS, RESULT, madeFor, volumeOf
    from USLabelEfficientSegLib.slicer_side.selftest import TINY_PRESET

    ui, panel, folder = story.ui, story.panel, tmp_path / "prostate study"
    changes = {**TINY_PRESET, "teacher.steps": 300, "slice_network.steps": 0}  # these may leave students out
    ui.changesEdit.text = " ".join(f"{name}={value}".replace(" ", "") for name, value in changes.items())

    # Data
    story.click("exampleButton")
    story.until(story.idle)
    ui.studyFolderEdit.currentPath = str(folder)
    host.process_events(0.05)
    assert [ui.organTable.item(row, 0).text() for row in range(2)] == ["organ A", "organ B"]
    story.click("studyButton")
    story.until(story.idle)
    assert "6 volumes and 4 labelled slices" in ui.dataStatus.text
    assert Study.open(folder).slice_axis == 2

    # Label
    story.click("keepSliceButton")  # leads to the first slice
    story.until(story.idle)
    case, shown = panel.labels.case, panel.labels.shown_slice()
    assert case in ui.suggestionLabel.text and panel.labels.editor.activeEffect().name == "Paint"
    assert panel.labels.editor.segmentationNode() is panel.session.labels.node(panel.session.volumeNode(case))
    story.click("emptySliceButton")
    labels = Study.open(folder).read_labels(case)
    assert labels is not None and LabelledSlice(*shown) in labels.labelled_slices()
    assert (panel.labels.case, panel.labels.shown_slice()) != (case, shown)
    story.click("undoSliceButton")
    assert Study.open(folder).summary()["labelled_slices"] == 4
    assert (panel.labels.case, panel.labels.shown_slice()) == (case, shown)
    story.click("keepSliceButton")
    share = in_percent(Study.open(folder).label_fraction())
    assert ui.labelFractionLabel.text == (
        f"5 of 240 slices are labelled: {share}." if shown[0] == 2 else f"5 slices are labelled: {share} of all."
    )

    # Train, cancel, resume
    story.click("trainButton")
    story.until(lambda: any(stage.name == "teacher" for stage in panel.train.monitor.stages) or story.idle())
    assert not ui.segmentButton.enabled and "is running" in ui.trainButton.toolTip
    story.click("cancelTrainButton")
    story.until(story.idle)
    assert child_processes() == [panel.session.resident.pid]
    assert ui.trainButton.text == "Resume training" and "stopped" in ui.trainStatus.text
    assert ui.totalBar.format.endswith("stopped") and "Learning in 3-D" in ui.stepsLabel.text
    story.click("trainButton")
    story.until(story.idle)
    assert ui.trainStatus.text.startswith("Trained") and not ui.trainButton.enabled
    assert "nothing has changed" in ui.trainButton.toolTip and ui.estimateLabel.text == ui.trainButton.toolTip
    story.click("lossButton")
    assert panel.parameters.lossChart.GetNumberOfPlotSeriesNodes() > 0

    # All volumes of the study are segmented and measured by themselves
    assert len(madeFor(None, RESULT)) == 6, ui.resultsStatus.text
    assert ui.volumesTable.rowCount == 12
    result = slicer.util.getNode("simulated_0000 segmentation")
    assert volumeOf(result).GetName() == "simulated_0000"
    assert result.GetSegmentation().GetNthSegment(1).GetName() == "organ B"
    assert float(ui.volumesTable.item(0, 2).text().split()[0]) >= 0
    monkeypatch.setattr(qt.QFileDialog, "getSaveFileName", lambda *_: str(tmp_path / "volumes.csv"))
    story.click("saveCsvButton")
    story.until(story.idle)
    assert "organ A" in (tmp_path / "volumes.csv").read_text()

    # Another volume
    ui.segmentList.item(0).setCheckState(qt.Qt.Checked)
    host.process_events(0.05)
    monkeypatch.setattr(slicer.util, "confirmYesNoDisplay", lambda *_, **__: True)  # the earlier result is replaced
    story.click("segmentButton")
    story.until(story.idle)
    assert len(madeFor(None, RESULT)) == 6 and "Segmented 1 of 1" in ui.resultsStatus.text
    (result,) = madeFor(slicer.util.getNode("simulated_0000"), RESULT)

    # Correct
    volume_node = volumeOf(result)
    labelled = {(s.axis, s.index) for s in panel.session.labels.of("simulated_0000").items()}
    index = next(index for index in range(10, 40) if (2, index) not in labelled)
    panel.signals.correction_wanted.emit(volume_node, 2, index)
    host.process_events(0.05)
    assert panel.labels.case == "simulated_0000" and panel.labels.shown_slice() == (2, index)
    story.click("keepSliceButton")
    assert Study.open(folder).summary()["labelled_slices"] == 6
    story.until(story.idle)
    assert ui.trainButton.text == "Train with the new labels"
    ui.anewCheckBox.checked = True
    story.until(lambda: "starts anew" in ui.estimateLabel.text)
    ui.anewCheckBox.checked = False
    story.until(lambda: "continues from the current model" in ui.estimateLabel.text)
    before = (folder / "run" / "model.safetensors").read_bytes()
    story.click("trainButton")
    story.until(story.idle)
    assert (folder / "run" / "model.safetensors").read_bytes() != before
    repeated = [event.stage for event in read_events(panel.session.events) if event.message == "already trained"]
    assert "teacher" in repeated  # what was learnt without labels stays
    assert "continuing" in [stage.name for stage in panel.train.monitor.stages]
    assert len(madeFor(None, RESULT)) == 6
    assert "continued_from" in json.loads((folder / "run" / "run.json").read_text())

    # Save the scene and open it again
    slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    host.clear_scene()
    assert panel.session is None and ui.labelTable.rowCount == 0
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    host.process_events(0.2)
    assert panel.session is not None and panel.session.folder == folder
    assert [ui.labelTable.item(row, 1).text() for row in range(6)].count("0") == 3
    assert ui.volumesTable.rowCount == 12
    labels_of = [volumeOf(node).GetName() for node in madeFor(None, LABELS)]
    assert len(labels_of) == len(set(labels_of)) >= 3
    assert "6 volumes and 6 labelled slices" in ui.dataStatus.text


SLICER_THAT_IS_KILLED = """
import os, sys
from pathlib import Path
from USLabelEfficientSegLib.slicer_side.processes.worker import Worker
folder = Path(sys.argv[1])
worker = Worker(["train", str(folder), *sys.argv[2:]], folder / "logs" / "2026-01-01 00-00-00 train.log")
print(worker.pid, flush=True)
os.kill(os.getpid(), 9)
"""


def left_behind(folder, *settings):
    """The number of a training process whose Slicer was killed."""
    arguments = [f"--set={pair}" for pair in (*TINY_PRESET.split(), *settings)]
    path = os.pathsep.join([str(MODULE.parent), os.environ.get("PYTHONPATH", "")])
    program = [sys.executable, "-c", SLICER_THAT_IS_KILLED, str(folder), *arguments]
    done = subprocess.run(program, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path})
    assert done.returncode == -9, done.stderr
    return int(done.stdout)


def lives(pid):
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_a_training_that_outlives_a_killed_slicer_is_followed_and_can_be_cancelled(story, tmp_path):
    from USLabelEfficientSegLib.disk.lock import holder_of

    ui, panel, folder = story.ui, story.panel, tmp_path / "study"
    make_study(folder)
    long = TINY_PRESET.replace("teacher.steps=40", "teacher.steps=100000")
    settings = long.replace("slice_network.steps=2", "slice_network.steps=0")  # which may leave the teacher out
    pid = left_behind(folder, *settings.split())
    story.until(lambda: holder_of(folder / "lock") is not None)
    ui.changesEdit.text = settings
    ui.studyFolderEdit.currentPath = str(folder)
    story.host.process_events(0.05)

    story.click("studyButton")
    assert "being trained already" in ui.trainStatus.text and "is running" in ui.trainButton.toolTip
    story.until(lambda: "teacher" in [stage.name for stage in panel.train.monitor.stages])
    assert lives(pid) and all(panel.session.volumeNode(case) is not None for case in panel.session.cases())
    panel.labels.show_slice(panel.session.cases()[0], 2, 3)
    story.host.process_events(0.05)
    story.click("emptySliceButton")  # in the inbox: the study is being written
    story.click("cancelTrainButton")
    story.until(story.idle)

    assert not lives(pid) and holder_of(folder / "lock") is None
    assert "stopped" in ui.trainStatus.text and ui.trainButton.text == "Train with the new labels"
    labels = Study.open(folder).read_labels(panel.session.cases()[0])
    assert labels is not None and LabelledSlice(2, 3) in labels.labelled_slices()


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_a_training_that_outlives_a_killed_slicer_is_finished_and_its_model_used(story, tmp_path):
    from USLabelEfficientSegLib.disk.lock import holder_of

    ui, panel, folder = story.ui, story.panel, tmp_path / "study"
    make_study(folder)
    settings = f"{TINY_PRESET} location_prior=false"  # 2-D networks are the model
    pid = left_behind(folder, *settings.split())
    story.until(lambda: holder_of(folder / "lock") is not None)
    ui.changesEdit.text = settings
    ui.studyFolderEdit.currentPath = str(folder)
    story.host.process_events(0.05)

    story.click("studyButton")
    assert panel.train.training is not None
    story.until(story.idle)

    assert not lives(pid)
    assert ui.trainStatus.text.startswith("Trained") and panel.session.model is not None
    assert "nothing has changed" in ui.trainButton.toolTip
    assert "Learning in 2-D" in [stage_title(stage.name) for stage in panel.train.monitor.stages]
    assert not ui.anewCheckBox.visible  # 2-D networks alone learn anew in any case


def test_the_examples_of_the_logic_run(story, tmp_path):
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes.simulated_data import ORGANS, createSimulatedStudy
    from USLabelEfficientSegLib.slicer_side.nodes.study_nodes import volumeOf
    from USLabelEfficientSegLib.slicer_side.selftest import TINY_PRESET

    volume_nodes = createSimulatedStudy(2)
    nodes = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    label_node = next(node for node in nodes if volumeOf(node) is volume_nodes[0])
    logic = story.widget.logic
    names = {
        "logic": logic, "studyFolder": tmp_path / "study", "volumeNodes": volume_nodes, "labelNode": label_node,
        "organs": ORGANS, "tinyPreset": TINY_PRESET,
    }  # fmt: skip
    run, finder = 0, doctest.DocTestParser()
    for method in ("pretrainTeacher", "distillStudent", "segment", "computeVolumes"):
        text = getattr(type(logic), method).__doc__
        example = finder.get_doctest(text, names, method, None, 0)
        results = doctest.DocTestRunner().run(example, clear_globs=False)
        names |= example.globs
        assert results.failed == 0, method
        run += results.attempted
    assert run >= 8


def test_opening_the_module_imports_nothing_that_slicer_does_not_bundle():
    program = OPENING.format(blocked=NOT_BUNDLED, module=str(MODULE))
    path = [str(MODULE.parent), str(Path(__file__).parent)]
    program = f"import sys; sys.path[:0] = {path!r}\n{program}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr[-2000:]


def test_every_control_has_a_tooltip_and_every_disabled_button_says_why(story):
    import qt

    story.host.process_events(0.05)
    controls = (
        qt.QPushButton, qt.QComboBox, qt.QCheckBox, qt.QLineEdit, qt.QListWidget, qt.QTableWidget, qt.QSpinBox,
    )  # fmt: skip
    named = {
        name: widget
        for name, widget in vars(story.ui).items()
        if type(widget) in controls and not name.startswith("qt_")
    }
    assert len(named) > 30
    for name, widget in named.items():
        assert len(widget.toolTip) > 10, name
    for name, widget in named.items():
        if type(widget) is qt.QPushButton and not widget.enabled:
            assert widget.toolTip.rstrip().endswith((".", "!")), name


def test_the_minutes_of_the_panel_are_those_of_the_training(story, host):
    ui, panel = story.ui, story.panel
    host.process_events(0.05)
    assert ui.minutesSpin.text == "as the preset needs" and panel.train.offer.changes() == {}
    ui.minutesSpin.value = 7
    ui.changesEdit.text = "student.steps=5"
    host.process_events(0.05)

    assert panel.train.offer.changes() == {"minutes": 7, "student.steps": 5}
    assert "At most about 7 min" in ui.estimateLabel.text


def test_a_drawn_label_is_saved_without_being_asked(story, host, tmp_path):
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes.simulated_data import ORGANS, createSimulatedStudy
    from USLabelEfficientSegLib.slicer_side.nodes.study_nodes import volumeOf

    story.widget.logic.createStudy(tmp_path / "study", createSimulatedStudy(1), ORGANS)
    panel = story.panel
    panel.labels.adopt_drawn_labels()
    panel.refresh()
    labelled = panel.session.labels.of("simulated_0000").items()[0]
    panel.labels.show_slice("simulated_0000", labelled.axis, labelled.index)
    node = panel.labels.editor.segmentationNode()
    segment = node.GetSegmentation().GetNthSegmentID(0)

    voxels = slicer.util.arrayFromSegmentBinaryLabelmap(node, segment, volumeOf(node)).copy()
    voxels[labelled.index, 3:9, 4:11] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(voxels, node, segment, volumeOf(node))
    host.process_events(1.3)

    stored = Study.open(tmp_path / "study").read_labels("simulated_0000")
    assert stored is not None
    np.testing.assert_array_equal(np.take(stored.voxels, labelled.index, axis=labelled.axis)[4:11, 3:9], 1)


def test_a_scene_that_is_loaded_before_the_module_is_opened_brings_its_study(host, tmp_path):
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes.simulated_data import ORGANS, createSimulatedStudy

    story = Story(host)
    story.widget.logic.createStudy(tmp_path / "study", createSimulatedStudy(1), ORGANS)
    story.panel.parameters.studyFolder = str(tmp_path / "study")
    slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    host.close_module(MODULE)
    host.clear_scene()

    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    story = Story(host)
    host.process_events(0.1)

    assert story.panel.session is not None and story.panel.session.folder == tmp_path / "study"
    assert story.ui.studyButton.text == "Load its volumes" and not story.ui.studyButton.enabled
    assert story.ui.labelTable.item(0, 0).text() == "simulated_0000"
    story.close()
