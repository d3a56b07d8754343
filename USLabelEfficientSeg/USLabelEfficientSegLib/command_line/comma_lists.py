"""Options of `uslabelseg benchmark` that hold several values, separated by commas."""

from collections.abc import Callable
from typing import TypeVar

from ..errors import InputError

_CHOICES = ("random", "suggested")

T = TypeVar("T")


def listed(option: str, text: str, kind: Callable[[str], T]) -> list[T]:
    """Values separated by commas, each once. Raises `InputError` for none, or one that is not of its kind."""
    try:
        values = list(dict.fromkeys(kind(part.strip()) for part in text.split(",") if part.strip()))
    except ValueError:
        raise InputError(f"{option} {text}", "is not a list of numbers", f"write e.g. {option} 0,1,2") from None
    if not values:
        raise InputError(option, "is empty", "name at least one")
    return values


def choices_of(text: str) -> list[str]:
    """How labelled slices are chosen. Raises `InputError` for a way that does not exist."""
    choices = listed("--label-choices", text, str)
    for choice in choices:
        if choice not in _CHOICES:
            raise InputError(f"--label-choices {choice}", "does not exist", f"choose {' or '.join(_CHOICES)}")
    return choices


def fractions_of(text: str) -> list[float]:
    """Shares of slices that are labelled. Raises `InputError` for one that is none."""
    fractions = listed("--label-fractions", text, float)
    for fraction in fractions:
        if not 0 < fraction <= 1:
            raise InputError(f"label fraction {fraction:g}", "is outside (0, 1]", "give a fraction such as 0.005")
    return fractions
