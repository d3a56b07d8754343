"""The section Environment in the panel: what is told, offered and installed, and another Python."""

import sys
import time
from pathlib import Path

import pytest
from random_user import MODULE, NAME

from USLabelEfficientSegLib.errors import Cancelled, InputError


@pytest.fixture
def section(panel):
    return panel.environment


@pytest.fixture
def missing(panel, section, monkeypatch):
    """Two packages are missing until the installation, which only pretends, has ended; what was asked of it."""
    from USLabelEfficientSegLib.slicer_side import panel as panel_module
    from USLabelEfficientSegLib.slicer_side.processes import dependencies, installation

    state = {"missing": ["torch>=2.4.1", "monai>=1.5"], "go on": False}
    asked = []

    def install(job, update=False):
        asked.append("update" if update else "install")
        while not state["go on"]:
            yield
        state["missing"] = []
        return installation.Installation(("torch 2.6.0", "monai 1.5.1"))

    monkeypatch.setattr(installation, "install", install)
    for module in (dependencies, panel_module):
        monkeypatch.setattr(module, "missingRequirements", lambda *_: state["missing"])
    section.look()
    panel.refresh()
    state["asked"] = asked
    return state


def answer(monkeypatch, yes):
    """A user who is asked, and says yes or no."""
    import slicer

    monkeypatch.setattr(type(slicer.app), "testingEnabled", lambda self: False)
    questions: list[str] = []

    def confirm(text, **_):
        questions.append(text)
        return yes

    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", confirm)
    return questions


def until(host, condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        host.process_events(0.01)
    host.process_events(0.05)


def test_what_is_installed_is_told_with_versions_and_the_rest_needs_no_button(section):
    import torch

    assert section.ui.environmentText.text.startswith(f"Slicer's Python: torch {torch.__version__}, monai ")
    assert "pydantic" in section.ui.environmentText.toolTip
    assert section.notice.isHidden()
    assert not section.ui.installButton.enabled and section.ui.installButton.toolTip == "Nothing is missing."
    assert section.ui.updateButton.enabled and section.ui.otherPythonButton.enabled


def test_what_is_missing_is_told_on_top_of_the_panel_with_the_button_to_press(section, missing):
    told = "Python packages are missing (torch, monai): press Install in the section Environment."

    assert told in section.notice.text and not section.notice.isHidden()
    assert section.ui.installButton.enabled and section.ui.installButton.text == "Install"
    assert section.ui.environmentSection.text == "Environment"
    assert not section.ui.updateButton.enabled and section.ui.updateButton.toolTip == "Press Install first."


def test_installing_shows_log_and_cancel_and_ends_with_what_was_installed(panel, section, missing, host, tmp_path):
    assert section.ui.installProgressRow.isHidden()
    section.ui.installButton.click()
    host.process_events(0.2)

    assert missing["asked"] == ["install"] and not section.ui.environmentSection.collapsed
    log = tmp_path / "install.log"
    log.write_text("Collecting torch\nProgress 5 of 10\n")
    panel.runner.job.log, panel.runner.job.progress = log, 0.5
    host.process_events(0.2)
    assert not section.ui.installProgressRow.isHidden() and section.ui.installProgress.value == 50
    assert section.ui.installLog.plainText == "Collecting torch"
    assert section.ui.cancelInstallButton.enabled
    log.write_text("Collecting torch\nProgress 5 of 10\nInstalling collected packages: torch\n")
    host.process_events(0.2)
    assert not section.ui.cancelInstallButton.enabled
    assert "cannot be stopped" in section.ui.cancelInstallButton.toolTip
    missing["go on"] = True
    until(host, lambda: not panel.runner.busy)
    assert section.ui.environmentStatus.text == "Installed: torch 2.6.0, monai 1.5.1."
    assert section.notice.isHidden() and section.ui.installProgressRow.isHidden()
    assert not section.ui.installLog.isHidden()  # to be read


def test_cancel_stops_an_installation(panel, section, missing, host):
    section.ui.installButton.click()
    host.process_events(0.1)
    section.ui.cancelInstallButton.click()
    until(host, lambda: not panel.runner.busy)

    assert section.ui.environmentStatus.text == "Installation was stopped."
    assert section.ui.installButton.enabled


def test_a_button_that_needs_packages_asks_installs_and_then_does_its_work(panel, missing, host, monkeypatch):
    from USLabelEfficientSegLib.slicer_side.processes import dependencies
    from USLabelEfficientSegLib.slicer_side.section import on_click

    questions, done = answer(monkeypatch, yes=True), []

    def work():
        dependencies.ensureDependencies()
        done.append("worked")

    import qt

    button, label = qt.QPushButton("Work"), qt.QLabel()
    on_click(button, label, work)
    button.click()
    host.process_events(0.1)
    assert len(questions) == 1 and "torch, monai" in questions[0] and not done
    missing["go on"] = True
    until(host, lambda: done)

    assert done == ["worked"] and missing["asked"] == ["install"]


def test_who_declines_is_not_asked_for_more_and_nothing_is_installed(section, missing, monkeypatch):
    from USLabelEfficientSegLib.slicer_side.processes import dependencies

    answer(monkeypatch, yes=False)
    refused = dependencies.MissingPackagesError("Python packages", "are missing", "press Install")

    with pytest.raises(Cancelled):
        dependencies.offerInstallation(refused, lambda: None)
    assert missing["asked"] == []


def test_nothing_is_downloaded_while_slicer_tests_itself(section, missing):
    from USLabelEfficientSegLib.slicer_side.processes import dependencies

    refused = dependencies.MissingPackagesError("Python packages", "are missing", "press Install")

    with pytest.raises(InputError, match="press Install"):
        dependencies.offerInstallation(refused, lambda: None)
    assert missing["asked"] == []


def test_in_slicer_5_10_the_module_says_what_to_get_as_soon_as_it_is_opened(section, panel, monkeypatch):
    import slicer

    monkeypatch.setattr(type(slicer.app), "minorVersion", 10)
    section.look()
    panel.refresh()

    assert "This is Slicer 5.10; get Slicer 5.12 or later from download.slicer.org." in section.notice.text
    assert not section.notice.isHidden() and not section.ui.updateButton.enabled


def test_an_installation_that_waited_for_the_restart_goes_on_when_the_panel_opens(host, monkeypatch):
    import slicer

    from USLabelEfficientSegLib.slicer_side.processes import installation

    begun = []

    def install(job, update=False):
        begun.append(job.title)
        yield
        return installation.Installation()

    monkeypatch.setattr(installation, "install", install)
    monkeypatch.setattr(installation.importlib.util, "find_spec", lambda name: object())
    slicer.app.userSettings().setValue(installation.AFTER_RESTART, "1")
    widget = host.load_module(MODULE)
    host.process_events(0.3)

    assert begun == ["Installation"] and not installation.goesOnAfterRestart()
    assert not widget.panel.environment.ui.environmentSection.collapsed
    slicer.app.moduleManager().moduleAboutToBeUnloaded.emit(NAME)


def test_a_checked_python_is_used_and_slicers_comes_back_by_a_button(panel, section, host):
    from USLabelEfficientSegLib.slicer_side.processes import other_python

    section.try_python(Path(sys.executable))
    until(host, lambda: not panel.runner.busy)
    assert other_python.chosen_python() == Path(sys.executable)
    assert "Another Python computes" in section.ui.environmentText.text
    assert "a training step of a small network takes" in section.ui.environmentStatus.text

    section.ui.slicersPythonButton.click()
    assert other_python.chosen_python() is None and "Slicer's Python" in section.ui.environmentText.text


def test_slicer_5_10_opens_the_module_which_says_what_to_get_and_refuses_work(host):
    from slicer_host import circumstances

    with circumstances.slicer_5_10():
        panel = host.load_module(MODULE).panel
        panel.ui.addFolderButton.click()
        host.process_events(0.1)
        told = "this is Slicer 5.10; get Slicer 5.12 or later from download.slicer.org."
        assert told in panel.ui.dataStatus.text and told[1:] in panel.environment.notice.text


def test_another_python_is_asked_at_once_also_by_an_open_study(panel, section, host, tmp_path):
    from random_user import make_study

    make_study(tmp_path / "study")
    panel.data.open(tmp_path / "study", load=False)
    resident = panel.session.resident
    resident.start()
    first = resident.pid

    section.try_python(Path(sys.executable))
    until(host, lambda: not panel.runner.busy)
    assert resident.pid is None
    resident.start()
    assert resident.pid not in (None, first)
    section.ui.slicersPythonButton.click()
    assert resident.pid is None


def test_a_python_that_does_not_fit_is_not_used(panel, section, host, tmp_path):
    from USLabelEfficientSegLib.slicer_side.processes import other_python

    section.try_python(tmp_path / "none")
    until(host, lambda: not panel.runner.busy)

    assert "cannot be run" in section.ui.environmentStatus.text
    assert other_python.chosen_python() is None


def test_an_error_of_the_program_reads_failed_with_the_error_and_the_log(panel, host):
    from USLabelEfficientSegLib.slicer_side.processes.jobs import Job

    def broken(job):
        yield
        raise KeyError("a bug")

    panel.run(Job("Segmentation", broken), panel.ui.resultsStatus, lambda job: "Done.")
    until(host, lambda: not panel.runner.busy)

    told = panel.ui.resultsStatus.text
    assert "failed" in told and "a bug" in told and "Slicer.log" in told and "stopped" not in told
    assert len(host.errors) == 1 and "a bug" in host.errors.pop()


def test_the_log_of_a_study_that_could_not_be_made_is_kept(panel, host, tmp_path, monkeypatch):
    from USLabelEfficientSegLib.slicer_side.nodes import simulated_data
    from USLabelEfficientSegLib.slicer_side.processes import worker

    script = tmp_path / "python"
    script.write_text("#!/bin/sh\necho something went wrong\nexit 7\n")
    script.chmod(0o755)
    monkeypatch.setattr(worker, "python_executable", lambda: str(script))
    nodes = simulated_data.createSimulatedStudy(1)

    with pytest.raises(InputError, match=r"ended unexpectedly \(something went wrong\)") as raised:
        panel.logic.createStudy(tmp_path / "study", nodes, ["organ A"])

    log = panel.runner.job.log
    assert log.read_text() == "something went wrong\n" and str(log) in str(raised.value)


def test_every_control_has_a_tooltip_and_fits_into_a_narrow_panel(section):
    import qt

    for name, widget in vars(section.ui).items():
        if isinstance(widget, qt.QAbstractButton | qt.QProgressBar | qt.QPlainTextEdit):
            assert widget.toolTip or name == "environmentSection", name
    assert section.ui.environmentSection.minimumSizeHint.width() <= 340
