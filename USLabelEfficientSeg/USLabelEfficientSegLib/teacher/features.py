"""Features of slices: the frozen ViT runs once over every slice, and its patch tokens are kept on disk.

The ViT does not change after pretraining. Of thousands of volumes only some have room on the disk: a student sees most
of these once or never, and their features are computed when it does.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..anatomy.kept import Source
from ..anatomy.training_volumes import TrainingVolume
from ..disk.files import atomic_write_bytes
from ..errors import Notice
from .slices import in_slice_axes, network_shape, resize_slices, slices_along
from .vit import VisionTransformer

_CHUNK = 1 << 20  # bytes
TOKENS_AT_ONCE = 8192  # bounds memory: 32 slices of 16 x 16 patches, 8 of 32 x 32
MOST_BYTES = 2 * 2**30  # of all files of a cache


@torch.inference_mode()
def encode_slices(vit: VisionTransformer, images: Tensor, pixel_size: Sequence[float], slice_size: int) -> Tensor:
    """Patch features of slices.

    Args:
        vit: frozen ViT; runs on the device that it is on.
        images: (n, H, W) grey in [0, 1] at any resolution.
        pixel_size: rows' and columns' spacing in mm; sets the aspect ratio at which the ViT reads the slices.
        slice_size: pixels of the longer side at which it reads them.

    Returns:
        (n, C, h, w) float16 on the CPU. The h x w patches tile the slice exactly, corner to corner.
    """
    shape = network_shape(images.shape[1:], pixel_size, slice_size, vit.patch_size)
    tokens = (shape[0] // vit.patch_size) * (shape[1] // vit.patch_size)
    device = vit.cls_token.device
    maps = []
    for chunk in images.split(max(1, TOKENS_AT_ONCE // tokens)):
        resized = resize_slices(chunk[:, None].to(device, torch.float32), shape)
        maps.append(vit.forward_features(resized)[0].to("cpu", torch.float16))
    return torch.cat(maps)


class FeatureCache:
    """Features of every slice of a volume, one float16 `.npy` file per volume and axis, read memory-mapped.

    A file's name is a hash of everything its features depend on, and the file ends in a checksum of itself. A wrong
    file is made again.

    Args:
        folder: where the files are kept.
        vit: frozen ViT.
        slice_size: see `encode_slices`.
    """

    def __init__(self, folder: Path, vit: VisionTransformer, slice_size: int) -> None:
        self.folder = folder
        self.vit = vit.eval()
        self.slice_size = slice_size
        self.weights_key = weights_digest(vit)
        self._bytes: dict[Path, int] = {}  # of its files

    def source(self, volume: TrainingVolume, axis: int) -> Source[NDArray[np.float16]]:
        """A source of the features of a volume's slices along `axis`: from a file while there is room, else computed.

        Raises:
            InputError: see `features`.
        """
        path = self.path(volume.grey, volume.spacing, axis)
        if path not in self._bytes and sum(self._bytes.values()) > MOST_BYTES:
            return partial(self._encoded, volume, axis)
        self.features(volume.grey, volume.spacing, axis)
        self._bytes[path] = path.stat().st_size
        return partial(np.load, path, mmap_mode="r")

    def _encoded(self, volume: TrainingVolume, axis: int) -> NDArray[np.float16]:
        pixel_size = [volume.spacing[side] for side in in_slice_axes(axis)]
        return encode_slices(self.vit, slices_along(volume.grey, axis), pixel_size, self.slice_size).numpy()

    def features(self, volume: Tensor, spacing: Sequence[float], axis: int) -> NDArray[np.float16]:
        """Features (n, C, h, w) of the n slices of a volume (I, J, K), grey in [0, 1], along `axis`.

        Args:
            volume: (I, J, K) grey in [0, 1].
            spacing: voxel size in mm per axis.
            axis: slice axis.

        Returns:
            Read-only memory-mapped float16 array.

        Raises:
            InputError: the disk is full or the folder cannot be written.
        """
        path = self.path(volume, spacing, axis)
        stored = _stored(path, volume.shape[axis])
        if stored is None:
            pixel_size = [spacing[side] for side in in_slice_axes(axis)]
            maps = encode_slices(self.vit, slices_along(volume, axis), pixel_size, self.slice_size)
            buffer = io.BytesIO()
            np.save(buffer, maps.numpy())
            data = buffer.getvalue()
            atomic_write_bytes(path, data + hashlib.sha256(data).digest())
            stored = np.load(path, mmap_mode="r")
        return stored

    def path(self, volume: Tensor, spacing: Sequence[float], axis: int) -> Path:
        """Of the file with the features of a volume."""
        return self.folder / f"{self.key(volume, spacing, axis)}.npy"

    def key(self, volume: Tensor, spacing: Sequence[float], axis: int) -> str:
        """Hash of weights, voxels, spacing, slice size and axis."""
        digest = hashlib.sha256(self.weights_key.encode())
        voxels = volume.detach().cpu().contiguous()
        digest.update(f"{tuple(voxels.shape)} {voxels.dtype} {tuple(spacing)} {self.slice_size} {axis}".encode())
        digest.update(voxels.numpy().data)
        return digest.hexdigest()[:32]


def _stored(path: Path, slices: int) -> NDArray[np.float16] | None:
    """The features of so many slices in a file; None without a file, or with a damaged one, which is told."""
    if not path.exists():
        return None
    if path.is_file() and _is_whole(path):
        try:
            features = np.load(path, mmap_mode="r")
        except (ValueError, EOFError, OSError):
            features = np.empty(0)
        if features.dtype == np.float16 and features.ndim == 4 and len(features) == slices:
            return features
    warnings.warn(Notice(path, "was damaged, or made by an earlier version, and is made again"), stacklevel=2)
    return None


def _is_whole(path: Path) -> bool:
    """Whether the checksum at the end of a file fits the rest."""
    digest, rest = hashlib.sha256(), path.stat().st_size - hashlib.sha256().digest_size
    with path.open("rb") as file:
        while rest > 0 and (chunk := file.read(min(rest, _CHUNK))):
            digest.update(chunk)
            rest -= len(chunk)
        return digest.digest() == file.read()


def weights_digest(vit: VisionTransformer) -> str:
    """SHA-256 of the weights, in hexadecimal."""
    digest = hashlib.sha256(f"{vit.patch_size} {vit.num_heads}".encode())
    for name, tensor in vit.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().data)
    return digest.hexdigest()
