"""Networks are imported once; an import that fails half way ends the process, for another one to answer."""

import importlib
import os

import pytest

from USLabelEfficientSegLib.serving.networks import Networks


def failing(error):
    """Stands in for `import_module`."""

    def fail(name):
        raise error

    return fail


def test_a_missing_package_is_told_to_whoever_needs_it(monkeypatch):
    monkeypatch.setattr(importlib, "import_module", failing(ModuleNotFoundError("torch")))
    networks = Networks()

    with pytest.raises(ModuleNotFoundError, match="torch"):
        networks.wait()

    assert not networks.loaded


def test_an_import_that_breaks_half_way_ends_the_process(monkeypatch, capfd):
    codes: list[int] = []
    monkeypatch.setattr(os, "_exit", codes.append)
    monkeypatch.setattr(importlib, "import_module", failing(AttributeError("module 'sympy' has no attribute 'core'")))

    Networks().wait()

    assert codes == [1]
    assert "sympy" in capfd.readouterr().err
