"""The Slicer host, for the tests of the host and of the Slicer side."""

import pytest


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
