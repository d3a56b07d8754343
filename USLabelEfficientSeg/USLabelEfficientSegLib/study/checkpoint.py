"""Checkpoints: tensors and JSON metadata in one safetensors file, atomic to write, safe to load."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor
from torch.optim import Optimizer

from .checkpoint_header import METADATA_KEY, read_metadata
from .files import atomic_write_bytes


def save_checkpoint(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Write tensors (of any device) and JSON `metadata` to `path`; an existing file is replaced at once."""
    # Copies, because safetensors refuses tensors that share memory (tied weights).
    copies = {
        name: tensor.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
        for name, tensor in tensors.items()
    }
    header = {METADATA_KEY: json.dumps(metadata, ensure_ascii=False, allow_nan=False)}
    atomic_write_bytes(path, save(copies, header))


def load_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors (on the CPU) and metadata of a file that `save_checkpoint` wrote.

    Raises `InputError` for a missing, truncated or foreign file.
    """
    metadata = read_metadata(path)
    with safe_open(path, framework="pt") as file:
        # Clones: a memory-mapped file could not be replaced on Windows while its tensors live.
        tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
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
    """Put back what `optimizer_tensors` gave, bit for bit, into an optimizer over the same parameters."""
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
