"""What the processes of `test_several_devices.py` do; in a file that they can import."""

import copy
import os
import random
import signal
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.study.setting_sections import TeacherSettings
from USLabelEfficientSegLib.teacher.masked import MaskedAutoencoder, random_order
from USLabelEfficientSegLib.teacher.pretraining import dino_objective
from USLabelEfficientSegLib.teacher.slices import SliceSource
from USLabelEfficientSegLib.teacher.vit import build_vit
from USLabelEfficientSegLib.training.checkpoint import save_checkpoint
from USLabelEfficientSegLib.training.loop import TrainingState, run_training

STEPS = 6


def train(context, *, fails_at=None, killed_at=None, killed_telling_at=None):
    """A network with dropout, its moving average and every kind of randomness; with one device it is only loaded."""
    device, group = context.device, context.group
    torch.manual_seed(1)
    network = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 1)).to(device)
    average = copy.deepcopy(network).requires_grad_(False)
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.01)

    def step_function(step, generator):
        if step == fails_at and group.rank == 1:
            raise RuntimeError("the card fell off the bus\nand more lines")
        if step == killed_telling_at and group.rank == 1:
            raise KilledWhenToldError("the card", "fell off the bus", "put it back")
        if step == killed_at and group.rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        inputs = torch.randn(group.share(8), 5, generator=generator) * random.uniform(0.5, 2.0)
        optimizer.zero_grad()
        loss = (network(inputs) - inputs.sum(dim=1, keepdim=True)).square().mean()
        loss.backward()
        group.average_gradients(network.parameters())
        optimizer.step()
        with torch.no_grad():
            for old, new in zip(average.parameters(), network.parameters(), strict=True):
                old.lerp_(new, 0.1)
        return {"square": loss}

    run_training(
        context,
        steps=STEPS,
        state=TrainingState({"network": network, "average": average}, optimizer),
        step_function=step_function,
        settings={},
        save_every_seconds=0.0,
    )
    return average


class KilledWhenToldError(InputError):
    """Kills its process when it is written for another."""

    def __reduce__(self):
        os.kill(os.getpid(), signal.SIGKILL)
        return InputError, ("", "", "")


def compare(context):
    """Gradients of a share of a fixed batch, and a toy training and two steps of DINO: each process keeps its own."""
    average, group = train(replace(context, cancelled=None)), context.group
    kept = {f"toy {name}": tensor for name, tensor in average.state_dict().items()}
    kept |= masked_gradients(group) | dino_weights(group) | gradients_of_one_share(group)
    save_checkpoint(context.checkpoint_path.parent / f"{group.rank} of {group.size}.safetensors", kept, {})


def masked_gradients(group):
    """Of a masked autoencoder and a fixed batch of four images, of which each process takes its share."""
    torch.manual_seed(2)
    model = MaskedAutoencoder(build_vit("mini", 8, 32), 0.6)
    images, order = torch.rand(4, 1, 32, 32), random_order(4, 16, torch.Generator().manual_seed(0))
    own = slice(group.rank * group.share(4), (group.rank + 1) * group.share(4))
    model(images[own], order[own]).backward()
    group.average_gradients(model.parameters())
    return {f"gradient {name}": parameter.grad for name, parameter in model.named_parameters()}


def gradients_of_one_share(group):
    """Of two parameters: the last process has a gradient of the first one, none has any of the second."""
    first, second = (torch.nn.Parameter(torch.zeros(2)) for _ in range(2))
    if group.rank == group.size - 1:
        (3 * first).sum().backward()
    group.average_gradients([first, second])
    return {"one share": first.grad, "no share": torch.tensor(second.grad is None)}


def dino_weights(group):
    """Of student, teacher and centre after two steps on slices of noise."""
    torch.manual_seed(4)
    settings = TeacherSettings(objective="dino", slice_size=32, batch_size=4, local_crops=1, steps=2)
    source = SliceSource([torch.rand(16, 16, 16)], [(1.0, 1.0, 1.0)], 32)
    objective = dino_objective(build_vit("mini", 8, 32), source, settings, torch.device("cpu"), group)
    for step in range(2):
        seed = 10 * step + group.rank
        torch.manual_seed(seed)
        objective.step_function(step, torch.Generator().manual_seed(seed))
    modules = objective.state.modules.items()
    return {f"dino {name} {key}": tensor for name, module in modules for key, tensor in module.state_dict().items()}


def path_of(folder: Path, rank: int, size: int) -> Path:
    """What a process has kept in `compare`."""
    return folder / f"{rank} of {size}.safetensors"
