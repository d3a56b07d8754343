"""A checksum of all that decides how a model segments, which tells models apart.

Calibration and statistics are left out: they decide about intervals and cautions, and a model that is calibrated later
has still made its segmentations. The names of a file's training cases play no part.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor


def checksum_of(weights: Mapping[str, Tensor], settings: Mapping[str, Any]) -> str:
    """SHA-256, in hexadecimal, of weights, sorted by name, and of the settings by which they are applied."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for name, tensor in sorted(weights.items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(np.ascontiguousarray(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy()).data)
    return digest.hexdigest()
