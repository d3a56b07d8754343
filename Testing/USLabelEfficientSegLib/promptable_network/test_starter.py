"""The starter weights that come with the program, and how they are stored."""

import numpy as np
import pytest
import torch

from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.promptable_network.network import CHANNELS, CUBE, PromptableNetwork
from USLabelEfficientSegLib.promptable_network.starter import STARTER, load_starter
from USLabelEfficientSegLib.training.checkpoint import load_checkpoint, save_checkpoint
from USLabelEfficientSegLib.training.starter_files import save_starter


def test_the_weights_are_small_and_say_how_they_were_made():
    _, metadata = load_checkpoint(STARTER)

    assert STARTER.stat().st_size < 12e6
    assert {"steps", "seed", "trained on"} <= metadata["starter"].keys()


def test_weights_in_half_precision_give_the_same_answer_within_its_rounding(tmp_path):
    torch.manual_seed(0)
    network = PromptableNetwork().eval()
    save_starter(tmp_path / "weights.safetensors", network, {})
    inputs = torch.randn(1, len(CHANNELS), CUBE, CUBE, CUBE)

    with torch.inference_mode():
        np.testing.assert_allclose(load_starter(tmp_path / "weights.safetensors")(inputs), network(inputs), atol=0.02)


def test_other_files_and_newer_ones_are_refused(tmp_path):
    save_checkpoint(tmp_path / "other.safetensors", {"weight": torch.zeros(2)}, {"model": {}})
    save_checkpoint(tmp_path / "newer.safetensors", {"weight": torch.zeros(2)}, {"starter": {"format": 99}})

    with pytest.raises(InputError, match="holds no starter weights"):
        load_starter(tmp_path / "other.safetensors")
    with pytest.raises(InputError, match="newer version"):
        load_starter(tmp_path / "newer.safetensors")
