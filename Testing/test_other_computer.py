"""The panel trains on another computer, reached by SSH on the loopback address: checked, followed, stopped, resumed."""

import time

import numpy as np
import pytest
from random_user import MODULE, NAME, make_study
from remote_jobs import event
from ssh_server import met_anew, ssh_server
from test_label_step import window_size as window_size

from USLabelEfficientSegLib import __version__
from USLabelEfficientSegLib.errors import ExitCode

DEVICES = (
    '{"devices": [{"device": "cuda:0", "name": "NVIDIA A", "memory_gb": 24.0, "milliseconds": 1.5}, '
    '{"device": "cpu", "name": "processor with 8 threads", "memory_gb": null, "milliseconds": 30.2}]}'
)


@pytest.fixture(scope="module")
def running_server(tmp_path_factory):
    with ssh_server(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def server(running_server, monkeypatch):
    met_anew(running_server, monkeypatch)
    return running_server


@pytest.fixture
def there(tmp_path):
    """The study's folder on the other computer."""
    return tmp_path / "other computer" / "study"


@pytest.fixture
def program(tmp_path):
    """Makes the program of the other computer, which trains as a test wants."""

    def make(training="true", version=f"uslabelseg {__version__}"):
        path = tmp_path / "program"
        path.write_text(
            f"#!/bin/sh\n[ \"$1\" = --version ] && {{ echo '{version}'; exit; }}\n"
            f"[ \"$1\" = devices ] && {{ echo '{DEVICES}'; exit; }}\n"
            f'cd "$2" && mkdir -p run\n{training}\n'
        )
        path.chmod(0o755)
        return f"'{path}'"

    return make


@pytest.fixture
def study(panel, host, tmp_path):
    """An open study with a labelled slice; what is trained in these tests is no model, so nothing is segmented."""
    make_study(tmp_path / "study")
    panel.data.open(tmp_path / "study")
    until(panel, host)
    case = panel.session.cases()[0]
    panel.session.labels.of(case).setLabels(2, 3, np.ones((20, 18), np.uint8), panel.session.organs())
    panel.session.labels.save(case, False)
    panel.signals.trained._listeners.clear()
    return tmp_path / "study"


@pytest.fixture
def write(panel, server, there, program):
    """Writes the address and the command into the panel, as its user does."""
    from USLabelEfficientSegLib.slicer_side.processes import other_computer

    def written(training="true", address=None, **how):
        panel.ui.remoteEdit.text = server.address(there) if address is None else address
        panel.ui.remoteCommandEdit.text = program(training, **how)
        panel.ui.remoteEdit.editingFinished.emit()
        panel.refresh()

    yield written
    other_computer.choose("", "")


def until(panel, host, condition=None, seconds=120):
    end = time.monotonic() + seconds
    while panel.runner.busy if condition is None else not condition():
        assert time.monotonic() < end, (panel.ui.trainStatus.text, panel.ui.dataStatus.text)
        host.process_events(0.02)
    host.process_events(0.05)


def check(panel, host):
    panel.ui.checkRemoteButton.click()
    until(panel, host)
    return panel.ui.trainStatus.text


def test_a_check_tells_devices_and_their_speed_and_offers_them(panel, host, write):
    assert not panel.ui.checkRemoteButton.enabled and not panel.ui.remoteCommandEdit.visible
    write()
    assert panel.ui.checkRemoteButton.enabled

    assert check(panel, host) == (
        "It is reached, and has this version of the program. It trains on: NVIDIA A, 24.0 GB, a training step of a "
        "small network takes 1.5 ms; processor with 8 threads, a training step of a small network takes 30.2 ms."
    )
    combo = panel.ui.deviceCombo
    assert [combo.itemData(row) for row in range(combo.count)] == ["auto", "cuda:0", "cpu"]


def test_address_and_command_are_remembered_for_the_user_and_no_scene_has_them(panel, host, write, server, there):
    import slicer

    write()
    address, command = panel.ui.remoteEdit.text, panel.ui.remoteCommandEdit.text
    slicer.app.moduleManager().moduleAboutToBeUnloaded.emit(NAME)
    host.clear_scene()
    again = host.load_module(MODULE).panel

    assert (again.ui.remoteEdit.text, again.ui.remoteCommandEdit.text) == (address, command)
    again.ui.remoteEdit.text = ""
    assert slicer.app.userSettings().contains("USLabelEfficientSeg/OtherComputer")  # it may be edited further
    again.ui.remoteEdit.editingFinished.emit()
    assert not slicer.app.userSettings().contains("USLabelEfficientSeg/OtherComputer")


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("address", "server: is no folder on another computer; write it as user@host:/folder/of/study."),
        ("version", f"127.0.0.1: has version 0.0.1, not {__version__} as here; install the same version on both."),
        ("program", "install it there, or write where it is into Command there."),
        ("unknown", "127.0.0.1: is not known here; its key is SHA256:"),
        ("closed", "127.0.0.1: cannot be reached ("),
    ],
)
def test_each_failure_is_a_sentence_with_what_to_do_in_the_panel(panel, host, write, server, fault, told):
    write(
        address="server" if fault == "address" else None,
        version="uslabelseg 0.0.1"
        if fault == "version"
        else "x"
        if fault == "program"
        else f"uslabelseg {__version__}",
    )
    if fault == "unknown":
        (server.home / ".ssh" / "known_hosts").write_text("")
    server.proxy.closed = fault == "closed"

    assert told in check(panel, host)
    assert "--remote-command" not in panel.ui.trainStatus.text


def test_training_there_is_shown_as_one_here_though_the_connection_breaks(panel, host, study, write, there, server):
    write(
        f"""
echo '{event(1)}' >> run/events.jsonl
until [ -e go ]; do sleep 0.05; done
echo '{event(4)}' >> run/events.jsonl; echo weights > run/model.safetensors
"""
    )
    panel.ui.trainButton.click()
    until(panel, host, lambda: panel.train.monitor is not None and (study / "run" / "events.jsonl").exists())
    assert panel.train.training is not None and panel.ui.cancelTrainButton.enabled and not panel.ui.remoteEdit.enabled
    assert "may take half a minute" in panel.ui.cancelTrainButton.toolTip
    assert [path.name for path in (there / "images").iterdir()]

    server.proxy.cut()
    (there / "go").touch()
    until(panel, host)

    assert panel.ui.trainStatus.text.startswith("Trained.")
    assert (study / "run" / "model.safetensors").read_text() == "weights\n"
    assert "is broken; it is made anew" in panel.runner.job.log.read_text()
    assert "--processes" not in (next((there / "logs" / "remote").iterdir()) / "command").read_text()


def test_each_study_has_its_address_and_a_new_one_begins_with_the_last(panel, host, tmp_path):
    from USLabelEfficientSegLib.slicer_side.processes import other_computer

    def opened(name):
        if not (tmp_path / name).exists():
            make_study(tmp_path / name)
        panel.data.open(tmp_path / name, load=False)
        until(panel, host)
        return panel.ui.remoteEdit.text

    def written(text):
        panel.ui.remoteEdit.text = text
        panel.ui.remoteEdit.editingFinished.emit()

    opened("first")
    written("a@there:/first")
    before = sorted(path.name for path in (tmp_path / "first").rglob("*"))
    panel.close_study()
    assert opened("second") == "a@there:/first"
    written("b@there:/second")
    panel.close_study()
    assert opened("first") == "a@there:/first"
    written("")
    panel.close_study()
    assert panel.ui.remoteEdit.text == ""
    assert opened("second") == "b@there:/second"
    panel.close_study()
    assert opened("first") == ""
    assert sorted(path.name for path in (tmp_path / "first").rglob("*")) == before  # the folder has none
    other_computer.choose("", "")


STOPS_WHEN_ASKED = f"""
trap 'sleep 2; echo saved > run/saved; exit {int(ExitCode.CANCELLED)}' TERM
echo '{event(1)}' >> run/events.jsonl
until [ -e go ]; do sleep 0.05; done
echo '{event(4)}' >> run/events.jsonl; echo weights > run/model.safetensors
"""


def test_cancel_stops_it_there_which_may_take_longer_than_here_and_it_is_resumed(panel, host, study, write, there):
    write(STOPS_WHEN_ASKED)
    panel.ui.trainButton.click()
    until(panel, host, lambda: (study / "run" / "events.jsonl").exists())
    panel.ui.cancelTrainButton.click()
    until(panel, host)

    assert panel.ui.trainStatus.text == "Training was stopped."
    assert (there / "run" / "saved").exists()  # it was not cut short

    (there / "go").touch()
    panel.train.train()
    until(panel, host)
    assert (study / "run" / "model.safetensors").exists()


def test_it_goes_on_while_slicer_is_closed_and_is_followed_when_the_study_is_opened_again(
    panel, host, study, write, there
):
    import slicer

    write(STOPS_WHEN_ASKED)
    panel.ui.trainButton.click()
    until(panel, host, lambda: (study / "run" / "events.jsonl").exists())
    slicer.app.moduleManager().moduleAboutToBeUnloaded.emit(NAME)
    host.clear_scene()

    again = host.load_module(MODULE).panel
    slicer.util.selectModule(NAME)
    again.signals.trained._listeners.clear()
    again.data.open(study, load=False)
    assert again.train.training is not None
    assert again.ui.trainStatus.text == "This study is being trained already; you may cancel that here."
    assert not (there / "run" / "saved").exists()

    from USLabelEfficientSegLib.slicer_side.processes import other_computer

    other_computer.choose("", "", other_computer.key_of(again.session))  # whatever is chosen now
    again.ui.cancelTrainButton.click()  # before the job that follows it has done a step
    until(again, host)
    assert again.ui.trainStatus.text == "Training was stopped." and (there / "run" / "saved").exists()
