import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from USLabelEfficientSegLib.divergence.swin_unet import SwinUnet
from USLabelEfficientSegLib.divergence.swin_weights import load_swin_weights
from USLabelEfficientSegLib.errors import InputError

WIDTH, WINDOW = 32, 7


def swin_checkpoint(depths=(2, 2, 6, 2)):
    """Tensors under the names of the Swin repository, of a narrow network; each a different constant."""
    state = {"patch_embed.proj.weight": (WIDTH, 3, 4, 4), "patch_embed.proj.bias": (WIDTH,), "head.weight": (10, 8)}
    state |= {f"patch_embed.norm.{name}": (WIDTH,) for name in ("weight", "bias")}
    state |= {f"norm.{name}": (8 * WIDTH,) for name in ("weight", "bias")}
    for level, depth in enumerate(depths):
        width = WIDTH * 2**level
        for block in range(depth):
            beginning = f"layers.{level}.blocks.{block}."
            for norm in ("norm1", "norm2"):
                state |= {f"{beginning}{norm}.{name}": (width,) for name in ("weight", "bias")}
            for layer, out, into in (
                ("attn.qkv", 3 * width, width),
                ("attn.proj", width, width),
                ("mlp.fc1", 4 * width, width),
                ("mlp.fc2", width, 4 * width),
            ):
                state |= {f"{beginning}{layer}.weight": (out, into), f"{beginning}{layer}.bias": (out,)}
            state[f"{beginning}attn.relative_position_bias_table"] = ((2 * WINDOW - 1) ** 2, width // 32)
        if level < 3:
            state[f"layers.{level}.downsample.reduction.weight"] = (2 * width, 4 * width)
            state |= {f"layers.{level}.downsample.norm.{name}": (4 * width,) for name in ("weight", "bias")}
    return {name: torch.full(shape, 0.001 * number) for number, (name, shape) in enumerate(state.items())}


@pytest.fixture
def network():
    return SwinUnet(2, width=WIDTH)


def test_encoder_and_decoder_are_filled_from_a_checkpoint_of_the_swin_repository(tmp_path, network):
    content = swin_checkpoint()
    torch.save({"model": content}, tmp_path / "swin.pth")

    load_swin_weights(network, tmp_path / "swin.pth")

    assert torch.equal(network.embedding.weight, content["patch_embed.proj.weight"])
    for level in range(4):
        fc1 = content[f"layers.{level}.blocks.1.mlp.fc1.weight"]
        assert torch.equal(network.encoder[level].blocks[1].mlp.linear1.weight, fc1)
        if level < 3:
            assert torch.equal(network.decoder[2 - level].blocks[1].mlp.linear1.weight, fc1)
            reduction = content[f"layers.{level}.downsample.reduction.weight"]
            assert torch.equal(network.merging[level].reduction.weight, reduction)
    table = content["layers.3.blocks.0.attn.relative_position_bias_table"]
    assert torch.equal(network.encoder[3].blocks[0].attn.relative_position_bias_table, table)


def test_safetensors_are_read_as_well(tmp_path, network):
    content = swin_checkpoint()
    save_file(content, tmp_path / "swin.safetensors")

    load_swin_weights(network, tmp_path / "swin.safetensors")

    assert torch.equal(network.norm.weight, content["norm.weight"])


def without(name):
    return {key: value for key, value in swin_checkpoint().items() if key != name}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ({"weights": torch.zeros(3)}, "does not fit"),
        (without("layers.2.blocks.1.norm2.weight"), "encoder.2.blocks.1.norm2.weight"),
        (swin_checkpoint() | {"norm.bias": torch.zeros(7)}, "norm.bias"),
        ([1, 2], "holds no Swin weights"),
    ],
)
def test_other_weights_are_refused_and_change_nothing(tmp_path, network, content, problem):
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    torch.save(content, tmp_path / "wrong.pth")

    with pytest.raises(InputError, match=problem):
        load_swin_weights(network, tmp_path / "wrong.pth")

    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_code_in_a_file_is_not_run_and_a_missing_file_is_named(tmp_path: Path, network):
    (tmp_path / "evil.pth").write_bytes(pickle.dumps({"model": Path("x")}, protocol=2))

    with pytest.raises(InputError, match=r"evil\.pth"):
        load_swin_weights(network, tmp_path / "evil.pth")
    with pytest.raises(InputError, match="there is no such weights file"):
        load_swin_weights(network, tmp_path / "missing.pth")
