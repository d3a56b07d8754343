"""Reads ViT weights: files of the DINO repository (full training file or bare backbone) and safetensors.

Nothing in a file is executed: safetensors, or `torch.load(weights_only=True)`.
"""

from __future__ import annotations

import argparse
import math
import pickle
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from ..disk.study_layout import WEIGHTS_SUFFIX
from ..errors import InputError
from ..training.checkpoint import save_checkpoint
from .vit import VisionTransformer

HEAD_CHANNELS = 64  # of every published DINO ViT; the number of heads is not stored in a checkpoint


def load_vit(path: Path, num_heads: int | None = None) -> VisionTransformer:
    """ViT of the weights in `path`; patch size, channels, depth and positions are read off the tensors.

    Args:
        path: `.safetensors`, or a file of the DINO repository: the full training file (its `teacher` is
            taken) or the bare backbone.
        num_heads: attention heads; 64 channels a head when None.

    Raises:
        InputError: missing, unreadable or unsafe file, or content that is no such ViT.
    """
    return vit_from_state(backbone_state(read_payload(path), path), path, num_heads)


def save_vit(path: Path, vit: VisionTransformer) -> None:
    """Write the ViT to a `.safetensors` file, names as in the DINO checkpoints; `load_vit` reads it back."""
    save_checkpoint(path, vit.state_dict(), {"patch_size": vit.patch_size, "num_heads": vit.num_heads})


def read_payload(path: Path) -> Any:
    """Content of a weights file, read without executing any of it."""
    if not path.is_file():
        raise InputError(path, "there is no such weights file", "give the path of a DINO checkpoint")
    try:
        if path.suffix == WEIGHTS_SUFFIX:
            return safetensors.torch.load_file(path)
        # The full DINO training file keeps its command-line arguments beside the weights.
        with torch.serialization.safe_globals([argparse.Namespace]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InputError(
            path, "holds more than weights, or is damaged", "give a DINO checkpoint or a safetensors file"
        ) from error
    except (safetensors.SafetensorError, RuntimeError, ValueError, KeyError, EOFError, OSError) as error:
        raise InputError(path, "cannot be read as weights", "download or copy the file again") from error


def backbone_state(payload: Any, path: Path) -> dict[str, Tensor]:
    """Tensors of the ViT alone: of the `teacher` if there is one, without prefixes and projection head."""
    content = payload.get("teacher", payload) if isinstance(payload, dict) else None
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise InputError(path, "holds no ViT weights", "give a DINO checkpoint or a safetensors file")
    stripped = {str(name).removeprefix("module."): value for name, value in content.items()}
    return {
        name.removeprefix("backbone."): value.float()
        for name, value in stripped.items()
        if not name.startswith("head.")
    }


def vit_from_state(state: dict[str, Tensor], path: Path, num_heads: int | None = None) -> VisionTransformer:
    """Build the ViT that `state` (names of the DINO checkpoints) belongs to and fill it; see `load_vit`."""
    refusal = InputError(
        path, "holds weights of another kind of network", "give a ViT checkpoint of the DINO repository"
    )
    kernel, positions = state.get("patch_embed.proj.weight"), state.get("pos_embed")
    if kernel is None or positions is None or kernel.ndim != 4 or positions.ndim != 3:
        raise refusal
    channels, _, patch_size, _ = kernel.shape
    side = math.isqrt(max(positions.shape[1] - 1, 0))
    blocks = [name.split(".")[1] for name in state if name.startswith("blocks.") and name.endswith(".norm1.weight")]
    heads = num_heads or channels // HEAD_CHANNELS
    if side == 0 or heads == 0 or channels % heads or not all(state[name].isfinite().all() for name in state):
        raise refusal
    vit = VisionTransformer(patch_size, channels, len(blocks), heads, image_size=side * patch_size)
    try:
        vit.load_state_dict(state)
    except RuntimeError as error:
        raise refusal from error
    return vit
