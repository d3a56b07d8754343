"""Networks are imported once; an import that fails half way ends the process, for another one to answer."""

import importlib
import os
import subprocess
import sys

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


def test_no_later_request_imports_what_an_interruption_would_break():
    """Torch imports much with the first optimizer, which lines a volume up."""
    program = """
import sys
from USLabelEfficientSegLib.serving.networks import Networks
Networks().wait()
import torch
known = set(sys.modules)
torch.optim.Adam([torch.zeros(1, requires_grad=True)])
assert not [name for name in set(sys.modules) - known if name.startswith(("torch", "sympy"))]
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300, check=False)

    assert done.returncode == 0, done.stderr
