"""The host runs a module: scene, selectors, parameters, files, views."""

import enum
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
import shiboken6
import SimpleITK as sitk  # noqa: N813 - the name that its users know

UI = """<ui version="4.0"><class>Panel</class><widget class="qMRMLWidget" name="Panel"><layout class="QVBoxLayout">
<item><widget class="qMRMLNodeComboBox" name="selector"><property name="nodeTypes"><stringlist>
<string>vtkMRMLScalarVolumeNode</string></stringlist></property>
<property name="noneEnabled"><bool>true</bool></property><property name="addEnabled"><bool>false</bool></property>
<property name="SlicerParameterName" stdset="0"><string>volume</string></property></widget></item>
<item><widget class="qMRMLCheckableNodeComboBox" name="batch"><property name="nodeTypes"><stringlist>
<string>vtkMRMLScalarVolumeNode</string></stringlist></property></widget></item>
<item><widget class="QSpinBox" name="count"><property name="SlicerParameterName" stdset="0"><string>count</string>
</property></widget></item>
<item><widget class="ctkPathLineEdit" name="folder"><property name="SlicerParameterName" stdset="0">
<string>folder</string></property></widget></item>
<item><widget class="QComboBox" name="preset"><property name="SlicerParameterName" stdset="0"><string>preset</string>
</property></widget></item>
</layout></widget>
<connections>
<connection><sender>Panel</sender><signal>mrmlSceneChanged(vtkMRMLScene*)</signal><receiver>selector</receiver>
<slot>setMRMLScene(vtkMRMLScene*)</slot></connection>
<connection><sender>Panel</sender><signal>mrmlSceneChanged(vtkMRMLScene*)</signal><receiver>batch</receiver>
<slot>setMRMLScene(vtkMRMLScene*)</slot></connection>
</connections></ui>"""

MODULE = """
import slicer
from slicer.ScriptedLoadableModule import *
from slicer.util import VTKObservationMixin


class Panel(ScriptedLoadableModule):
    def __init__(self, parent):
        super().__init__(parent)
        parent.title = "Panel"


class PanelWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.seen = []

    def setup(self):
        super().setup()
        widget = slicer.util.loadUI(self.resourcePath("UI/Panel.ui"))
        self.layout.addWidget(widget)
        self.ui = slicer.util.childWidgetVariables(widget)
        widget.setMRMLScene(slicer.mrmlScene)
        self.logic = PanelLogic()
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, lambda *_: self.seen.append("closed"))

    def enter(self):
        self.seen.append("enter")

    def exit(self):
        self.seen.append("exit")

    def cleanup(self):
        self.removeObservers()
        self.seen.append("cleanup")


class PanelLogic(ScriptedLoadableModuleLogic):
    pass
"""


@pytest.fixture
def panel(host, tmp_path):
    """A loaded module whose panel has a node selector, a list of nodes and three parameters."""
    import slicer

    (tmp_path / "Resources" / "UI").mkdir(parents=True)
    (tmp_path / "Resources" / "UI" / "Panel.ui").write_text(UI, encoding="utf-8")
    (tmp_path / "Panel.py").write_text(MODULE, encoding="utf-8")
    widget = host.load_module(tmp_path / "Panel.py")
    yield widget
    slicer.app.moduleManager().moduleAboutToBeUnloaded.emit("Panel")


def volume(name, shape=(8, 9, 10)):
    import slicer

    return slicer.util.addVolumeFromArray(np.arange(np.prod(shape)).reshape(shape).astype(np.int16), name=name)


def test_a_module_that_is_loaded_again_deletes_its_earlier_panel_at_once(host, panel, tmp_path):
    selector = panel.ui.selector
    before = panel.parent

    again = host.load_module(tmp_path / "Panel.py")
    volume("scan")  # the selector of the earlier panel hears of it no more

    assert not shiboken6.isValid(before) and not shiboken6.isValid(selector)
    assert shiboken6.isValid(again.parent) and again.ui.selector.nodeCount() == 1


def test_a_module_goes_through_its_life_cycle(host, panel):
    import slicer

    slicer.util.selectModule("Panel")
    host.clear_scene()
    slicer.util.selectModule("Data")
    slicer.app.moduleManager().moduleAboutToBeUnloaded.emit("Panel")

    assert panel.seen == ["enter", "closed", "exit", "cleanup"]
    assert slicer.util.getModuleLogic("Panel") is panel.logic


def test_selectors_follow_the_scene(host, panel):
    import qt
    import slicer

    first, second = volume("first"), volume("second")
    panel.ui.selector.setCurrentNode(second)
    panel.ui.batch.setCheckState(first, qt.Qt.Checked)

    slicer.mrmlScene.RemoveNode(second)

    assert panel.ui.selector.currentNode() is None
    assert panel.ui.selector.nodeCount() == 1
    assert panel.ui.batch.checkedNodes() == [first]
    host.clear_scene()
    assert panel.ui.batch.checkedNodes() == []


def test_parameters_and_widgets_show_the_same(host, panel, tmp_path):
    import slicer
    from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper

    class Preset(enum.Enum):
        QUICK = "quick"
        FULL = "full"

    @parameterNodeWrapper
    class Parameters:
        volume: slicer.vtkMRMLScalarVolumeNode
        count: Annotated[int, WithinRange(1, 9)] = 3
        folder: Path
        preset: Preset = Preset.FULL
        volumes: list[slicer.vtkMRMLScalarVolumeNode]

    wrapper: Any = Parameters
    parameters = wrapper(panel.logic.getParameterNode())
    tag = parameters.connectGui(panel.ui)
    node = volume("scan")

    assert (panel.ui.count.value, panel.ui.preset.currentText) == (3, "FULL")
    panel.ui.selector.setCurrentNode(node)
    panel.ui.count.value = 20
    panel.ui.folder.setCurrentPath(str(tmp_path))
    parameters.preset = Preset.QUICK
    parameters.volumes = [node, node]

    assert parameters.volume is node
    assert (parameters.count, parameters.folder) == (9, tmp_path)
    assert panel.ui.preset.currentText == "QUICK"
    assert parameters.volumes == [node, node]
    with pytest.raises(ValueError, match="within range"):
        parameters.count = 10
    with pytest.raises(TypeError):
        parameters.folder = str(tmp_path)
    parameters.disconnectGui(tag)
    panel.ui.count.value = 1
    assert parameters.count == 9


def test_widgets_that_slicer_cannot_bind_are_refused(host):
    import ctk
    import slicer
    from slicer.parameterNodeWrapper import parameterNodeWrapper

    @parameterNodeWrapper
    class Parameters:
        threshold: float = 0.5
        name: str = ""

    wrapper: Any = Parameters
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode")

    with pytest.raises(RuntimeError, match="unbounded"):
        wrapper(node).connectParametersToGui({"threshold": ctk.ctkSliderWidget()})
    with pytest.raises(RuntimeError, match="Unable to create GUI connector"):
        wrapper(node).connectParametersToGui({"name": ctk.ctkPathLineEdit()})
    with pytest.raises(ValueError, match="Cannot find a param"):
        wrapper(node).getValue("treshold")


def test_an_unknown_widget_class_or_file_is_refused(host, tmp_path):
    import slicer

    path = tmp_path / "Broken.ui"
    path.write_text(UI.replace("QSpinBox", "qMRMLUnheardOfWidget"), encoding="utf-8")

    with pytest.raises(NotImplementedError, match="qMRMLUnheardOfWidget"):
        slicer.util.loadUI(path)
    with pytest.raises(RuntimeError, match="not found"):
        slicer.util.loadUI(tmp_path / "None.ui")


def test_a_scene_is_saved_and_opened_again(host, tmp_path):
    import slicer

    node = volume("scan")
    node.SetAttribute("case", "one")
    array = slicer.util.arrayFromVolume(node).copy()
    file = str(tmp_path / "scene.mrb")

    assert slicer.util.saveScene(file)
    host.clear_scene()
    assert not slicer.util.getNodes("scan", useLists=True)
    slicer.util.loadScene(file)

    restored = slicer.util.getNode("scan")
    assert restored.GetAttribute("case") == "one"
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(restored), array)


def test_nodes_are_in_the_subject_hierarchy_while_they_are_in_the_scene(host):
    import slicer

    node = volume("scan")
    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()

    assert hierarchy.GetItemByDataNode(node) != 0
    slicer.mrmlScene.RemoveNode(node)
    assert hierarchy.GetItemChildWithName(hierarchy.GetSceneItemID(), "scan") == 0


def test_a_slice_view_draws_the_segment_where_it_is(host, tmp_path):
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes.segmentation_nodes import organsNamed, segmentationFromLabelMap

    node = volume("scan", (20, 20, 20))
    labels = np.zeros((20, 20, 20), dtype=np.uint8)
    labels[:10] = 1
    segmentationFromLabelMap(labels, node, organsNamed(["prostate"]), "half")

    host.render_slice_view(node, 2, tmp_path / "slice.png", size=(200, 200))

    picture = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "slice.png"))).astype(int)
    assert picture.shape[:2] == (200, 200)
    orange = picture[..., 0] - picture[..., 2] > 40
    halves = orange[:, :100].mean(), orange[:, 100:].mean()
    assert sorted(round(half, 1) for half in halves) == [0.0, 1.0]
    assert slicer.app.layoutManager().sliceWidget("Red").mrmlSliceNode() is not None


def test_the_3d_view_draws_a_surface(host, tmp_path):
    from USLabelEfficientSegLib.slicer_side.nodes.segmentation_nodes import organsNamed, segmentationFromLabelMap

    node = volume("scan", (20, 20, 20))
    distance = np.linalg.norm(np.indices((20, 20, 20)) - 9.5, axis=0)
    segmentation = segmentationFromLabelMap((distance < 7).astype(np.uint8), node, organsNamed(["prostate"]), "ball")
    segmentation.CreateClosedSurfaceRepresentation()

    host.render_3d(tmp_path / "ball.png", size=(200, 200))

    picture = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "ball.png"))).astype(int)
    orange = picture[..., 0] - picture[..., 2] > 40
    assert 0.2 < orange.mean() < 0.9
    assert not orange[[0, -1]].any()


def test_a_panel_is_drawn_as_high_as_its_content(host, panel, tmp_path):
    host.render_panel(panel, tmp_path / "panel.png", width=400)

    width, height = sitk.ReadImage(str(tmp_path / "panel.png")).GetSize()
    assert width == 400
    assert 150 < height < 500


def test_messages_are_logged_instead_of_shown(host, caplog):
    import slicer

    slicer.util.errorDisplay("no room on the disk")

    assert "no room on the disk" in caplog.text
