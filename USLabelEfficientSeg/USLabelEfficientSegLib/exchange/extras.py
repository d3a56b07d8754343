"""The packages of the extra `exchange`, imported when they are used, or asked for in one sentence."""

from __future__ import annotations

import importlib
from types import ModuleType

from ..errors import InputError


def imported(name: str, purpose: str) -> ModuleType:
    """The module of a package that may be missing.

    Args:
        name: of the module.
        purpose: what needs it, the subject of the sentence.

    Raises:
        InputError: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != name.split(".")[0]:
            raise
        remedy = "pip install us-label-efficient-seg[exchange]"
        raise InputError(purpose, f"needs {name}", remedy, in_panel=f"install {name}") from None
