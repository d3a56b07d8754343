"""A study is trained by way of an SSH server on the loopback address, whose connections are cut."""

import getpass
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from pathlib import PurePosixPath

import pytest
from ssh_server import ssh_server
from trained_studies import assert_same_weights, label_another_slice

from USLabelEfficientSegLib import __version__
from USLabelEfficientSegLib.errors import Cancelled, InputError
from USLabelEfficientSegLib.remote import connection as connections
from USLabelEfficientSegLib.remote import training as remote_training
from USLabelEfficientSegLib.remote.address import Address
from USLabelEfficientSegLib.remote.training import Request, train_remotely
from USLabelEfficientSegLib.study.events import Event, read_events
from USLabelEfficientSegLib.study.study import Study

A_LOOK = 0.05


@pytest.fixture(scope="module")
def running_server(tmp_path_factory):
    with ssh_server(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def server(running_server, monkeypatch):
    """The server, and this user as one whom it knows; attempts to connect again come at once."""
    monkeypatch.setenv("HOME", str(running_server.home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    monkeypatch.setattr(connections, "PAUSES", (0.01,))
    proxy = running_server.proxy
    proxy.budgets, proxy.cuts, proxy.closed = [], 0, False
    running_server.known(proxy.port)
    return running_server


@pytest.fixture
def there(tmp_path):
    return tmp_path / "other computer" / "study"


@pytest.fixture(scope="session")
def options(tiny_changes):
    return [word for name, value in tiny_changes.items() for word in ("--set", f"{name}={json.dumps(value)}")]


@pytest.fixture
def request_(server, there, options):
    return Request(Address.parse(server.address(there)), f"'{server.program}'", options)


@pytest.fixture(scope="module")
def trained_here(tmp_path_factory, untrained, options):
    """The same study, trained by the same command on this computer."""
    from USLabelEfficientSegLib.cli import main

    folder = shutil.copytree(untrained, tmp_path_factory.mktemp("here") / "study")
    with pytest.raises(SystemExit) as stop:
        main(["train", str(folder), *options])
    assert stop.value.code == 0
    return Study.open(folder)


def event(step, of=4):
    return json.dumps(
        {"stage": "student", "step": step, "of": of, "seconds_left": None, "losses": {}, "preview": None,
         "message": None, "time": 1.0 + step}
    )  # fmt: skip


@pytest.fixture
def program(tmp_path, server):
    """Makes a program for the other computer that knows its version and trains as a test wants."""

    def make(training, version=f"uslabelseg {__version__}"):
        path = tmp_path / "program"
        told = f"{{ echo '{version}'; exit; }}"
        path.write_text(f'#!/bin/sh\n[ "$1" = --version ] && {told}\ncd "$2" && mkdir -p run\n{training}\n')
        path.chmod(0o755)
        return f"'{path}'"

    return make


@pytest.fixture
def ask(study, there, server, program):
    """Train by such a program; returns what was told and the events that were shown."""

    def run(training="true", listen=None, tell=None, **changes):
        told: list[str] = []
        shown: list[Event] = []
        study.events.listen(listen or shown.append)
        words = {"program": program(training)} if "program" not in changes else {}
        request = Request(Address.parse(server.address(there)), **words, **changes)
        train_remotely(study, request, tell=tell or told.append, seconds_between_looks=A_LOOK)
        return told, shown

    return run


def jobs(there):
    return sorted((there / "logs" / "remote").iterdir())


def test_weights_are_those_of_a_training_here_though_the_connection_is_cut_five_times(
    server, study, there, request_, trained_here
):
    server.proxy.budgets = [30_000, 20_000, 20_000, 60_000, 60_000]  # while files are copied, and while it trains
    said: list[str] = []

    train_remotely(study, request_, tell=said.append, seconds_between_looks=A_LOOK)

    assert server.proxy.cuts == 5
    assert sum("is broken" in sentence for sentence in said) == 5
    assert_same_weights(study, trained_here)
    assert read_events(study.events.path) == read_events(there / "run" / "events.jsonl")
    assert not [path for folder in (study.folder, there) for path in folder.rglob(".*.part")]


def test_a_training_that_was_stopped_goes_on_there_with_the_same_weights(study, request_, trained_here):
    steps: list[Event] = []
    study.events.listen(steps.append)

    with pytest.raises(Cancelled, match=r"stopped on 127\.0\.0\.1; it resumes there"):
        train_remotely(study, request_, lambda: bool(steps), seconds_between_looks=A_LOOK)
    assert not (study.run_folder / "model.safetensors").exists()

    train_remotely(study, request_, seconds_between_looks=A_LOOK)
    assert_same_weights(study, trained_here)


def test_what_happens_while_nobody_is_connected_is_told_afterwards(server, study, there, ask):
    """The training goes on, and its end is noticed."""
    training = f"""
echo '{event(1)}' >> run/events.jsonl
until [ -e go ]; do sleep 0.05; done
echo '{event(2)}' >> run/events.jsonl; echo weights > run/model.safetensors; touch done
"""
    steps = []

    def listen(one):
        steps.append(one.step)
        if one.step == 1:
            server.proxy.closed = True
            server.proxy.cut()
            (there / "go").touch()
            threading.Thread(target=reopen).start()

    def reopen():
        while not (there / "done").exists():
            time.sleep(0.02)
        server.proxy.closed = False

    told, _ = ask(training, listen=listen)

    assert steps == [1, 2]
    assert told == [
        "The connection to 127.0.0.1 is broken; it is made anew.", "Connected to 127.0.0.1 again.",
    ]  # fmt: skip
    assert (study.run_folder / "model.safetensors").read_text() == "weights\n"


def test_whoever_comes_back_follows_the_training_that_runs(study, there, ask):
    """As after this computer was switched off: nothing is copied or started again."""
    training = f"""
echo x >> starts; echo '{event(1)}' >> run/events.jsonl
until [ -e go ]; do sleep 0.05; done
echo '{event(2)}' >> run/events.jsonl
"""

    def switch_off(_):
        raise KeyboardInterrupt

    def let_it_end(sentence):
        assert sentence == "The training on 127.0.0.1 runs already."
        (there / "go").touch()

    with pytest.raises(KeyboardInterrupt):
        ask(training, listen=switch_off)
    study.events._listeners.clear()
    _, shown = ask(training, tell=let_it_end)

    assert [one.step for one in shown] == [2]
    assert (there / "starts").read_text() == "x\n"
    assert [one.step for one in read_events(study.events.path)] == [1, 2]


def test_a_changed_label_and_a_removed_one_are_changed_and_removed_there(study, there, ask):
    ask()
    names = [case.name for case in study.cases if case.labels is not None]
    assert {path.stem for path in (there / "labels").iterdir()} == set(names)
    label_another_slice(study)
    study.remove_labels(names[-1])

    ask()

    for part in ("images", "labels"):
        for path in (there / part).iterdir():
            assert path.read_bytes() == (study.folder / part / path.name).read_bytes()
    assert {path.stem for path in (there / "labels").iterdir()} == set(names[:-1])
    assert Study.open(there).label_fraction() == study.label_fraction()


def test_files_that_lie_there_already_are_not_copied_again(study, there, ask):
    ask()
    images = {path: path.stat().st_ino for path in (there / "images").iterdir()}

    ask()

    assert {path: path.stat().st_ino for path in (there / "images").iterdir()} == images


def test_the_training_that_is_further_stays(study, there, ask):
    """There, as after a stop; or here, as after a training on this computer."""
    ask(f"echo '{event(1)}' >> run/events.jsonl; echo first > run/model.safetensors")
    (there / "run" / "checkpoint.safetensors").write_text("there")
    with (there / "run" / "events.jsonl").open("a") as file:
        file.write(event(2) + "\n")
    ask()
    assert (study.run_folder / "checkpoint.safetensors").read_text() == "there"

    study.events.emit("student", 3, 4)
    (study.run_folder / "model.safetensors").write_text("here")
    (study.run_folder / "checkpoint.safetensors").unlink()
    ask()

    assert (there / "run" / "model.safetensors").read_text() == "here"
    assert not (there / "run" / "checkpoint.safetensors").exists()


def test_a_training_that_starts_anew_forgets_the_earlier_one_on_both_sides(study, there, ask):
    ask(f"echo '{event(1)}' >> run/events.jsonl; echo first > run/first")
    ask(f"ls run > seen; echo '{event(2)}' >> run/events.jsonl", restart=True)

    assert (there / "seen").read_text() == ""
    assert [one.step for one in read_events(study.events.path)] == [2]
    assert not (study.run_folder / "first").exists()


def test_trainings_there_and_here_that_know_nothing_of_each_other_are_not_mixed(study, there, ask):
    ask(f"echo '{event(1)}' >> run/events.jsonl")
    with (there / "run" / "events.jsonl").open("a") as file:
        file.write(event(2) + "\n")
    study.events.emit("student", 3, 4)

    with pytest.raises(InputError, match="has been trained there and here, each without the other; name a new folder"):
        ask()


@pytest.mark.parametrize(
    ("training", "sentence"),
    [
        ("echo 'uslabelseg: error: run: is damaged; restore it.' >&2; exit 2", r"0\.1: run: is damaged; restore it\.$"),
        ("echo Traceback >&2; echo 'KeyError: 3' >&2; exit 1", r"has failed with code 1 \(KeyError: 3\); read .*logs"),
        ("kill -9 $$", r"has failed with code 137"),
    ],
)
def test_what_goes_wrong_there_is_one_sentence_here(study, ask, training, sentence):
    with pytest.raises(InputError, match=sentence):
        ask(training)
    assert not study.run_folder.exists()


def test_the_end_of_a_computer_is_noticed_and_the_same_command_goes_on(study, there, ask, monkeypatch):
    """Its processes vanish, without a word."""
    monkeypatch.setattr(remote_training, "_LOOKS_WITHOUT_NEWS", 2)
    training = f"echo '{event(1)}' >> run/events.jsonl; exec sleep 300"

    def end_all(_):
        (job,) = jobs(there)
        trained = int((job / "process").read_text())
        parent = int(subprocess.run(["ps", "-o", "ppid=", "-p", str(trained)], capture_output=True).stdout)
        os.kill(parent, signal.SIGKILL)
        os.kill(trained, signal.SIGKILL)

    with pytest.raises(InputError, match=r"has ended without a word: it was killed, or .* was started anew"):
        ask(training, listen=end_all)
    study.events._listeners.clear()

    ask(f"echo '{event(2)}' >> run/events.jsonl")
    assert [one.step for one in read_events(study.events.path)] == [1, 2]


def test_others_who_train_there_are_left_in_peace(study, there, ask):
    ask()
    (there / "lock").write_text(json.dumps({"pid": os.getpid(), "host": "server"}))

    with pytest.raises(InputError, match=f"is being written there by process {os.getpid()} on server; wait for it"):
        ask()


def test_a_training_with_other_options_is_not_followed(study, there, ask):
    ask()
    (job,) = jobs(there)
    (job / "exit").unlink()
    sleeper = subprocess.Popen(["sh", "-c", "sleep 300; true", str(there)])
    try:
        (job / "process").write_text(str(sleeper.pid))
        with pytest.raises(InputError, match=r"is being trained there with other options: .* --quiet; wait for it"):
            ask(options=["--seed", "1"])
    finally:
        sleeper.kill()
        sleeper.wait()


@pytest.mark.parametrize(
    ("version", "sentence"),
    [
        ("uslabelseg 0.0.1", rf"0\.1: has version 0\.0\.1, not {__version__} as here; install the same version"),
        ("bash 5", r"127\.0\.0\.1: has no program .*; install it there, or tell where it is with --remote-command"),
    ],
)
def test_another_program_or_version_there_is_refused(there, ask, program, version, sentence):
    with pytest.raises(InputError, match=sentence):
        ask(program=program("true", version))
    assert not there.exists()


def test_a_computer_without_the_program_is_refused(there, ask):
    with pytest.raises(InputError, match="has no program no-such-program; install it there"):
        ask(program="no-such-program")


@pytest.mark.parametrize("content", ["something", "study.json"])
def test_a_folder_that_holds_something_else_is_refused_and_stays(there, ask, content):
    there.mkdir(parents=True)
    (there / content).write_text('{"created": "another time"}')

    with pytest.raises(InputError, match=r"holds (something else \(something\)|another study); choose a new or empty"):
        ask()
    assert [path.name for path in there.iterdir()] == [content]


def test_a_place_where_no_folder_can_be_is_refused(study, server, program):
    request = Request(Address.parse(server.address("/dev/null/study")), program("true"))

    with pytest.raises(InputError, match=r"127\.0\.0\.1:/dev/null/study: cannot be made \(.*Not a directory\); choose"):
        train_remotely(study, request)


def test_a_computer_that_does_not_answer_is_refused(server, ask):
    server.proxy.closed = True

    with pytest.raises(InputError, match=r"127\.0\.0\.1: cannot be reached \(.+\); check its name and the network"):
        ask()


def test_a_name_that_no_computer_has_is_refused(study, server):
    with pytest.raises(InputError, match=r"nowhere\.invalid: cannot be reached"):
        train_remotely(study, Request(Address.parse("nowhere.invalid:study")))


def test_a_computer_that_is_not_known_is_refused_with_its_fingerprint(server, there, ask):
    (server.home / ".ssh" / "known_hosts").unlink()

    with pytest.raises(InputError, match=r"is not known here; its key is SHA256:\S+; if .* make it known: ssh -p \d+ "):
        ask()
    assert not there.exists() and not (server.home / ".ssh" / "known_hosts").exists()


def test_a_computer_with_another_key_than_before_is_refused(server, ask):
    server.known(server.proxy.port, (server.home / ".ssh" / "id_ed25519.pub").read_text())

    with pytest.raises(InputError, match="shows another key than the one that is known of it; ask who looks after it"):
        ask()


def test_a_user_who_is_not_let_in_is_told_how(server, ask, tmp_path, monkeypatch):
    stranger = tmp_path / "stranger" / ".ssh"
    stranger.mkdir(parents=True)
    shutil.copy(server.home / ".ssh" / "known_hosts", stranger)
    monkeypatch.setenv("HOME", str(stranger.parent))

    with pytest.raises(InputError, match=r"is not let in.*; .*ssh-copy-id"):
        ask()


def test_the_settings_of_ssh_are_followed(study, server, there, program):
    settings = f"Host gpu\n  HostName 127.0.0.1\n  Port {server.proxy.port}\n  User {getpass.getuser()}\n"
    (server.home / ".ssh" / "config").write_text(settings)
    try:
        train_remotely(study, Request(Address.parse(f"gpu:{there}"), program("echo ok > run/ok")))
    finally:
        (server.home / ".ssh" / "config").unlink()

    assert (study.run_folder / "ok").read_text() == "ok\n"


def test_the_command_trains_there_with_the_options_that_were_given(study, server, there, program, call):
    trained = program(f"echo \"$@\" > words; echo '{event(4)}' >> run/events.jsonl")
    place = "--remote", server.address(there), "--remote-command", trained

    given = "--seed", "1", "--set", "student.steps=4", "--set", "teacher.steps=3", "--from-teacher"
    code, out, err = call("train", study.folder, *place, *given, "--events", "--restart")

    assert (code, err.count("error")) == (0, 0)
    assert [json.loads(line)["step"] for line in out.splitlines()] == [4]
    words = "--seed 1 --set student.steps=4 --set teacher.steps=3 --from-teacher"
    assert sorted((there / "words").read_text().split()) == sorted(f"train {there} {words} --quiet".split())


def test_files_of_this_computer_are_no_options_there(study, server, there, call, tmp_path):
    (tmp_path / "weights").touch()

    code, _, err = call(
        "train", study.folder, "--remote", server.address(there), "--teacher-weights", tmp_path / "weights"
    )

    sentence = "--teacher-weights: names a file of this computer; leave it out, or train on this computer."
    assert (code, err) == (2, f"uslabelseg: error: {sentence}\n")


@pytest.mark.parametrize("text", ["", "server", "server:", "/folder", "ssh://server", "a b:/c", "a:/b/../c", "s:/"])
def test_what_is_no_address_is_refused(text):
    with pytest.raises(InputError):
        Address.parse(text)


def test_addresses_are_read_as_scp_and_ssh_write_them():
    assert Address.parse("server:~/study") == Address.parse("server:study")
    assert Address.parse("ssh://eva@server:22/a b") == Address("server", PurePosixPath("/a b"), "eva", 22)
    assert Address.parse("eva@[::1]:/study") == Address("::1", PurePosixPath("/study"), "eva")
