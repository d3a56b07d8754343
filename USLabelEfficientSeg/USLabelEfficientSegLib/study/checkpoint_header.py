"""What a checkpoint says of itself, read without its tensors and without torch."""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from ..errors import InputError

METADATA_KEY = "uslabelseg"
_REMEDY = "give another file, or if it lies in the run folder of a study delete it and train again"


def read_metadata(path: Path) -> dict[str, Any]:
    """The JSON metadata of a checkpoint.

    Raises `InputError` for a missing, truncated or foreign file.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            header = file.metadata() or {}
        metadata = json.loads(header[METADATA_KEY])
    except FileNotFoundError as error:
        raise InputError(
            path, "the weights file does not exist", "train the model first or give another file"
        ) from error
    except (SafetensorError, KeyError, ValueError) as error:
        raise InputError(path, "is damaged or was not written by this program", _REMEDY) from error
    if not isinstance(metadata, dict):
        raise InputError(path, "holds no description of its weights", _REMEDY)
    return metadata
