"""A user who does anything at any time: presses what can be pressed, removes nodes, closes the scene, goes away.

Used by a test with a few seeds and by `benchmarks/random_actions.py` with many.
"""

import gc
import os
import random
import sys
from pathlib import Path
from typing import Any

import slicer_host as host

from USLabelEfficientSegLib.errors import InputError

MODULE = Path(__file__).parents[1] / "USLabelEfficientSeg" / "USLabelEfficientSeg.py"
NAME = "USLabelEfficientSeg"
TINY_PRESET = (
    "working_grid.max_voxels=32 teacher.slice_size=32 teacher.steps=40 teacher.batch_size=2 teacher.local_crops=1 "
    "slice_network.steps=2 slice_network.widths=[4,8] "
    "slice_head.steps=3 slice_head.views=1 pseudo_labels.views=1 student.window=32 student.widths=[8,8,8] "
    "student.steps=6 student.label_steps=6 student.label_steps_from=1 student.members=1 student.rounds=1"
)


class RandomUser:
    """Acts on the panel in random order.

    Args:
        seed: of the actions.
        folder: an empty folder for studies.
    """

    def __init__(self, seed: int, folder: Path) -> None:
        from USLabelEfficientSegLib.slicer_side.section import ultrasound_nodes

        self.random = random.Random(seed)
        self.folder = folder
        make_study(folder / "a")
        self.done: list[str] = []
        self.widget = host.load_module(MODULE)
        self._select(NAME)
        self.widget.ui.changesEdit.text = TINY_PRESET
        for _ in range(2):
            self.do_add_volume()
        self.widget.panel.parameters.volumes = ultrasound_nodes()
        self.widget.panel.parameters.volumesToSegment = ultrasound_nodes()
        self.do_choose_folder()
        host.process_events(0.05)
        self._actions = [getattr(self, name) for name in sorted(dir(self)) if name.startswith("do_")]

    @property
    def ui(self) -> Any:
        return self.widget.ui

    def act(self, count: int) -> None:
        """Do `count` random things; raises what any of them raised in a slot."""
        for _ in range(count):
            action = self.random.choice(self._actions)
            self.done.append(action.__name__)
            action()
            host.process_events(self.random.choice((0, 0, 0.02, 0.2)))
            if host.errors:
                raise AssertionError(f"after {self.done}:\n{host.errors.pop()}")

    def close(self) -> None:
        """Slicer is closed, or the module unloaded; widgets of C++ let the scene go when they are destroyed."""
        import slicer

        slicer.app.moduleManager().moduleAboutToBeUnloaded.emit(NAME)
        for selector in (self.ui.sequenceSelector, self.ui.resultSelector):
            selector.setMRMLScene(None)
        host.process_events(0.05)

    def do_press(self) -> None:
        """Any button that can be pressed, but for those that open a file dialog."""
        import qt

        left_out = {"addFolderButton", "exampleButton", "saveCsvButton", "detectButton", "logButton", "reportButton"}
        named = [(name, w) for name, w in sorted(vars(self.ui).items()) if type(w) is qt.QPushButton]
        enabled = [(name, w) for name, w in named if w.enabled and w.isVisibleTo(self.widget.parent)]
        left = [pair for pair in enabled if pair[0] not in left_out]
        if left:
            name, button = self.random.choice(left)
            self.done[-1] = name
            button.click()

    do_press_again = do_press_more = do_press_often = do_press

    def do_follow_the_panel(self) -> None:
        """What a patient user does: whatever brings the study on."""
        for name in ("studyButton", "trainButton", "segmentButton", "measureButton", "correctButton", "useSliceButton"):
            button = getattr(self.ui, name)
            if button.enabled and self.random.random() < 0.7:
                self.done[-1] = name
                button.click()
                return

    do_follow_again = do_follow_on = do_follow_the_panel

    def do_add_volume(self) -> None:
        from USLabelEfficientSegLib.imaging.simulator import simulate_volume
        from USLabelEfficientSegLib.slicer_side.volume_nodes import nodeFromVoxels

        case = simulate_volume(self.random.randrange(5), shape=(20, 18, 16), spacing=(4.0, 4.0, 4.0))
        nodeFromVoxels(case.volume.name, case.volume.voxels, case.volume.geometry)

    def do_tick(self) -> None:
        import qt

        chosen = self.random.choice((self.ui.volumeList, self.ui.segmentList))
        if chosen.count:
            item = chosen.item(self.random.randrange(chosen.count))
            state = self.random.choice((qt.Qt.Checked, qt.Qt.Checked, qt.Qt.Unchecked))
            if item.flags() & qt.Qt.ItemIsUserCheckable:
                item.setCheckState(state)

    def do_choose_folder(self) -> None:
        self.ui.studyFolderEdit.currentPath = str(self.folder / self.random.choice(("a", "b")))

    def do_choose_volume(self) -> None:
        if self.ui.labelTable.rowCount:
            self.ui.labelTable.selectRow(self.random.randrange(self.ui.labelTable.rowCount))

    def do_show_a_slice(self) -> None:
        """Look at a slice of the volume that is labelled, and say that it shows nothing: a quick label."""
        labels = self.widget.panel.labels
        if labels.case is not None:
            labels.show_slice(labels.case, 2, self.random.randrange(16))
            host.process_events(0.05)
            self.ui.emptySliceButton.click()

    def do_scroll(self) -> None:
        node = self.widget.panel.labels.slice_node()
        node.SetSliceOffset(node.GetSliceOffset() + self.random.uniform(-8, 8))

    def do_remove_node(self) -> None:
        import slicer

        kinds = ("vtkMRMLScalarVolumeNode", "vtkMRMLSegmentationNode", "vtkMRMLTableNode", "vtkMRMLPlotChartNode")
        nodes = slicer.util.getNodesByClass(self.random.choice(kinds))
        if nodes:
            slicer.mrmlScene.RemoveNode(self.random.choice(nodes))

    def do_fold(self) -> None:
        """Fold or open a step, or what is advanced in it."""
        import ctk

        folding = [w for _, w in sorted(vars(self.ui).items()) if type(w) is ctk.ctkCollapsibleButton]
        button = self.random.choice(folding)
        button.collapsed = not button.collapsed

    def do_close_scene(self) -> None:
        if self.random.random() < 0.3:
            host.clear_scene()

    def do_switch_module(self) -> None:
        self._select("Data")
        host.process_events(0.02)
        self._select(NAME)

    def do_reload(self) -> None:
        if self.random.random() < 0.2:
            self.close()
            self.widget = host.load_module(MODULE)
            self._select("Data")
            self._select(NAME)

    def do_change_setting(self) -> None:
        self.ui.presetCombo.currentIndex = self.random.randrange(2)
        self.ui.previewCheckBox.checked = self.random.random() < 0.5

    def do_wait(self) -> None:
        host.process_events(2.0)

    def do_use_the_logic(self) -> None:
        """A script that is run at a bad moment is refused with a sentence."""
        try:
            self.widget.logic.openStudy(self.folder / "a")
        except InputError:
            return

    def _select(self, name: str) -> None:
        import slicer

        slicer.util.selectModule(name)


def make_study(folder: Path) -> None:
    """A study of two volumes with a labelled slice each, ready to be opened and trained."""
    from USLabelEfficientSegLib.imaging.files import write_label_map, write_volume
    from USLabelEfficientSegLib.imaging.simulator import simulate_volume
    from USLabelEfficientSegLib.study.study import Study

    sources = folder.with_name("sources")
    for name in ("images", "labels"):
        (sources / name).mkdir(parents=True)
    for subject in range(2):
        case = simulate_volume(subject, shape=(20, 18, 16), spacing=(4.0, 4.0, 4.0))
        write_volume(sources / "images" / f"{case.volume.name}.nrrd", case.volume)
        write_label_map(sources / "labels" / f"{case.volume.name}.nrrd", case.label_map)
    Study.create(folder, sources / "images", sources / "labels", organs=["organ A", "organ B"], label_fraction=0.1)


def child_processes() -> list[int]:
    """Processes that were started here and are still running (Linux)."""
    if sys.platform != "linux":
        raise RuntimeError("child processes are counted in /proc, which only Linux has")
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
        except OSError:  # it has just ended
            continue
        if int(parent) == os.getpid() and state != "Z":
            found.append(int(stat.parent.name))
    return found


def observers() -> int:
    """Observers of the scene and of the slice views, as VTK lists them."""
    import slicer

    gc.collect()  # a closed panel that still waits for the collector would count, now or when it is gone
    manager = slicer.app.layoutManager()
    nodes = [manager.sliceWidget(name).mrmlSliceNode() for name in manager.sliceViewNames()]
    return sum(str(subject).count("vtkObserver (") for subject in [slicer.mrmlScene, *nodes])
