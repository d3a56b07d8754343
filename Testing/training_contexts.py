"""The context of a training in a folder, for tests of trainings."""

import torch

from USLabelEfficientSegLib.study.events import EventLog
from USLabelEfficientSegLib.training.context import TrainingContext

CPU = torch.device("cpu")


def context_in(folder, stage="toy", seed=0, device=CPU, **more):
    """Of a stage whose checkpoint and events lie in `folder`."""
    return TrainingContext(
        stage, folder / f"{stage}.safetensors", seed, EventLog(folder / "events.jsonl"), device, **more
    )
