"""Pseudo-labels on disk: made once, kept in half precision, and made anew when their inputs change."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from ..anatomy.training_volumes import Proposal
from ..errors import InputError, Notice
from ..training.checkpoint import load_checkpoint, save_checkpoint
from .fusion import FusedPrediction

_TENSORS = {"probability", "deviation", "weight"}


def stored_prediction(
    path: Path, identity: str, make: Callable[[], FusedPrediction], shape: Sequence[int] | None = None
) -> FusedPrediction:
    """The prediction that `path` holds for `identity`; made and stored first where there is none.

    A prediction just made is returned as it reads from the file, so that a resumed run sees the same numbers.

    Args:
        path: of the file.
        identity: of all that the prediction depends on.
        make: what predicts.
        shape: (C, I, J, K) that it must have; any, if it is not told.
    """
    tensors = _stored(path, identity, shape)
    if tensors is None:
        prediction = make()
        tensors = {
            "probability": prediction.probability.half(),
            "deviation": prediction.deviation.half(),
            "weight": prediction.weight.half(),
        }
        save_checkpoint(path, tensors, {"identity": identity})
    return FusedPrediction(**{name: tensor.to(torch.float32) for name, tensor in tensors.items()})


def proposal_in(path: Path) -> Proposal:
    """Probabilities and weights of a file that `stored_prediction` left.

    Raises:
        InputError: it was changed or removed since.
    """
    tensors, _ = load_checkpoint(path)
    return Proposal(tensors["probability"].to(torch.float32), tensors["weight"].to(torch.float32))


def _stored(path: Path, identity: str, shape: Sequence[int] | None) -> dict[str, Tensor] | None:
    """The tensors of a file; None if it is missing, damaged or of another identity: it is only a cache."""
    if not path.exists():
        return None
    try:
        tensors, metadata = load_checkpoint(path)
    except InputError:
        warnings.warn(Notice(path, "was damaged and is made again"), stacklevel=2)
        return None
    return tensors if metadata.get("identity") == identity and _fit(tensors, shape) else None


def _fit(tensors: dict[str, Tensor], shape: Sequence[int] | None) -> bool:
    if tensors.keys() != _TENSORS or not all(torch.isfinite(tensor).all() for tensor in tensors.values()):
        return False
    wanted = tuple(tensors["probability"].shape if shape is None else shape)
    return tensors["probability"].shape == wanted and all(
        tensors[name].shape == wanted[1:] for name in ("deviation", "weight")
    )
