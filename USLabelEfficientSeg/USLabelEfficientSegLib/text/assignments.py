"""`NAME=VALUE`, as people change a setting."""

import json
from typing import Any


def name_and_value(text: str) -> tuple[str, Any]:
    """The parts of `NAME=VALUE`; a value is JSON where it can be, such as 3 or [8,16,24], else text.

    Raises:
        ValueError: no name, or no equals sign.
    """
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise ValueError(f"{text} is not of the form NAME=VALUE")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
