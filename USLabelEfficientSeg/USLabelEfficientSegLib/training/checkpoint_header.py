"""The header of a checkpoint, read without its tensors and without torch.

The library safetensors bounds the header (100 MB) and refuses tensors that do not fill the file exactly, so a file
cannot declare more than it holds; nothing is executed.
"""

from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from ..disk.json_files import parse_json
from ..errors import InputError

METADATA_KEY = "uslabelseg"
_REMEDY = "give another file, or if it lies in the run folder of a study delete it and train again"
DIGEST_KEY = "sha256"  # in the metadata: of all the rest, tensors included; checkpoints of earlier versions have none


def read_metadata(path: Path) -> dict[str, Any]:
    """The JSON metadata of a checkpoint, without its digest.

    Raises `InputError` for a missing, truncated or foreign file.
    """
    metadata = read_whole_metadata(path)
    metadata.pop(DIGEST_KEY, None)
    return metadata


def read_whole_metadata(path: Path) -> dict[str, Any]:
    """Like `read_metadata`, with the digest where there is one."""
    if not path.exists():
        raise InputError(path, "the weights file does not exist", "train the model first or give another file")
    try:
        if not path.is_file():  # a pipe would be waited for
            raise ValueError("no regular file")
        with safe_open(path, framework="numpy") as file:
            header = file.metadata() or {}
        metadata = parse_json(header[METADATA_KEY])
    except (SafetensorError, KeyError, ValueError) as error:
        raise damaged(path) from error
    if not isinstance(metadata, dict):
        raise InputError(path, "holds no description of its weights", _REMEDY)
    return metadata


def damaged(path: Path) -> InputError:
    """The complaint about a checkpoint that is not as it was written."""
    return InputError(path, "is damaged or was not written by this program", _REMEDY)
