"""Another computer on which a study cannot be trained is refused with one sentence, and nothing there is touched."""

import getpass
import json
import os
import shutil
import subprocess

import pytest
from remote_jobs import jobs

from USLabelEfficientSegLib import __version__
from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.remote.address import Address
from USLabelEfficientSegLib.remote.training import Request, train_remotely


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
