import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.training.checkpoint import (
    load_checkpoint,
    optimizer_tensors,
    restore_optimizer,
    save_checkpoint,
)
from USLabelEfficientSegLib.training.checkpoint_header import read_metadata


def test_tensors_and_metadata_come_back_exactly(tmp_path: Path) -> None:
    shared = torch.randn(3, 4)
    tensors = {
        "a": shared,
        "b": shared.T,
        "step": torch.tensor(3.0),
        "half": torch.randn(2).bfloat16(),
        "n": torch.arange(3),
    }
    save_checkpoint(tmp_path / "x.safetensors", tensors, {"organs": ["Prostata größer"], "step": 3})
    found, metadata = load_checkpoint(tmp_path / "x.safetensors")
    assert metadata == {"organs": ["Prostata größer"], "step": 3}
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert torch.equal(found[name], tensor) and found[name].dtype == tensor.dtype


@pytest.mark.parametrize("keep", [0, 5, 60, 0.5, -1])
def test_truncated_file_is_refused(tmp_path: Path, keep: float) -> None:
    path = tmp_path / "x.safetensors"
    save_checkpoint(path, {"a": torch.randn(100)}, {"step": 1})
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep) if isinstance(keep, float) else keep])
    with pytest.raises(InputError, match="damaged"):
        load_checkpoint(path)


def test_foreign_and_missing_files_are_refused(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "foreign.safetensors")
    with pytest.raises(InputError, match="not written by this program"):
        read_metadata(tmp_path / "foreign.safetensors")
    (tmp_path / "pickle.safetensors").write_bytes(b"\x80\x04\x95" * 20)
    with pytest.raises(InputError, match="damaged"):
        load_checkpoint(tmp_path / "pickle.safetensors")
    with pytest.raises(InputError, match="does not exist"):
        load_checkpoint(tmp_path / "missing.safetensors")


@pytest.mark.parametrize(
    "make",
    [
        lambda p: torch.optim.AdamW(p, lr=0.1),
        lambda p: torch.optim.AdamW(p, lr=0.1, fused=True),
        lambda p: torch.optim.Adam(p, lr=0.1, amsgrad=True),
        lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
        lambda p: torch.optim.SGD(p, lr=0.1),
    ],
)
def test_optimizer_continues_exactly_where_it_was(make) -> None:
    def updates(network: nn.Module, optimizer: torch.optim.Optimizer, seeds: range) -> None:
        for seed in seeds:
            images = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
            optimizer.zero_grad()
            network(images).square().mean().backward()
            optimizer.step()

    def untrained() -> nn.Module:
        layers: nn.Module = nn.Sequential(nn.Conv2d(3, 5, 3), nn.Conv2d(5, 2, 3))
        return layers.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    torch.manual_seed(0)
    network = untrained()
    optimizer = make(network.parameters())
    updates(network, optimizer, range(3))
    weights = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    state = {name: tensor.contiguous().clone() for name, tensor in optimizer_tensors(optimizer).items()}
    updates(network, optimizer, range(3, 6))

    resumed = untrained()
    resumed.load_state_dict(weights)
    second = make(resumed.parameters())
    restore_optimizer(second, state)
    updates(resumed, second, range(3, 6))
    for name, tensor in network.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], tensor)


def test_one_flipped_bit_anywhere_is_refused_or_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    tensors = {"weight": torch.arange(40.0).reshape(5, 8), "half": torch.randn(3).bfloat16(), "step": torch.tensor(7)}
    save_checkpoint(path, tensors, {"organs": ["prostate"], "scale": 0.25, "more": {"a": [1, 2]}})
    data, refused = path.read_bytes(), 0
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        try:
            found, metadata = load_checkpoint(path)
        except InputError:
            refused += 1
            continue
        # Only the names of the checksum's own fields can change unnoticed: the file then is as one without.
        assert all(torch.equal(found[name], tensor) for name, tensor in tensors.items()), bit
        assert {key: metadata[key] for key in ("organs", "scale", "more")} == {
            "organs": ["prostate"], "scale": 0.25, "more": {"a": [1, 2]},
        }, bit  # fmt: skip
    assert refused > 0.9 * 8 * len(data)


def test_a_checkpoint_of_an_earlier_version_has_no_checksum_and_is_read(tmp_path: Path) -> None:
    save_file({"a": torch.ones(2)}, tmp_path / "x.safetensors", {"uslabelseg": '{"step": 3}'})
    tensors, metadata = load_checkpoint(tmp_path / "x.safetensors")
    assert metadata == {"step": 3} and torch.equal(tensors["a"], torch.ones(2))


@pytest.mark.parametrize("text", ["{", "[]", '{"a": NaN}', '{"a": 1e999}', "[" * 100_000, "3", "\ud800"])
def test_a_description_that_is_no_json_object_is_refused(tmp_path: Path, text: str) -> None:
    header = json.dumps({"__metadata__": {"uslabelseg": text}}).encode()
    (tmp_path / "x.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(InputError, match=r"is damaged|holds no description"):
        load_checkpoint(tmp_path / "x.safetensors")


@pytest.mark.parametrize(
    "header",
    [
        {"a": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}},
        {"a": {"dtype": "F32", "shape": [2**63, 2**63], "data_offsets": [0, 4]}},
        {"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}},
        {"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 0]}},
        {"a": {"dtype": "F99", "shape": [1], "data_offsets": [0, 4]}},
        {name: {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]} for name in ("a", "b")},
    ],
)  # fmt: skip
def test_tensors_that_do_not_fill_the_file_are_refused(tmp_path: Path, header: dict) -> None:
    text = json.dumps({"__metadata__": {"uslabelseg": "{}"}, **header}).encode()
    (tmp_path / "x.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + b"\0" * 4)
    with pytest.raises(InputError, match="is damaged"):
        load_checkpoint(tmp_path / "x.safetensors")


def test_a_header_longer_than_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes((2**62).to_bytes(8, "little") + b"{}")
    with pytest.raises(InputError, match="is damaged"):
        load_checkpoint(tmp_path / "x.safetensors")


def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.safetensors")
    for path in (tmp_path, tmp_path / "pipe.safetensors"):
        with pytest.raises(InputError, match="is damaged"):
            read_metadata(path)
