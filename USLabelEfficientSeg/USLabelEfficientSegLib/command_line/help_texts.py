"""Help that all commands share."""

import inspect
from collections.abc import Callable

EPILOG = "Exit codes, and where the log is: uslabelseg --help"


def first_sentence(command: Callable[..., None]) -> str:
    """Whole, for the list of commands: by default its end is cut."""
    return inspect.cleandoc(command.__doc__ or "").partition("\n\n")[0].replace("\n", " ")
