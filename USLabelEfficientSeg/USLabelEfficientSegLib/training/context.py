"""The context of a training, beside its data and its settings: where, under which name, for whom."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from ..study.events import EventLog
from .group import ALONE, Group
from .seeds import step_generator


@dataclass(frozen=True)
class TrainingContext:
    """The context of one training, from its start to its result, however often it is stopped and resumed.

    Attributes:
        stage: its name in events; its random numbers depend on it.
        checkpoint_path: where its state and its result are kept.
        seed: of weights and samples.
        events: receives progress.
        device: where the network is trained.
        cancelled: asked after every step; None: nobody stops it.
        group: the processes that train the network together.
        identity: JSON that tells what the data are made from, if the training does not tell it itself.
    """

    stage: str
    checkpoint_path: Path
    seed: int
    events: EventLog
    device: torch.device
    cancelled: Callable[[], bool] | None = None
    group: Group = ALONE
    identity: Mapping[str, Any] = field(default_factory=dict)

    @property
    def stream(self) -> str:
        """Name of this process's random numbers."""
        return self.group.stream(self.stage)

    def generator(self, step: int) -> torch.Generator:
        """The generator that `run_training` gives to a step, for who draws samples before it is their turn."""
        return step_generator(self.seed, self.stream, step)

    def elsewhere(self) -> TrainingContext:
        """The same for another process, to which neither listeners nor the wish to stop can be sent."""
        return replace(self, events=EventLog(self.events.path), cancelled=None)
