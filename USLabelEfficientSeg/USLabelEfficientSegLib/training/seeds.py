"""Random numbers that depend only on a seed, the name of a training and the number of its step."""

import hashlib

import torch


def step_seed(seed: int, stage: str, step: int) -> int:
    """A 63-bit seed that depends only on its arguments."""
    digest = hashlib.sha256(f"{seed}/{stage}/{step}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def step_generator(seed: int, stage: str, step: int = 0) -> torch.Generator:
    """Random numbers on the CPU that depend on nothing but the arguments."""
    return torch.Generator().manual_seed(step_seed(seed, stage, step))
