"""Which device "Automatic" takes."""

import torch

from USLabelEfficientSegLib.segmentation.model import choose_device


def test_automatic_never_takes_apples_graphics_card_which_was_not_measured(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)

    assert choose_device("auto") == torch.device("cpu")
    assert choose_device("mps") == torch.device("mps")  # who asks for it has it


def test_automatic_takes_a_cuda_card_if_there_is_one(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)

    assert choose_device("auto").type == "cuda"
