"""Half precision where it makes a training faster."""

from __future__ import annotations

import torch


def half_precision(device: torch.device, *, on_cpu: bool = False) -> torch.autocast:
    """bfloat16 convolutions and matrix products on CUDA, float32 elsewhere.

    Args:
        device: where the network is.
        on_cpu: bfloat16 also on a CPU that has instructions for it: for steps of a training alone, so that a model
            segments alike on every CPU. Where they were measured, 2-D networks gain: a step of UNeXt takes 0.6 of its
            time. Our 3-D convolutions do not run in it.
    """
    enabled = device.type == "cuda" or (on_cpu and device.type == "cpu" and cpu_has_bfloat16())
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled)


def cpu_has_bfloat16() -> bool:
    """Whether this CPU multiplies bfloat16 itself (AVX-512 BF16); others imitate it, slowly.

    False also where an older torch cannot tell.
    """
    return hasattr(torch.cpu, "get_capabilities") and bool(torch.cpu.get_capabilities().get("avx512_bf16"))
