"""Simulated volumes and their labels as files, as a study is made of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..files import write_label_map, write_volume
from .simulate import SimulatedCase, simulate_volume


def write_case(folder: Path, case: SimulatedCase) -> None:
    """Write a volume into `images` and its dense labels into `labels` of a folder that has both."""
    write_volume(folder / "images" / f"{case.volume.name}.nrrd", case.volume)
    write_label_map(folder / "labels" / f"{case.volume.name}.nrrd", case.label_map)


def simulate_files(folder: Path, seeds: Iterable[int], **how: Any) -> Path:
    """Simulate a volume a seed into `images` and `labels` of a folder, which are made; returns the folder.

    Args:
        folder: for the files.
        seeds: of the subjects.
        how: shape, spacing and what else `simulate_volume` takes.
    """
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        write_case(folder, simulate_volume(seed, **how))
    return folder
