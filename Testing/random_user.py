"""A user who does anything at any time: presses, ticks, types, draws, removes nodes, kills workers, goes away.

What can be pressed or typed into is found by the kinds of the widgets, not by their names, so that a new button is
pressed as soon as there is one. Dialogs answer at random, too. Used by a test with a few seeds and by
`benchmarks/random_actions.py` with many.
"""

import ctypes
import gc
import os
import random
import signal
import sys
from contextlib import ExitStack, chdir, suppress
from pathlib import Path
from typing import Any
from unittest import mock

import slicer_host as host
from random_answers import answers
from random_studies import FOLDERS, make_study, make_study_of_images
from slicer_host import hands

from USLabelEfficientSegLib.errors import Cancelled, InputError

MODULE = Path(__file__).parents[1] / "USLabelEfficientSeg" / "USLabelEfficientSeg.py"
NAME = "USLabelEfficientSeg"
TINY_PRESET = (
    "working_grid.max_voxels=32 teacher.slice_size=32 teacher.steps=40 teacher.batch_size=2 teacher.local_crops=1 "
    "slice_network.steps=2 slice_network.widths=[4,8] slice_network.starter=false "
    "slice_head.steps=3 slice_head.views=1 pseudo_labels.views=1 student.window=32 student.widths=[8,8,8] "
    "student.steps=6 student.label_steps=6 student.label_steps_from=1 student.members=1 student.rounds=1"
)
PATIENT = ("studyButton", "keepSliceButton", "trainButton", "segmentButton", "measureButton", "reportButton")
KEPT = {"changesEdit", "deviceCombo"}  # the tiny training would become a real one, or look for graphics cards
KEYS = ("N", "O", "M", "Shift+N", "F2", "Return", "Escape", "Tab", "Space", "Ctrl+Z", "Down", "Delete")
WORDS = ("", "prostate", "é ü 前列腺", "a,b", "<b>&amp;</b>", "organ 1", " ", "../..", "9" * 300)
_PR_SET_CHILD_SUBREAPER = 36
_PF_EXITING = 0x4
MOST_NODES = 60  # frames of a sequence, again and again, would only make the test slow


class RandomUser:
    """Acts on the panel in random order.

    Args:
        seed: of the actions.
        folder: an empty folder for studies, or one where `make_studies` has made them.
    """

    def __init__(self, seed: int, folder: Path) -> None:
        self.random = random.Random(seed)
        self.folder = folder
        if not (folder / FOLDERS[0]).exists():
            make_studies(folder)
        self.done: list[str] = []
        _adopt_orphans()
        self._elsewhere = ExitStack()
        self._elsewhere.enter_context(chdir(folder))  # a folder that is typed without its place is one of its own
        self._elsewhere.enter_context(answers(self.random, folder))
        self._elsewhere.enter_context(mock.patch.dict(os.environ, {"PIP_NO_INDEX": "1"}))  # nothing is installed
        self.widget = host.load_module(MODULE)
        self._select(NAME)
        self._tiny()
        for _ in range(2):
            self.do_add_volume()
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
                raise AssertionError(f"after {self.done[-30:]}:\n{host.errors.pop()}")
            self._look()

    def close(self) -> None:
        """Slicer is closed, or the module unloaded; widgets of C++ let the scene go when they are destroyed."""
        self._unload()
        self._elsewhere.close()

    # With the mouse and the keyboard

    def do_press(self) -> None:
        """Any button that can be pressed."""
        import qt

        left = [button for button in self._widgets(qt.QPushButton, qt.QToolButton) if button.enabled]
        if left:
            button = self.random.choice(left)
            self.done[-1] = f"press {button.objectName}"
            button.click()

    do_press_again = do_press_more = do_press_often = do_press

    def do_follow_the_panel(self) -> None:
        """What a patient user does: whatever brings the study on."""
        for name in PATIENT:
            button = getattr(self.ui, name, None)
            if button is not None and button.enabled and self.random.random() < 0.7:
                self.done[-1] = f"press {name}"
                button.click()
                return

    do_follow_again = do_follow_on = do_follow_the_panel

    def do_check(self) -> None:
        import qt

        boxes = [box for box in self._widgets(qt.QCheckBox, qt.QRadioButton) if box.enabled]
        if boxes:
            box = self.random.choice(boxes)
            self.done[-1] = f"check {box.objectName}"
            box.click()

    def do_choose(self) -> None:
        import qt

        combos = [box for box in self._widgets(qt.QComboBox) if box.enabled and box.count]
        if combos:
            combo = self.random.choice(combos)
            self.done[-1] = f"choose {combo.objectName}"
            combo.setCurrentIndex(self.random.randrange(combo.count))

    def do_type(self) -> None:
        import qt

        edits = [edit for edit in self._widgets(qt.QLineEdit, qt.QSpinBox, qt.QDoubleSpinBox) if edit.enabled]
        if edits:
            edit = self.random.choice(edits)
            self.done[-1] = f"type {edit.objectName}"
            text = self.random.choice(WORDS) if isinstance(edit, qt.QLineEdit) else str(self.random.randrange(99))
            hands.type_text(text, edit)
            hands.press("Return", edit)

    def do_edit_a_cell(self) -> None:
        import qt

        tables = [table for table in self._widgets(qt.QTableWidget) if table.enabled and table.rowCount]
        if tables:
            table = self.random.choice(tables)
            row, column = self.random.randrange(table.rowCount), self.random.randrange(table.columnCount)
            self.done[-1] = f"cell {row}, {column} of {table.objectName}"
            self.random.choice((hands.click_cell, hands.double_click_cell))(table, row, column)
            if self.random.random() < 0.5 and table.isVisible():
                hands.type_text(self.random.choice(WORDS), table)
                hands.press(self.random.choice(("Return", "Escape", "Tab")), table)

    do_click_a_cell = do_edit_a_cell

    def do_press_a_key(self) -> None:
        key = self.random.choice(KEYS)
        self.done[-1] = f"key {key}"
        hands.press(key, self.widget.parent)

    def do_tick(self) -> None:
        import qt

        lists = [one for one in self._widgets(qt.QListWidget) if one.count]
        if lists:
            chosen = self.random.choice(lists)
            item = chosen.item(self.random.randrange(chosen.count))
            state = self.random.choice((qt.Qt.Checked, qt.Qt.Checked, qt.Qt.Unchecked))
            if item.flags() & qt.Qt.ItemIsUserCheckable:
                item.setCheckState(state)

    do_tick_more = do_tick_again = do_tick

    def do_fold(self) -> None:
        import ctk

        sections = self._widgets(ctk.ctkCollapsibleButton, ctk.ctkCollapsibleGroupBox)
        if sections:
            section = self.random.choice(sections)
            section.collapsed = not section.collapsed

    def do_choose_folder(self) -> None:
        self.ui.studyFolderEdit.currentPath = str(self.folder / self.random.choice(FOLDERS))

    do_choose_another_folder = do_choose_folder

    # With the scene

    def do_add_volume(self) -> None:
        import slicer

        from USLabelEfficientSegLib.imaging.simulator import simulate_volume
        from USLabelEfficientSegLib.slicer_side.nodes.volume_nodes import nodeFromVoxels

        if slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") < MOST_NODES:
            case = simulate_volume(self.random.randrange(5), shape=(20, 18, 16), spacing=(4.0, 4.0, 4.0))
            nodeFromVoxels(case.volume.name, case.volume.voxels, case.volume.geometry)

    def do_add_image(self) -> None:
        """A 2-D image: a volume of one slice."""
        import slicer

        from USLabelEfficientSegLib.imaging.simulator import simulate_volume

        case = simulate_volume(self.random.randrange(5), shape=(20, 18, 16), spacing=(4.0, 4.0, 4.0))
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", f"image {self.random.randrange(3)}")
        slicer.util.updateVolumeFromArray(node, case.volume.voxels.T[:1])

    def do_add_sequence(self) -> None:
        import slicer

        sequence = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", "sweep")
        volumes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
        for number, node in enumerate(volumes[:3]):
            sequence.SetDataNodeAtValue(node, str(number))

    def do_draw(self) -> None:
        """Paint with the editor's segment, wherever it is."""
        import slicer

        editor = self.widget.panel.labels.editor
        segmentation, volume, segment = editor.segmentationNode(), editor.sourceVolumeNode(), editor.currentSegmentID()
        if segmentation is None or volume is None or not segment or segmentation.GetScene() is None:
            return
        voxels = slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, segment, volume).copy()
        voxels[self.random.randrange(len(voxels)), 3:9, 3:9] = self.random.randrange(2)
        slicer.util.updateSegmentBinaryLabelmapFromArray(voxels, segmentation, segment, volume)

    do_draw_more = do_draw

    def do_scroll(self) -> None:
        node = self.widget.panel.labels.slice_node()
        node.SetSliceOffset(node.GetSliceOffset() + self.random.uniform(-8, 8))

    def do_remove_node(self) -> None:
        import slicer

        kinds = ("Volume", "Segmentation", "Table", "PlotChart", "Sequence", "MarkupsClosedCurve", "Transform")
        nodes = slicer.util.getNodesByClass(f"vtkMRML{self.random.choice(kinds)}Node")
        if nodes:
            slicer.mrmlScene.RemoveNode(self.random.choice(nodes))

    def do_rename_node(self) -> None:
        import slicer

        nodes = slicer.util.getNodesByClass(self.random.choice(("vtkMRMLVolumeNode", "vtkMRMLSegmentationNode")))
        if nodes:
            self.random.choice(nodes).SetName(self.random.choice(("renamed", "scan_0", "*", "a[1]", "é/ü")))

    def do_close_scene(self) -> None:
        if self.random.random() < 0.3:
            host.clear_scene()

    def do_save_and_load_the_scene(self) -> None:
        import slicer

        if self.random.random() < 0.2:
            file = self.folder / f"scene {len(self.done)}.mrb"
            slicer.util.saveScene(str(file))
            if self.random.random() < 0.7:
                host.clear_scene()
            with suppress(RuntimeError):  # Slicer cannot save a node whose name is no file's
                slicer.util.loadScene(str(file))

    # With the program

    def do_switch_module(self) -> None:
        self._select("Data")
        host.process_events(0.02)
        self._select(NAME)

    def do_reload(self) -> None:
        if self.random.random() < 0.2:
            self._unload()
            self.widget = host.load_module(MODULE)
            self._select("Data")
            self._select(NAME)
            self._tiny()

    def do_wait(self) -> None:
        host.process_events(2.0)

    do_wait_again = do_wait

    def do_kill_a_worker(self) -> None:
        """As the system does where memory runs out, or the user with a task manager."""
        workers = child_processes()
        if workers and self.random.random() < 0.5:
            self.done[-1] = "kill a worker"
            os.kill(self.random.choice(workers), signal.SIGKILL)

    def do_use_the_logic(self) -> None:
        """A script that is run at a bad moment is refused with a sentence."""
        try:
            self.widget.logic.openStudy(self.folder / self.random.choice(FOLDERS))
        except (InputError, Cancelled):
            return

    def _widgets(self, *kinds: type) -> list[Any]:
        """Widgets of these kinds in the panel that its user can see, in a fixed order."""
        found = [w for kind in kinds for w in self.widget.parent.findChildren(kind)]
        named = [
            w for w in found if w.objectName and not w.objectName.startswith("qt_")
        ]  # the others are parts of these
        return [w for w in named if w.isVisibleTo(self.widget.parent) and w.objectName not in KEPT]

    def _look(self) -> None:
        """No label shows the characters of markup."""
        import qt

        for label in self._widgets(qt.QLabel):
            shown = hands.shown_text(label)
            wrong = [sign for sign in ("&amp;amp;", "&#x27;", "&quot;", "&lt;span") if sign in shown]
            assert not wrong, f"after {self.done[-5:]} {label.objectName} shows {shown!r}"

    def _tiny(self) -> None:
        self.ui.changesEdit.text = TINY_PRESET

    def _unload(self) -> None:
        import slicer

        slicer.app.moduleManager().moduleAboutToBeUnloaded.emit(NAME)
        for selector in self.widget.parent.findChildren(slicer.qMRMLNodeComboBox):
            selector.setMRMLScene(None)
        host.process_events(0.05)

    def _select(self, name: str) -> None:
        import slicer

        slicer.util.selectModule(name)


def make_studies(folder: Path) -> None:
    """The studies that a random user can open, of volumes and of 2-D images; in other folders it makes new ones."""
    make_study(folder / FOLDERS[0])
    make_study_of_images(folder / FOLDERS[1])


def _adopt_orphans() -> None:
    """Let processes that a worker leaves behind become children of this one, so that they are counted (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


def child_processes() -> list[int]:
    """Processes that were started here, or left behind by such, and neither have ended nor are just ending (Linux)."""
    if sys.platform != "linux":
        raise RuntimeError("child processes are counted in /proc, which only Linux has")
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent, *fields = stat.read_text().rpartition(")")[2].split()
            ending = state == "Z" or int(fields[4]) & _PF_EXITING or _is_killed(stat.parent)
        except OSError:  # it has just ended
            continue
        if int(parent) == os.getpid() and not ending:
            found.append(int(stat.parent.name))
    return found


def _is_killed(process: Path) -> bool:
    """Whether a process was killed, and only has had no processor since."""
    pending = [line.split()[1] for line in (process / "status").read_text().splitlines() if "Pnd:" in line]
    return any(int(signals, 16) >> (signal.SIGKILL - 1) & 1 for signals in pending)


def observers() -> int:
    """Observers of the scene and of the slice views, as VTK lists them."""
    import slicer

    gc.collect()  # a closed panel that still waits for the collector would count, now or when it is gone
    manager = slicer.app.layoutManager()
    nodes = [manager.sliceWidget(name).mrmlSliceNode() for name in manager.sliceViewNames()]
    return sum(str(subject).count("vtkObserver (") for subject in [slicer.mrmlScene, *nodes])
