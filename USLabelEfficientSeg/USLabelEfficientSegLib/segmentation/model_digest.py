"""What tells models apart: a checksum of all that decides how they segment.

Calibration and statistics are left out: they tell of intervals and cautions, and a model that is calibrated later still
is the one that made a segmentation. The names of a file's training cases play no part.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .image_model import ImageModel
from .model import SegmentationModel


def model_digest(model: SegmentationModel | ImageModel) -> str:
    """SHA-256, in hexadecimal, of the weights, sorted by name, and of what says how they are applied."""
    tensors, settings = _of_images(model) if isinstance(model, ImageModel) else _of_volumes(model)
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(np.ascontiguousarray(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy()).data)
    return digest.hexdigest()


def _of_images(model: ImageModel) -> tuple[Mapping[str, Tensor], dict[str, Any]]:
    names = ("organs", "image_size", "mirrored", "zooms")
    settings = {name: getattr(model, name) for name in names}
    return model.network.state_dict(), settings | {"closer_looks": model.zoom_margins}


def _of_volumes(model: SegmentationModel) -> tuple[Mapping[str, Tensor], dict[str, Any]]:
    tensors = {
        f"{number}/{name}": tensor
        for number, network in enumerate(model.networks)
        for name, tensor in network.state_dict().items()
    }
    if model.template is not None:
        tensors |= {"template/edges": model.template.edges, "template/window": model.template.window}
    if model.prior is not None:
        tensors["prior"] = model.prior.coefficients
    names = ("organs", "max_voxels", "window", "overlap", "mirrored_axes", "weights")
    settings = {name: getattr(model, name) for name in names}
    scaling = None if model.scaling is None else model.scaling.model_dump(mode="json")
    return tensors, settings | {"design": model.design.model_dump(mode="json"), "scaling": scaling}
