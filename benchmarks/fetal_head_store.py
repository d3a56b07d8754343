"""Where `fetal_head.py` keeps what is finished: a network and tables for each training, so that a killed run goes on.

    OUTPUT/settings.json            what all trainings have in common
    OUTPUT/networks/NAME.safetensors
    OUTPUT/cases/NAME.csv           a line for each held-out image
    OUTPUT/degraded/NAME.csv        a line for each held-out image, degradation and strength

Every training has files of its own: processes that share OUTPUT do not disturb each other while their methods,
fractions or seeds differ.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from torch import nn

from USLabelEfficientSegLib.disk.files import atomic_write_csv, atomic_write_json
from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.training.checkpoint import load_checkpoint, save_checkpoint
from USLabelEfficientSegLib.training.checkpoint_header import read_metadata

Row = TypeVar("Row")


@dataclass(frozen=True)
class Training:
    """One training of the table and its files.

    Attributes:
        output: the folder of all.
        part: "validation" or "test", the images that are held out.
        method, fraction, seed: what is trained, and with which labels.
    """

    output: Path
    part: str
    method: str
    fraction: float
    seed: int

    @property
    def network(self) -> Path:
        """Its weights."""
        return self.output / "networks" / f"{self._name}.safetensors"

    @property
    def cases(self) -> Path:
        """Its results on the held-out images."""
        return self.output / "cases" / f"{self._name}.csv"

    @property
    def degraded(self) -> Path:
        """Its results on the held-out images as cheaper probes see them."""
        return self.output / "degraded" / f"{self._name}.csv"

    @property
    def _name(self) -> str:
        return f"{self.part}-{self.method.replace(' ', '-')}-{self.fraction:g}-seed-{self.seed}"


def check_settings(output: Path, settings: Mapping[str, Any]) -> None:
    """Keep the settings that all trainings of a folder share, or find that it has the same ones.

    Raises:
        InputError: the folder's trainings have others.
    """
    path = output / "settings.json"
    if path.exists():
        _check_same(path, json.loads(path.read_text(encoding="utf-8")), settings)
    else:
        atomic_write_json(path, settings)


def is_trained(training: Training, settings: Mapping[str, Any]) -> bool:
    """Whether the network is there. Raises `InputError` if it was trained with other settings."""
    if not training.network.exists():
        return False
    _check_same(training.network, read_metadata(training.network)["settings"], settings)
    return True


def save_network(training: Training, network: nn.Module, settings: Mapping[str, Any], **about: object) -> None:
    """Keep a trained network with its settings and what else there is to tell about it."""
    save_checkpoint(training.network, network.state_dict(), {"settings": settings, **about})


def load_network(training: Training, network: nn.Module) -> dict[str, Any]:
    """Put the kept weights into a network and return what was told about them."""
    tensors, about = load_checkpoint(training.network)
    network.load_state_dict(tensors)
    return about


def write_rows(path: Path, rows: Sequence[Any]) -> None:
    """A table of dataclasses of one kind, whole or not at all."""
    cells = [asdict(row) for row in rows]
    atomic_write_csv(path, [list(cells[0]), *(list(row.values()) for row in cells)])


def read_rows(kind: type[Row], paths: Sequence[Path]) -> list[Row]:
    """The rows of tables that `write_rows` wrote, one table after the other."""
    types = get_type_hints(kind)
    rows = []
    for path in paths:
        with path.open(newline="", encoding="utf-8") as file:
            rows += [kind(**{name: types[name](cell) for name, cell in row.items()}) for row in csv.DictReader(file)]
    return rows


def _check_same(path: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    differing = [
        f"{name} = {old.get(name)} (now {new.get(name)})"
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]
    if differing:
        raise InputError(path, f"belongs to trainings with {', '.join(differing)}", "choose another --output")
