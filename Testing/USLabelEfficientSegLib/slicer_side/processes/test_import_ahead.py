"""Imports beside the event loop: of what the panel needs later, and only where the packages are there."""

import importlib
import sys

import pytest


@pytest.fixture
def ahead(host):
    from USLabelEfficientSegLib.slicer_side.processes import import_ahead

    return import_ahead


def test_what_the_panel_needs_later_is_imported_in_a_thread(ahead):
    thread = ahead.importAhead()
    thread.join(60)

    assert all(f"USLabelEfficientSegLib.{name}" in sys.modules for name in ahead.NEEDED_LATER)


def test_nothing_is_imported_while_packages_are_missing(ahead, monkeypatch):
    monkeypatch.setattr(ahead, "missingRequirements", lambda: ["torch>=2.4.1"])

    assert ahead.importAhead() is None


def test_a_package_that_cannot_be_imported_is_left_to_whoever_needs_it(ahead, monkeypatch, capfd):
    def damaged(name):
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", damaged)
    thread = ahead.importAhead()
    thread.join(60)

    assert "ImportError" not in capfd.readouterr().err
