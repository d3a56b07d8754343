"""Checkpoints: tensors and JSON metadata in one safetensors file, atomic to write, safe to load.

A digest of both is stored with them: a file in which a single bit has changed is refused.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor
from torch.optim import Optimizer

from ..disk.files import atomic_write_bytes
from ..errors import InputError
from .checkpoint_header import DIGEST_KEY, METADATA_KEY, damaged, read_whole_metadata


def save_checkpoint(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Write tensors (of any device) and JSON `metadata` to `path`; an existing file is replaced at once."""
    # Copies, because safetensors refuses tensors that share memory (tied weights).
    copies = {
        name: tensor.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
        for name, tensor in tensors.items()
    }
    text = json.dumps(metadata, ensure_ascii=False, allow_nan=False)
    whole = {**metadata, DIGEST_KEY: _digest(copies, json.loads(text))}
    header = {METADATA_KEY: json.dumps(whole, ensure_ascii=False, allow_nan=False)}
    atomic_write_bytes(path, save(copies, header))


def load_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors (on the CPU) and metadata of a file that `save_checkpoint` wrote.

    Raises `InputError` for a missing, truncated, changed or foreign file.
    """
    metadata = read_whole_metadata(path)
    try:
        with safe_open(path, framework="pt") as file:
            # Clones: a memory-mapped file could not be replaced on Windows while its tensors live.
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError, TypeError, KeyError, AttributeError, RuntimeError) as error:
        raise damaged(path) from error  # a kind of numbers that torch does not know
    digest = metadata.pop(DIGEST_KEY, None)
    if digest is not None and digest != _digest(tensors, metadata):
        problem = "is damaged: its checksum is not that of what it holds"
        raise InputError(path, problem, "restore it from a copy, or delete it and train this stage again")
    return tensors, metadata


def optimizer_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    """The state tensors of an optimizer (Adam, AdamW, SGD) as `{"<parameter index>.<name>": tensor}`.

    Hyper-parameters are not part of it: a training loop sets them from its settings and the step.
    """
    return {
        f"{index}.{name}": value
        for index, entries in optimizer.state_dict()["state"].items()
        for name, value in entries.items()
        if value is not None  # SGD without momentum keeps an empty buffer
    }


def restore_optimizer(optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Restore the result of `optimizer_tensors`, bit for bit, in an optimizer over the same parameters."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, name = key.split(".", 1)
        parameter = parameters[int(index)]
        if value.shape == parameter.shape:
            # In the parameter's own memory layout (such as channels last): fused optimizers rely on it.
            value = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _digest(tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> str:
    """SHA-256 of metadata and tensors, whatever their order, in hexadecimal."""
    digest = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"\n{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
