"""Changed and hostile model files: the same model, or one sentence; never more memory than the file explains."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save

from robustness.mutations import changed_json
from robustness.runner import Check
from robustness.tiny_studies import GRID, image_model, volume_model
from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.scan import Scan
from USLabelEfficientSegLib.segmentation.image_model import ImageModel
from USLabelEfficientSegLib.segmentation.inference import predict
from USLabelEfficientSegLib.segmentation.model import SegmentationModel
from USLabelEfficientSegLib.training.checkpoint import load_checkpoint, save_checkpoint

CPU = torch.device("cpu")
Model = SegmentationModel | ImageModel
TYPES = (torch.int64, torch.float16, torch.float64, torch.bool)


def checks(count: int, seed: int, folder: Path) -> Iterator[Check]:
    """Flips and cuts, changed headers, changed descriptions with a right checksum, and changed tensors."""
    random = np.random.default_rng(seed)
    whole: dict[Path, Model] = {
        folder / "volumes.safetensors": volume_model(),
        folder / "images.safetensors": image_model(),
    }
    for path, model in whole.items():
        model.save(path)
    contents = {path: path.read_bytes() for path in whole}
    parts = {path: load_checkpoint(path) for path in whole}
    for number in range(count):
        path = list(whole)[number % 2]
        how = str(random.choice(["bit", "bit", "cut", "header", "description", "tensor"]))
        target = folder / "changed.safetensors"
        kind = type(whole[path])
        data = contents[path]
        if how == "bit":
            # Half of the flips in the header, which is a small part of the file.
            place = int(random.integers(_header_end(data) if random.random() < 0.5 else len(data)))
            changed = bytearray(data)
            changed[place] ^= 1 << int(random.integers(8))
            yield f"bit at {place}", partial(_check_same, target, bytes(changed), kind, whole[path])
        elif how == "cut":
            place = int(random.integers(len(data)))
            yield f"cut at {place}", partial(_check_same, target, data[:place], kind, whole[path])
        elif how == "header":
            header = changed_json(json.loads(data[8 : _header_end(data)]), random)
            text = json.dumps(header).encode()
            other = len(text).to_bytes(8, "little") + text + data[_header_end(data) :]
            yield f"header {number}", partial(_check_same, target, other, kind, whole[path])
        elif how == "description":
            tensors, metadata = parts[path]
            yield f"description {number}", partial(_check_used, target, tensors, changed_json(metadata, random), kind)
        else:
            tensors, metadata = parts[path]
            yield f"tensors {number}", partial(_check_used, target, _changed_tensors(tensors, random), metadata, kind)


def _header_end(data: bytes) -> int:
    return 8 + int.from_bytes(data[:8], "little")


def _check_same(path: Path, data: bytes, kind: type[Model], whole: Model) -> None:
    """The file is refused, or is the model as it was."""
    path.write_bytes(data)
    try:
        model = kind.load(path)
    except InputError:
        return
    for name, value in vars(whole).items():
        if name not in ("networks", "network", "template", "prior", "slices"):
            assert getattr(model, name) == value, name
    assert model.digest() == whole.digest()
    first, second = path.with_name("first.safetensors"), path.with_name("second.safetensors")
    whole.save(first)
    model.save(second)
    one, other = load_checkpoint(first)[0], load_checkpoint(second)[0]
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def _check_used(path: Path, tensors: dict[str, torch.Tensor], metadata: Any, kind: type[Model]) -> None:
    """The file is refused, or it segments a volume to probabilities; its checksum is right, as an attacker's is."""
    try:
        save_checkpoint(path, tensors, metadata)
    except (ValueError, AttributeError, TypeError):  # NaN, or no object: written without this program's care
        text = json.dumps(metadata, default=str)
        path.write_bytes(save({name: tensor.contiguous() for name, tensor in tensors.items()}, {"uslabelseg": text}))
    try:
        model = kind.load(path)
        if not isinstance(model, SegmentationModel):
            return
        voxels = np.random.default_rng(0).integers(0, 255, GRID.shape).astype(np.uint8)
        probability = predict(model, Scan(voxels, GRID, "a"), CPU).probability
    except InputError:
        return
    assert bool(np.isfinite(np.asarray(probability)).all())


def _changed_tensors(tensors: dict[str, torch.Tensor], random: np.random.Generator) -> dict[str, torch.Tensor]:
    changed = {name: tensor.clone() for name, tensor in tensors.items()}
    name = str(random.choice(list(changed)))
    tensor = changed[name]
    how = random.choice(["nan", "remove", "shape", "kind", "rename", "huge", "more"])
    if how == "nan" and tensor.is_floating_point() and tensor.numel():
        tensor.view(-1)[0] = float("nan")
    elif how == "remove":
        del changed[name]
    elif how == "shape":
        changed[name] = tensor.reshape(-1).repeat(2)
    elif how == "kind":
        changed[name] = tensor.to(TYPES[random.integers(len(TYPES))])
    elif how == "rename":
        changed[f"9/{name}"] = changed.pop(name)
    elif how == "huge" and tensor.is_floating_point():
        changed[name] = tensor * 1e30
    else:
        changed["another"] = torch.zeros(3)
    return changed
