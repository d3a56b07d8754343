"""What can be proven of the host: it shows Qt as PythonQt does, and refuses what PythonQt refuses."""

from typing import Any

import pytest


@pytest.fixture
def qt(host):
    import qt

    return qt


@pytest.fixture
def ctk(host):
    import ctk

    return ctk


def test_a_property_is_an_attribute_and_its_getter_is_gone(qt):
    label = qt.QLabel("one")

    label.text = "two"

    assert label.text == "two"
    with pytest.raises(TypeError, match="not callable"):
        label.text()


def test_setters_and_other_methods_stay_methods(qt):
    button = qt.QPushButton()

    button.setText("Train")
    button.setEnabled(False)

    assert (button.text, button.enabled, button.isEnabled()) == ("Train", False, False)


@pytest.mark.parametrize("make", ["QLabel", "QPushButton", "QVBoxLayout", "QTimer", "QTableWidgetItem"])
def test_new_attributes_on_plain_objects_are_refused(qt, make):
    with pytest.raises(AttributeError, match="creating new attributes on C"):
        getattr(qt, make)().node = 1


def test_new_attributes_on_objects_that_qt_made_are_refused(qt):
    table = qt.QTableWidget()

    with pytest.raises(AttributeError, match="creating new attributes on C"):
        table.horizontalHeader().node = 1


def test_new_attributes_on_stand_ins_are_refused(ctk, host):
    import slicer

    for widget in (ctk.ctkCollapsibleButton(), slicer.qMRMLNodeComboBox(), slicer.qMRMLSegmentEditorWidget()):
        with pytest.raises(AttributeError, match="creating new attributes on C"):
            widget.node = 1


def test_new_attributes_on_classes_derived_in_python_are_allowed(qt):
    base: Any = qt.QWidget

    class Panel(base):
        def __init__(self):
            super().__init__()
            self.node = 1

    panel = Panel()
    panel.windowTitle = "still a property"

    assert panel.node == 1
    assert panel.windowTitle == "still a property"


def test_methods_can_not_be_overwritten(qt):
    with pytest.raises(AttributeError, match="can not be overwritten"):
        qt.QPushButton().setText = print


@pytest.mark.parametrize(("name", "value"), [("text", 5), ("minimumWidth", "wide"), ("toolTip", None)])
def test_a_property_refuses_another_type(qt, name, value):
    with pytest.raises(AttributeError, match="does not accept an object of type"):
        setattr(qt.QLabel(), name, value)


def test_a_list_of_texts_may_be_a_tuple(host):
    import slicer

    selector = slicer.qMRMLNodeComboBox()
    selector.nodeTypes = ("vtkMRMLModelNode", "vtkMRMLTextNode")

    assert list(selector.nodeTypes) == ["vtkMRMLModelNode", "vtkMRMLTextNode"]


def test_a_property_without_setter_is_refused(qt):
    with pytest.raises(AttributeError, match="not writable"):
        qt.QLabel().sizeHint = qt.QSize(1, 1)


def test_a_dynamic_property_is_an_attribute(qt):
    label = qt.QLabel()
    label.setProperty("SlicerParameterName", "threshold")

    assert label.SlicerParameterName == "threshold"


def test_a_child_is_found_by_its_name(qt):
    panel = qt.QWidget()
    label = qt.QLabel(panel)
    label.objectName = "status"

    assert panel.status is label
    assert label.name == "status"
    with pytest.raises(AttributeError):
        panel.progress  # noqa: B018 - reading it is the test


def test_enumerations_are_integers(qt):
    assert qt.Qt.Checked == 2
    assert qt.QMessageBox.Yes | qt.QMessageBox.No == int(qt.QMessageBox.Yes) + int(qt.QMessageBox.No)
    item = qt.QListWidgetItem("volume")
    item.setCheckState(qt.Qt.Checked)
    assert item.checkState() == 2


def test_a_slot_gets_no_more_arguments_than_it_takes(qt):
    seen = []
    button = qt.QPushButton()
    button.checkable = True

    button.connect("toggled(bool)", lambda: seen.append("none"))
    button.connect("toggled(bool)", lambda checked: seen.append(checked))
    button.connect("toggled(bool)", lambda *arguments: seen.append(arguments))
    button.checked = True

    assert seen == ["none", True, (True,)]


def test_a_signal_without_arguments_and_one_with_are_told_apart(qt):
    seen = []
    button = qt.QPushButton()

    button.connect("clicked()", lambda *arguments: seen.append(arguments))
    button.connect("clicked(bool)", lambda *arguments: seen.append(arguments))
    button.click()

    assert sorted(seen, key=len) == [(), (False,)]


def test_a_connection_can_be_undone(qt):
    seen = []
    button = qt.QPushButton()

    def slot():
        seen.append(1)

    button.connect("clicked()", slot)
    assert button.disconnect("clicked()", slot)
    button.click()

    assert not seen
    assert not button.disconnect("clicked()", slot)


def test_a_signal_connects_to_a_receivers_slot(qt):
    spin, progress = qt.QSpinBox(), qt.QProgressBar()

    spin.connect("valueChanged(int)", progress, "setValue(int)")
    spin.value = 7

    assert progress.value == 7


@pytest.mark.parametrize("spec", ["pressedTwice()", "clicked(QString)", "clicked"])
def test_an_unknown_signal_is_refused(qt, spec):
    with pytest.raises(ValueError, match="has no signal"):
        qt.QLabel().connect(spec, print)


def test_stand_ins_have_the_signals_of_their_headers(host):
    import slicer

    selector = slicer.qMRMLNodeComboBox()

    assert selector.connect("currentNodeChanged(vtkMRMLNode*)", print)
    assert selector.connect("currentNodeChanged(bool)", print)
    with pytest.raises(ValueError, match="has no signal"):
        selector.connect("currentNodeChanged(vtkMRMLVolumeNode*)", print)


def test_an_exception_in_a_slot_is_printed_and_remembered(qt, host, capsys):
    button = qt.QPushButton()
    button.connect("clicked()", lambda: 1 / 0)

    button.click()

    assert "ZeroDivisionError" in capsys.readouterr().err
    assert len(host.errors) == 1
    host.errors.clear()


def test_a_virtual_getter_that_is_a_property_can_be_read(qt):
    bar = qt.QProgressBar()
    bar.value = 50

    assert bar.text == "50%"
    assert bar.sizeHint.width() > 0
    assert bar.grab().width() > 0


def test_what_is_hidden_while_its_section_is_folded_stays_hidden_when_it_opens(qt, ctk):
    section, layout = ctk.ctkCollapsibleButton(), qt.QVBoxLayout()
    section.setLayout(layout)
    hidden, shown = qt.QLabel("hidden"), qt.QLabel("shown")
    layout.addWidget(hidden)
    layout.addWidget(shown)
    section.show()
    section.collapsed = True

    hidden.visible = False
    section.collapsed = False

    assert hidden.isHidden() and not shown.isHidden()
    section.collapsed = True
    hidden.visible = True
    assert hidden.isHidden()
    section.collapsed = False
    assert not hidden.isHidden()
