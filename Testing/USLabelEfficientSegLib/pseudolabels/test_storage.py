import pytest
import torch

from USLabelEfficientSegLib.errors import InputError, Notice
from USLabelEfficientSegLib.pseudolabels import storage
from USLabelEfficientSegLib.pseudolabels.fusion import FusedPrediction
from USLabelEfficientSegLib.pseudolabels.storage import stored_prediction
from USLabelEfficientSegLib.training.checkpoint import load_checkpoint, save_checkpoint


class Maker:
    """Makes another prediction each time, and counts."""

    def __init__(self):
        self.calls = 0

    def __call__(self):
        self.calls += 1
        generator = torch.Generator().manual_seed(self.calls)
        probability = torch.rand(3, 6, 5, 4, generator=generator).softmax(dim=0)
        deviation = torch.rand(6, 5, 4, generator=generator) / 3
        return FusedPrediction(probability, deviation, 1 - deviation)


def same(a, b):
    return all(torch.equal(getattr(a, name), getattr(b, name)) for name in ("probability", "deviation", "weight"))


def test_a_prediction_is_made_once_and_a_resumed_run_sees_the_same_numbers(tmp_path):
    maker, path = Maker(), tmp_path / "pseudo_labels" / "a.safetensors"

    first = stored_prediction(path, "data", maker)
    second = stored_prediction(path, "data", maker)

    assert maker.calls == 1
    assert same(first, second)
    assert first.probability.dtype == torch.float32
    torch.testing.assert_close(first.probability, Maker()().probability, atol=5e-4, rtol=0)  # half precision
    torch.testing.assert_close(first.weight, Maker()().weight, atol=5e-4, rtol=0)


def test_a_prediction_from_other_data_is_made_anew(tmp_path):
    maker, path = Maker(), tmp_path / "a.safetensors"
    old = stored_prediction(path, "data", maker)

    new = stored_prediction(path, "other labels", maker)

    assert maker.calls == 2 and not same(old, new)
    assert same(stored_prediction(path, "other labels", maker), new)
    assert maker.calls == 2


@pytest.mark.parametrize("keep", [0, 20, -3])
def test_a_damaged_file_is_only_a_cache_and_made_anew(tmp_path, keep):
    maker, path = Maker(), tmp_path / "a.safetensors"
    stored_prediction(path, "data", maker)
    path.write_bytes(path.read_bytes()[:keep])

    with pytest.warns(Notice, match="was damaged and is made again"):
        again = stored_prediction(path, "data", maker)

    assert maker.calls == 2
    assert same(stored_prediction(path, "data", maker), again) and maker.calls == 2


def test_a_failure_to_predict_leaves_nothing_behind(tmp_path):
    def fail():
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError):
        stored_prediction(tmp_path / "a.safetensors", "data", fail)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_and_not_taken_for_a_damaged_cache(tmp_path, monkeypatch):
    def full(path, *arguments):
        raise InputError(path, "the disk is full", "free some space and start again")

    monkeypatch.setattr(storage, "save_checkpoint", full)
    with pytest.raises(InputError, match="disk is full"):
        stored_prediction(tmp_path / "a.safetensors", "data", Maker())


@pytest.mark.parametrize("change", ["more", "fewer", "shape", "nan"])
def test_a_file_that_says_it_is_of_these_data_but_does_not_fit_is_made_anew(tmp_path, change):
    maker, path = Maker(), tmp_path / "a.safetensors"
    stored_prediction(path, "data", maker)
    tensors, metadata = load_checkpoint(path)
    if change == "more":
        tensors["extra"] = torch.zeros(1)
    elif change == "fewer":
        del tensors["weight"]
    elif change == "shape":
        tensors = {name: tensor[..., :2].clone() for name, tensor in tensors.items()}
    else:
        tensors["weight"][0] = torch.nan
    save_checkpoint(path, tensors, metadata)

    again = stored_prediction(path, "data", maker, (3, 6, 5, 4))

    assert maker.calls == 2 and again.probability.shape == (3, 6, 5, 4) and again.weight.isfinite().all()
