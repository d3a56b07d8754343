from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.study.checkpoint import (
    load_checkpoint,
    optimizer_tensors,
    restore_optimizer,
    save_checkpoint,
)
from USLabelEfficientSegLib.study.checkpoint_header import read_metadata


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
)  # type: ignore[no-untyped-def]
def test_optimizer_continues_exactly_where_it_was(make) -> None:
    def updates(network: nn.Module, optimizer: torch.optim.Optimizer, seeds: range) -> None:
        for seed in seeds:
            images = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
            optimizer.zero_grad()
            network(images).square().mean().backward()
            optimizer.step()

    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 5, 3), nn.Conv2d(5, 2, 3)).to(memory_format=torch.channels_last)
    optimizer = make(network.parameters())
    updates(network, optimizer, range(3))
    weights = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    state = {name: tensor.contiguous().clone() for name, tensor in optimizer_tensors(optimizer).items()}
    updates(network, optimizer, range(3, 6))

    resumed = nn.Sequential(nn.Conv2d(3, 5, 3), nn.Conv2d(5, 2, 3)).to(memory_format=torch.channels_last)
    resumed.load_state_dict(weights)
    second = make(resumed.parameters())
    restore_optimizer(second, state)
    updates(resumed, second, range(3, 6))
    for name, tensor in network.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], tensor)
