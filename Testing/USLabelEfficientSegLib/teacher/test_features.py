import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
import torch

from USLabelEfficientSegLib.anatomy.training_volumes import TrainingVolume
from USLabelEfficientSegLib.errors import InputError, Notice
from USLabelEfficientSegLib.teacher import features as features_module
from USLabelEfficientSegLib.teacher.features import FeatureCache, encode_slices, weights_digest
from USLabelEfficientSegLib.teacher.vit import VisionTransformer

SPACING = (1.0, 1.0, 2.0)


@pytest.fixture
def vit() -> VisionTransformer:
    torch.manual_seed(0)
    return VisionTransformer(patch_size=8, embed_dim=32, depth=1, num_heads=2, image_size=32).eval()


@pytest.fixture
def volume() -> torch.Tensor:
    return torch.rand(20, 16, 6, generator=torch.Generator().manual_seed(0))


def test_features_of_every_slice_along_each_axis(tmp_path: Path, vit: VisionTransformer, volume: torch.Tensor) -> None:
    cache = FeatureCache(tmp_path, vit, slice_size=32)
    shapes = [cache.features(volume, SPACING, axis).shape for axis in range(3)]
    # In-slice extents in mm: 16 x 12, 20 x 12, 20 x 16; the longer side is four patches.
    assert shapes == [(20, 32, 4, 3), (16, 32, 4, 2), (6, 32, 4, 3)]


def test_slices_are_encoded_one_by_one_whatever_the_chunks(
    vit: VisionTransformer, volume: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = volume.movedim(2, 0)
    together = encode_slices(vit, images, (1.0, 1.0), 32)
    monkeypatch.setattr(features_module, "TOKENS_AT_ONCE", 1)
    torch.testing.assert_close(encode_slices(vit, images, (1.0, 1.0), 32), together, rtol=1e-2, atol=1e-2)


def test_second_request_reads_the_file_without_running_the_network(
    tmp_path: Path, vit: VisionTransformer, volume: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = np.array(FeatureCache(tmp_path, vit, 32).features(volume, SPACING, 0))
    monkeypatch.delattr(VisionTransformer, "forward_features")
    again = FeatureCache(tmp_path, vit, 32).features(volume, SPACING, 0)
    assert isinstance(again, np.memmap) and again.dtype == np.float16
    np.testing.assert_array_equal(first, again)


def test_volumes_whose_features_are_on_the_disk_are_read_from_there_however_often_they_are_asked_for(
    tmp_path: Path, vit: VisionTransformer, volume: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = (
        TrainingVolume.of(f"{seed}", SPACING, volume.roll(seed), torch.zeros(2, *volume.shape), volume > 0, None)
        for seed in range(3)
    )
    cache = FeatureCache(tmp_path, vit, 32)
    size = 6 * 32 * 4 * 3 * 2
    monkeypatch.setattr(features_module, "MOST_BYTES", 1.5 * size)

    rounds = [[cache.source(one, 2)() for one in (first, second, third)] for _ in range(3)]

    assert all([isinstance(found, np.memmap) for found in of_round] == [True, True, False] for of_round in rounds)
    for found, one in zip(rounds[-1], (first, second, third), strict=True):
        np.testing.assert_array_equal(found, FeatureCache(tmp_path / "other", vit, 32).features(one.grey, SPACING, 2))


def test_key_depends_on_weights_voxels_size_and_axis(
    tmp_path: Path, vit: VisionTransformer, volume: torch.Tensor
) -> None:
    cache = FeatureCache(tmp_path, vit, 32)
    keys = {
        cache.key(volume, SPACING, 0),
        cache.key(volume, SPACING, 1),
        cache.key(volume, (1.0, 1.0, 1.0), 0),
        cache.key(volume + 0.01, SPACING, 0),
        FeatureCache(tmp_path, vit, 64).key(volume, SPACING, 0),
    }
    with torch.no_grad():
        vit.cls_token.add_(1)
    keys.add(FeatureCache(tmp_path, vit, 32).key(volume, SPACING, 0))
    assert len(keys) == 6


def test_weights_digest_is_that_of_an_equal_network(vit: VisionTransformer) -> None:
    torch.manual_seed(0)
    same = VisionTransformer(patch_size=8, embed_dim=32, depth=1, num_heads=2, image_size=32)
    assert weights_digest(same) == weights_digest(vit)


def test_full_disk_is_told_and_leaves_nothing_behind(
    tmp_path: Path, vit: VisionTransformer, volume: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.write", no_space)
    with pytest.raises(InputError, match="disk is full"):
        FeatureCache(tmp_path, vit, 32).features(volume, SPACING, 2)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", ["bit", "cut", "empty", "text", "objects", "other", "folder"])
def test_damaged_features_are_made_again_and_told(
    tmp_path: Path, vit: VisionTransformer, volume: torch.Tensor, damage: str
) -> None:
    cache = FeatureCache(tmp_path, vit, 32)
    right = np.array(cache.features(volume, SPACING, 2))
    (path,) = tmp_path.iterdir()
    data = bytearray(path.read_bytes())
    if damage == "bit":
        data[200] ^= 1
    elif damage == "objects":
        stream = io.BytesIO()
        np.save(stream, np.array([{}], dtype=object), allow_pickle=True)
        data = bytearray(stream.getvalue() + hashlib.sha256(stream.getvalue()).digest())
    elif damage == "other":
        stream = io.BytesIO()
        np.save(stream, right[:3])
        data = bytearray(stream.getvalue() + hashlib.sha256(stream.getvalue()).digest())
    stored: dict[str, bytes | bytearray] = {"cut": data[:-5], "empty": b"", "text": b"no array"}
    path.write_bytes(stored.get(damage, data))
    if damage == "folder":
        path.unlink()
        path.mkdir()
        with pytest.warns(Notice), pytest.raises(OSError):
            cache.features(volume, SPACING, 2)
        return

    with pytest.warns(Notice, match="is made again"):
        again = cache.features(volume, SPACING, 2)

    np.testing.assert_array_equal(again, right)
    np.testing.assert_array_equal(cache.features(volume, SPACING, 2), right)
