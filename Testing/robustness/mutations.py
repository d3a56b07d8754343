"""Random changes of JSON values and of bytes."""

import copy
import json
from typing import Any

import numpy as np

HOSTILE: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, 10**400, -(10**30), 0.5, -0.0, 1e-320, 1e308, float("nan"), float("inf"),
    "", " ", "../../other/model", "/etc/passwd", "C:\\x", "con", "a\0b", "\ud800", "=cmd()", "\x1b[2J", "x" * 100_000,
    [], {}, [[]], [None] * 1000, {"": None}, [1, 2, 3], ["a"], "NaN", "1",
)  # fmt: skip


def changed_json(value: Any, random: np.random.Generator) -> Any:
    """A copy of a JSON value in which one place is replaced, removed, doubled or moved."""
    value = copy.deepcopy(value)
    places = list(_places(value))
    container, key = places[random.integers(len(places))]
    how = random.choice(["replace", "replace", "replace", "remove", "add", "swap"])
    if how == "remove":
        del container[key]
    elif how == "add" and isinstance(container, list):
        container.insert(key, copy.deepcopy(container[key]))
    elif how == "add":
        container[f"{key}?"] = container[key]
    elif how == "swap":
        other, place = places[random.integers(len(places))]
        container[key] = copy.deepcopy(other[place])
    else:
        container[key] = HOSTILE[random.integers(len(HOSTILE))]
    return value


def as_text(value: Any) -> bytes:
    """JSON that may hold what JSON must not: NaN, infinity, halves of characters."""
    return json.dumps(value).encode()


def changed_bytes(data: bytes, random: np.random.Generator) -> bytes:
    """Bytes of which one is flipped, some are cut, put in, or repeated, or which something else replaces."""
    changed = bytearray(data)
    place = int(random.integers(len(data)))
    how = random.choice(["flip", "flip", "cut", "insert", "repeat", "binary", "deep", "empty", "long"])
    if how == "flip":
        changed[place] ^= 1 << int(random.integers(8))
    elif how == "cut":
        del changed[place:]
    elif how == "insert":
        changed[place:place] = random.integers(0, 256, 8).astype(np.uint8).tobytes()
    elif how == "repeat":
        changed[place:place] = changed[: int(random.integers(len(data)))]
    else:
        return {
            "binary": random.integers(0, 256, 500).astype(np.uint8).tobytes(),
            "deep": b"[" * 100_000,
            "empty": b"",
            "long": b'{"a": "' + b"x" * 2_000_000 + b'"}\n',
        }[str(how)]
    return bytes(changed)


def _places(value: Any) -> Any:
    """Every (container, key) in a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in tuple(items):
        yield value, key
        yield from _places(inner)
