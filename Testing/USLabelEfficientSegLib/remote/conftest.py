"""An SSH server on the loopback address, and programs that train there as a test wants."""

import json
import shutil

import pytest
from remote_jobs import A_LOOK
from ssh_server import met_anew, ssh_server

from USLabelEfficientSegLib import __version__
from USLabelEfficientSegLib.remote import connection as connections
from USLabelEfficientSegLib.remote.address import Address
from USLabelEfficientSegLib.remote.training import Request, train_remotely
from USLabelEfficientSegLib.study.events import Event
from USLabelEfficientSegLib.study.study import Study


@pytest.fixture(scope="module")
def running_server(tmp_path_factory):
    with ssh_server(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def server(running_server, monkeypatch):
    """The server, and this user as one whom it knows; attempts to connect again come at once."""
    met_anew(running_server, monkeypatch)
    monkeypatch.setattr(connections, "PAUSES", (0.01,))
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
