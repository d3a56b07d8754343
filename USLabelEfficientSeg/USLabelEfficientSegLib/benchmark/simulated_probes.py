"""Simulated subjects seen again through another probe: the image changes, the anatomy and its labels do not."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

import numpy as np

from ..imaging.scan import LabelMap, Scan
from ..imaging.simulator import simulate_volume
from ..imaging.simulator.anatomy import ORGAN_PLANS

_NAME = re.compile(r"simulated_(\d+)")


def simulated_subject(image: Scan, reference: LabelMap) -> Callable[[str], Scan] | None:
    """The subject of `image` seen through each probe of the simulator; None for an image that is not simulated.

    A simulated volume tells its subject by its name. The subject is checked: its labels, simulated again, must agree
    with `reference` in every voxel.
    """
    found, organs = _NAME.fullmatch(image.name), int(reference.voxels.max())
    if found is None or not 1 <= organs <= len(ORGAN_PLANS):
        return None
    geometry = image.geometry
    simulate = partial(
        simulate_volume,
        int(found[1]),
        shape=geometry.shape,
        spacing=geometry.spacing,
        organ_count=organs,
        direction=geometry.direction,
        origin=geometry.origin,
    )
    if not np.array_equal(simulate().label_map.voxels, reference.voxels):
        return None
    return lambda probe: simulate(probe=probe).volume
