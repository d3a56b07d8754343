from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
import torch
from training_contexts import context_in

from USLabelEfficientSegLib.errors import Cancelled, InputError
from USLabelEfficientSegLib.study.events import read_events
from USLabelEfficientSegLib.study.setting_sections import TeacherSettings
from USLabelEfficientSegLib.teacher import pretraining
from USLabelEfficientSegLib.teacher.pretraining import pretrain_teacher
from USLabelEfficientSegLib.teacher.slices import SliceSource
from USLabelEfficientSegLib.teacher.vit import VisionTransformer

Objective = Literal["masked", "dino"]
OBJECTIVES: list[Objective] = ["masked", "dino"]


@pytest.fixture(autouse=True)
def small_projection_head(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretraining, "DINO_HIDDEN", 64)
    monkeypatch.setattr(pretraining, "DINO_OUTPUTS", 32)


def source() -> SliceSource:
    generator = torch.Generator().manual_seed(0)
    volumes = [torch.rand((12, 10, 8), generator=generator) for _ in range(2)]
    return SliceSource(volumes, [(1.0, 1.0, 1.0)] * 2, slice_size=32, depth_axis=1)


def small_vit() -> VisionTransformer:
    torch.manual_seed(0)
    return VisionTransformer(patch_size=8, embed_dim=32, depth=1, num_heads=2, image_size=32)


def pretrain(
    folder: Path,
    objective: Objective,
    initial_weights: VisionTransformer | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> VisionTransformer:
    folder.mkdir(exist_ok=True)
    settings = TeacherSettings(objective=objective, slice_size=32, steps=4, batch_size=2, local_crops=2)
    context = context_in(folder, "teacher", seed=5, cancelled=cancelled)
    return pretrain_teacher(source(), settings, context, initial_weights=initial_weights or small_vit())


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_interrupted_pretraining_ends_with_the_same_weights(tmp_path: Path, objective: Objective) -> None:
    expected = pretrain(tmp_path / "whole", objective)
    calls = iter(range(100))
    with pytest.raises(Cancelled):
        pretrain(tmp_path / "stopped", objective, cancelled=lambda: next(calls) == 1)
    resumed = pretrain(tmp_path / "stopped", objective)
    for name, value in expected.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_pretraining_changes_the_weights_and_freezes_them(tmp_path: Path, objective: Objective) -> None:
    vit = pretrain(tmp_path, objective)
    start = small_vit().state_dict()
    assert not torch.equal(vit.state_dict()["blocks.0.attn.qkv.weight"], start["blocks.0.attn.qkv.weight"])
    assert not vit.training
    assert not any(parameter.requires_grad for parameter in vit.parameters())
    last = read_events(tmp_path / "events.jsonl")[-1]
    assert (last.stage, last.step, last.of) == ("teacher", 4, 4) and last.losses


def test_architecture_of_the_settings_is_built_without_initial_weights(tmp_path: Path) -> None:
    settings = TeacherSettings(objective="masked", slice_size=32, steps=4, batch_size=2)
    vit = pretrain_teacher(source(), settings, context_in(tmp_path, "teacher"))
    assert (vit.embed_dim, len(vit.blocks), vit.patch_size) == (192, 4, 8)


def test_initial_weights_whose_patches_do_not_tile_the_slices_are_refused(tmp_path: Path) -> None:
    wide = VisionTransformer(patch_size=12, embed_dim=32, depth=1, num_heads=2, image_size=48)
    with pytest.raises(InputError, match="patches of 12 pixels"):
        pretrain(tmp_path, "dino", initial_weights=wide)


def test_other_initial_weights_do_not_continue_a_started_training(tmp_path: Path) -> None:
    pretrain(tmp_path, "dino")
    other = small_vit()
    with torch.no_grad():
        other.cls_token.add_(1)
    with pytest.raises(InputError, match="initial_weights"):
        pretrain(tmp_path, "dino", initial_weights=other)
