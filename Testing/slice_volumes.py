"""Simple volumes for 2-D networks: a ball that some slices label, a rod of which a part is the organ."""

import torch

from USLabelEfficientSegLib.anatomy.targets import SoftTarget
from USLabelEfficientSegLib.slice_network.fine_volume import NEUTRAL, FineVolume
from USLabelEfficientSegLib.slice_network.slices import slices_to_learn

SHAPE = (32, 32, 6)


def ball_volume(seed, labelled=()):
    """A bright ball anywhere in noise, and where it is."""
    draws = torch.Generator().manual_seed(seed)
    centre = torch.rand(2, generator=draws) * 14 + 9
    rows, columns = (torch.arange(n) + 0.5 for n in SHAPE[:2])
    inside = ((rows[:, None] - centre[0]) ** 2 + (columns[None] - centre[1]) ** 2 < 36)[..., None].expand(SHAPE)
    grey = (NEUTRAL + 0.4 * inside + 0.05 * torch.randn(SHAPE, generator=draws)).clamp(0, 1)
    weight = torch.zeros(SHAPE)
    weight[..., list(labelled)] = 1
    classes = torch.stack([~inside, inside]).float()
    target = SoftTarget(classes * weight, weight) if labelled else None
    return FineVolume(f"ball {seed}", (1.0, 1.0, 1.0), grey, torch.ones(SHAPE, dtype=torch.bool), target), inside


def ball_slices():
    return slices_to_learn([ball_volume(0, (2,))[0], ball_volume(1)[0]], 2, 2, 32)


DEEP = (32, 32, 16)
SHOWN = slice(4, 12)  # the organ; beyond it lies something that looks nearly the same


def long_ball(name, *, along=(), across=(), organ=SHOWN):
    """A bright rod through a whole volume, a little dimmer where it is no organ; slices labelled along k and across."""
    draws = torch.Generator().manual_seed(len(name))
    rows, columns = (torch.arange(n) + 0.5 for n in DEEP[:2])
    rod = ((rows[:, None] - 16) ** 2 + (columns[None] - 16) ** 2 < 36)[..., None].expand(DEEP)
    inside = torch.zeros(DEEP, dtype=torch.bool)
    inside[..., organ] = rod[..., organ]
    grey = (NEUTRAL + 0.15 * rod + 0.25 * inside + 0.03 * torch.randn(DEEP, generator=draws)).clamp(0, 1)
    weight = torch.zeros(DEEP)
    weight[..., list(along)] = 1
    weight[list(across)] = 1
    target = SoftTarget(torch.stack([~inside, inside]).float() * weight, weight)
    return FineVolume(name, (1.0, 1.0, 1.0), grey, torch.ones(DEEP, dtype=torch.bool), target), inside
