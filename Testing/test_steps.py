"""The frame of the panel in the host: four steps that open one after the other, each from a .ui file of its own."""

import re
import xml.etree.ElementTree as ElementTree

from random_studies import make_study
from random_user import MODULE

ROOT = MODULE.parents[1]
STEPS = ("dataStep", "labelStep", "trainStep", "resultsStep")


def opened(panel):
    """The steps that are open."""
    return [name for name in STEPS if not getattr(panel.ui, name).collapsed]


def open_study(panel, host, folder):
    panel.data.open(folder)
    while panel.runner.busy:
        host.process_events(0.02)
    host.process_events(0.1)


def test_a_new_panel_shows_data_alone(panel):
    assert opened(panel) == ["dataStep"]
    assert panel.ui.addFolderButton.isVisibleTo(panel.ui.dataStep)
    inside = {"keepSliceButton": "labelStep", "trainButton": "trainStep", "segmentButton": "resultsStep"}
    for name, step in inside.items():
        assert not getattr(panel.ui, name).isVisibleTo(getattr(panel.ui, step)), name


def test_a_step_opens_when_the_one_before_is_done_and_folds_when_it_is_undone(panel, host, tmp_path):
    make_study(tmp_path / "study")
    open_study(panel, host, tmp_path / "study")
    assert opened(panel) == ["labelStep", "trainStep"]  # the study has labels already

    for case in panel.session.cases():
        for labelled in panel.session.labels.of(case).items():
            panel.session.labels.of(case).remove(labelled.axis, labelled.index)
        panel.session.labels.save(case, False)
    panel.refresh()
    assert opened(panel) == ["labelStep"]


def test_a_step_that_the_user_has_folded_or_opened_stays_so(panel, host, tmp_path):
    panel.ui.resultsStep.collapsed = False  # to segment with a model file, without a study
    panel.refresh()
    assert opened(panel) == ["dataStep", "resultsStep"]

    make_study(tmp_path / "study")
    open_study(panel, host, tmp_path / "study")
    panel.ui.labelStep.collapsed = True
    panel.refresh()
    assert opened(panel) == ["trainStep", "resultsStep"]


def test_every_step_keeps_its_rare_settings_in_a_closed_part_and_has_one_main_button(panel):
    import qt

    for step in STEPS:
        button = getattr(panel.ui, step)
        main = [b for b in button.findChildren(qt.QPushButton) if b.property("main")]
        assert len(main) == 1, step
        assert getattr(panel.ui, step.replace("Step", "Advanced")).collapsed


def test_no_two_steps_give_a_widget_the_same_name():
    files = sorted((MODULE.parent / "Resources" / "UI").glob("*.ui"))
    names = [e.get("name", "") for path in files for e in ElementTree.parse(path).getroot().iter("widget")]
    assert len(files) >= 5
    assert sorted(set(names)) == sorted(names)


def test_all_parameters_with_a_widget_are_bound_across_the_files(panel, host):
    parameters, ui = panel.parameters, panel.ui
    ui.sliceAxisCombo.currentIndex = 1
    ui.minutesSpin.value = 3
    ui.uncertaintyCheckBox.checked = False
    host.process_events(0.05)
    assert (parameters.sliceAxis.name, parameters.minutes, parameters.uncertainty) == ("J", 3, False)

    parameters.show3D = False
    host.process_events(0.05)
    assert not ui.show3DCheckBox.checked


def test_the_help_leads_to_the_tutorial_in_the_repository(panel):
    import slicer

    homepage = re.search(r'set\(EXTENSION_HOMEPAGE "([^"]+)"\)', (ROOT / "CMakeLists.txt").read_text(encoding="utf-8"))
    (link,) = re.findall(r'href="([^"]+)"', slicer.modules.USLabelEfficientSegInstance.parent.helpText)
    assert homepage is not None and link.startswith(homepage[1])
    assert (ROOT / link.partition("/blob/main/")[2]).is_file()


def test_the_environment_is_as_wide_as_the_steps(panel, host):
    import slicer

    widget = panel.ui.dataStep.window()
    widget.resize(480, 900)
    widget.show()
    slicer.app.processEvents()
    host.process_events(0.1)
    steps, environment = panel.ui.dataStep, panel.environment.ui.environmentSection

    assert environment.width == steps.width
    left = [one.mapTo(one.window(), one.rect.topLeft()).x() for one in (steps, environment)]
    assert left[0] == left[1]
