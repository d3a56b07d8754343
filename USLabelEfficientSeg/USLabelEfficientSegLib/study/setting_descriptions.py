"""What settings are for people: their names, values, allowed values and meanings, as their model tells them."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Literal, NamedTuple, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

_BOUNDS = {"gt": "more than", "ge": "at least", "lt": "less than", "le": "at most"}


class Described(NamedTuple):
    """A setting for people: its dotted name, its value, the allowed values, and what it is."""

    name: str
    value: Any
    allowed: str
    description: str


def described(settings: BaseModel) -> list[Described]:
    """Every setting that can be changed, in the order of the stages, with the values of `settings`."""
    return [row for row in _described("", settings) if row.name != "preset"]


def _described(prefix: str, section: BaseModel) -> Iterator[Described]:
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from _described(f"{prefix}{name}.", value)
        else:
            shown = list(value) if isinstance(value, tuple) else value
            yield Described(prefix + name, shown, _allowed(field), field.description or "")


def _allowed(field: FieldInfo) -> str:
    """Which values a setting may have: "1 to 4096", "more than 0, at most 1", "dino or masked", "true or false"."""
    if get_origin(field.annotation) is Literal:
        return " or ".join(map(str, get_args(field.annotation)))
    if field.annotation is bool:
        return "true or false"
    bounds = {name: getattr(mark, name) for mark in field.metadata for name in _BOUNDS if hasattr(mark, name)}
    if {"ge", "le"} == bounds.keys():
        return f"{_plain(bounds['ge'])} to {_plain(bounds['le'])}"
    return ", ".join(f"{_BOUNDS[name]} {_plain(value)}" for name, value in bounds.items())


def _plain(value: float) -> str:
    """All digits, without exponent and trailing zeros: 10000000, 0.2."""
    return f"{Decimal(str(value)).normalize():f}"
