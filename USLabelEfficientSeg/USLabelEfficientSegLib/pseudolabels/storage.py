"""Pseudo-labels on disk: made once, kept in half precision, and made anew when what they depend on changes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from ..errors import InputError
from ..study.checkpoint import load_checkpoint, save_checkpoint
from ..study.checkpoint_header import read_metadata
from .fusion import FusedPrediction


def stored_prediction(path: Path, identity: str, make: Callable[[], FusedPrediction]) -> FusedPrediction:
    """The prediction that `path` holds for `identity`; made and stored first where there is none.

    A prediction just made is returned as it reads from the file, so that a resumed run sees the same numbers.
    """
    if not _holds(path, identity):
        prediction = make()
        tensors = {
            "probability": prediction.probability.half(),
            "deviation": prediction.deviation.half(),
            "weight": prediction.weight.half(),
        }
        save_checkpoint(path, tensors, {"identity": identity})
    tensors, _ = load_checkpoint(path)
    return FusedPrediction(**{name: tensor.to(torch.float32) for name, tensor in tensors.items()})


def _holds(path: Path, identity: str) -> bool:
    if not path.exists():
        return False
    try:
        return bool(read_metadata(path).get("identity") == identity)
    except InputError:  # damaged: it is only a cache
        return False
