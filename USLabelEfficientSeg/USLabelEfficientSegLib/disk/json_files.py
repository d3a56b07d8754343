"""Reading JSON that may be damaged or come from somebody else."""

import errno
import json
import math
import os
from pathlib import Path
from typing import Any, NoReturn

from .in_use import patiently

LARGEST = 64 * 1024 * 1024  # bytes: a study of a hundred thousand volumes has less


def read_json(path: Path) -> Any:
    """The value in a JSON file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: no regular file, larger than 64 MB, no UTF-8, no JSON, nested beyond reason, or NaN in it.
    """
    if not path.is_file():
        if not path.exists():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        raise ValueError("no regular file")
    with patiently(lambda: path.open("rb")) as file:
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise ValueError("too large")
    return parse_json(data)


def parse_json(data: bytes | str) -> Any:
    """The value of a JSON text. Raises `ValueError` as `read_json` does."""
    try:
        text = data.decode("utf-8") if isinstance(data, bytes) else data
        return json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _finite(number: str) -> float:
    value = float(number)
    return value if math.isfinite(value) else _refuse(number)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"holds {constant:.20}")
