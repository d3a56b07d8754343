import argparse
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.teacher.checkpoints import load_vit, save_vit
from USLabelEfficientSegLib.teacher.vit import VisionTransformer


@pytest.fixture
def vit() -> VisionTransformer:
    torch.manual_seed(0)
    return VisionTransformer(patch_size=16, embed_dim=128, depth=2, num_heads=2, image_size=64).eval()


def same_features(first: VisionTransformer, second: VisionTransformer) -> bool:
    images = torch.rand(1, 1, 64, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return torch.equal(first.forward_features(images)[0], second.forward_features(images)[0])


def with_prefix(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {prefix + name: value for name, value in state.items()}


def test_full_dino_training_file_gives_its_teacher(tmp_path: Path, vit: VisionTransformer) -> None:
    teacher = with_prefix(vit.state_dict(), "backbone.") | {"head.mlp.0.weight": torch.zeros(3, 128)}
    student = with_prefix({name: value + 1 for name, value in vit.state_dict().items()}, "module.backbone.")
    content = {
        "student": student,
        "teacher": teacher,
        "optimizer": {"state": {}, "param_groups": [{"lr": 0.1}]},
        "epoch": 100,
        "args": argparse.Namespace(arch="vit_small", patch_size=16),
        "dino_loss": {"center": torch.zeros(1, 4)},
    }
    path = tmp_path / "checkpoint.pth"
    torch.save(content, path)
    assert same_features(load_vit(path), vit)
    assert argparse.Namespace not in torch.serialization.get_safe_globals()


@pytest.mark.parametrize("prefix", ["", "module.", "module.backbone."])
def test_bare_backbone_loads_with_and_without_prefix(tmp_path: Path, vit: VisionTransformer, prefix: str) -> None:
    path = tmp_path / "backbone.pth"
    torch.save(with_prefix(vit.state_dict(), prefix), path)
    loaded = load_vit(path)
    assert (loaded.patch_size, loaded.embed_dim, len(loaded.blocks), loaded.num_heads) == (16, 128, 2, 2)
    assert same_features(loaded, vit)


def test_saved_teacher_is_read_back(tmp_path: Path, vit: VisionTransformer) -> None:
    save_vit(tmp_path / "teacher.safetensors", vit)
    assert same_features(load_vit(tmp_path / "teacher.safetensors"), vit)


class Malicious:
    """Creates a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, tuple[str, str]]:
        return open, (str(self.target), "w")


def test_malicious_pickle_is_refused_without_being_executed(tmp_path: Path) -> None:
    target = tmp_path / "executed"
    torch.save({"teacher": Malicious(target)}, tmp_path / "zipped.pth")
    (tmp_path / "plain.pth").write_bytes(pickle.dumps({"teacher": Malicious(target)}, protocol=2))
    for name in ("zipped.pth", "plain.pth"):
        with pytest.raises(InputError, match=name):
            load_vit(tmp_path / name)
    assert not target.exists()


def break_nothing_but(vit: VisionTransformer, **changes: Tensor | None) -> dict[str, Tensor]:
    state = {**vit.state_dict(), **{name.replace("__", "."): value for name, value in changes.items()}}
    return {name: value for name, value in state.items() if value is not None}


def test_content_of_another_kind_is_refused_with_one_sentence(tmp_path: Path, vit: VisionTransformer) -> None:
    not_finite = vit.state_dict()["norm.weight"] * float("nan")
    contents: dict[str, Any] = {
        "number.pth": 3,
        "list.pth": {"teacher": [1, 2]},
        "empty.pth": {},
        "network.pth": {"conv.weight": torch.zeros(3, 3, 3, 3)},
        "missing.pth": break_nothing_but(vit, blocks__1__attn__qkv__weight=None),
        "not_finite.pth": break_nothing_but(vit, norm__weight=not_finite),
        "positions.pth": break_nothing_but(vit, pos_embed=torch.zeros(1, 12, 128)),
    }
    for name, content in contents.items():
        torch.save(content, tmp_path / name)
        with pytest.raises(InputError, match=name) as refusal:
            load_vit(tmp_path / name)
        assert str(refusal.value).count(";") == 1 and "\n" not in str(refusal.value)


def test_missing_truncated_and_foreign_files_are_refused(tmp_path: Path, vit: VisionTransformer) -> None:
    save_file(vit.state_dict(), tmp_path / "whole.safetensors")
    torch.save(vit.state_dict(), tmp_path / "whole.pth")
    for suffix in (".safetensors", ".pth"):
        data = (tmp_path / f"whole{suffix}").read_bytes()
        (tmp_path / f"truncated{suffix}").write_bytes(data[: len(data) // 2])
        (tmp_path / f"foreign{suffix}").write_bytes(b"not weights at all")
        (tmp_path / f"empty{suffix}").write_bytes(b"")
        for name in ("missing", "truncated", "foreign", "empty"):
            with pytest.raises(InputError, match=name + suffix):
                load_vit(tmp_path / f"{name}{suffix}")
