"""The Slicer host, for the tests of the host and of the Slicer side."""

import os
import sys

import pytest

SLOTS_TOLD = 5


@pytest.fixture(scope="session", autouse=True)
def user_folder(tmp_path_factory):
    """What commands remember of their results, and their logs, stay among the files of the tests."""
    os.environ["USLABELSEG_STATE"] = str(tmp_path_factory.mktemp("user"))


@pytest.fixture
def host():
    """The host with an empty scene; at the end, no exception may have left a slot."""
    import slicer_host

    slicer_host.start()
    slicer_host.clear_scene()
    slicer_host.errors.clear()
    yield slicer_host
    slicer_host.process_events()
    assert not slicer_host.errors


@pytest.fixture
def window_size():
    """In which the panel is on the screen, (width, height); None: only in memory."""
    return None


@pytest.fixture
def panel(host, window_size):
    """The module's panel without a study, as the user finds it who comes from another module."""
    import slicer
    from random_user import MODULE, NAME

    widget = host.load_module(MODULE)
    if window_size is not None:
        widget.parent.resize(*window_size)
        widget.parent.show()
    slicer.util.selectModule("Data")
    slicer.util.selectModule(NAME)
    host.process_events(0.05)
    yield widget.panel
    slicer.app.moduleManager().moduleAboutToBeUnloaded.emit(NAME)


def pytest_terminal_summary(terminalreporter):
    """What the panel let Slicer's event loop wait for; only told, for a busy computer would fail any bound."""
    blocking = sys.modules.get("slicer_host.blocking")
    for one in [] if blocking is None else blocking.longest[:SLOTS_TOLD]:
        times = f"{1000 * one.seconds:.0f} ms ({1000 * one.own_seconds:.0f} ms of its own)"
        terminalreporter.write_line(f"event loop blocked {times}: {one.slot}")
