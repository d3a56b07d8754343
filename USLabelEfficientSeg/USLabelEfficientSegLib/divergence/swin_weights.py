"""Reads the weights of a public Swin-tiny checkpoint into Swin-Unet's encoder and decoder.

Nothing in a file is executed: safetensors, or `torch.load(weights_only=True)`.
"""

from __future__ import annotations

import re
from pathlib import Path

from torch import Tensor

from ..errors import InputError
from ..teacher.checkpoints import read_payload
from .swin_unet import DEPTHS, SwinUnet

#: beginnings of names in the Swin repository's checkpoints -> here
_EMBEDDING = {"patch_embed.proj.": "embedding.", "patch_embed.norm.": "embedding_norm.", "norm.": "norm."}
_LAYER = re.compile(r"layers\.(\d)\.(blocks|downsample)\.(.+)")
_COMPUTED = "relative_position_index"
_REMEDY = "give a checkpoint of Swin-tiny, patch 4, window 7, and leave divergence.transformer_width at 96"


def load_swin_weights(network: SwinUnet, path: Path) -> None:
    """Fill the encoder, and the decoder's stages of the same widths, as Swin-Unet's authors do.

    Of the six blocks in Swin-tiny's third stage the first two are taken; its classifier is left out.

    Raises:
        InputError: missing, unreadable or unsafe file, or no Swin-tiny weights of this network's width and window.
    """
    state = swin_state(path)
    expected = network.state_dict()
    loaded = {name: tensor for name, tensor in state.items() if name in expected}
    missing = [
        name
        for name in expected
        if name.startswith(("embedding", "encoder", "merging", "norm."))
        and not name.endswith(_COMPUTED)
        and name not in loaded
    ]
    wrong = [name for name, tensor in loaded.items() if tensor.shape != expected[name].shape]
    if missing or wrong:
        raise InputError(path, f"does not fit Swin-Unet ({(missing + wrong)[0]})", _REMEDY)
    network.load_state_dict(loaded, strict=False)


def swin_state(path: Path) -> dict[str, Tensor]:
    """Tensors of a Swin checkpoint under this library's names, once for the encoder and once for the decoder."""
    payload = read_payload(path)
    content = payload.get("model", payload) if isinstance(payload, dict) else None
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise InputError(path, "holds no Swin weights", _REMEDY)
    state: dict[str, Tensor] = {}
    for name, tensor in content.items():
        for new_name in _names_here(name):
            state[new_name] = tensor
    return state


def _names_here(name: str) -> list[str]:
    """Where a tensor of the Swin repository goes: nowhere, to the encoder, or to encoder and decoder."""
    for old, new in _EMBEDDING.items():
        if name.startswith(old):
            return [new + name.removeprefix(old)]
    match = _LAYER.fullmatch(name)
    if match is None:
        return []
    level, kind, rest = int(match[1]), match[2], match[3]
    if kind == "downsample":
        return [f"merging.{level}.{rest}"]
    block = f"blocks.{rest}".replace(".mlp.fc", ".mlp.linear")
    decoder_level = len(DEPTHS) - 2 - level
    return [f"encoder.{level}.{block}"] + ([f"decoder.{decoder_level}.{block}"] if decoder_level >= 0 else [])
