"""Stage 1: the teacher learns from slices without labels, by DINO or by masked-image modelling.

Both train the same ViT and can be stopped and resumed at any step.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import InputError
from ..study.setting_sections import TeacherSettings
from ..training.context import TrainingContext
from ..training.group import ALONE, Group
from ..training.loop import StepFunction, TrainingState, load_modules, run_training
from ..training.moving_average import average_parameters
from ..training.optimizers import adam_w
from ..training.precision import half_precision
from ..training.schedules import warmup_cosine
from .augmentation import MultiCrop, gain_and_contrast, random_resized_crop
from .dino import DinoHead, DinoLoss, teacher_momentum, teacher_temperature
from .features import weights_digest
from .masked import MaskedAutoencoder, random_order
from .slices import SliceSource
from .vit import VisionTransformer, build_vit

DINO_OUTPUTS = 4096  # the paper's 65,536 is for a million photographs
DINO_HIDDEN = 2048
DINO_CLIP = 3.0
MASK_RATIO = 0.6
MASKED_AREA = (0.3, 1.0)


@dataclass(frozen=True)
class Objective:
    """A trainable objective: what training changes, one step of it, and the ViT that it yields."""

    state: TrainingState
    step_function: StepFunction
    vit: VisionTransformer


def pretrain_teacher(
    source: SliceSource,
    settings: TeacherSettings,
    context: TrainingContext,
    *,
    initial_weights: VisionTransformer | None = None,
    start: Path | None = None,
) -> VisionTransformer:
    """Train the teacher on the slices of `source`.

    Args:
        source: the unlabelled slices.
        settings: objective, architecture, steps, ...
        context: of the training.
        initial_weights: start from this ViT (its architecture replaces that of the settings).
        start: checkpoint of an earlier training of the same teacher, on fewer volumes, to start from.

    Returns:
        The frozen ViT in evaluation mode, on the context's device.

    Raises:
        InputError: `slice_size` is no multiple of the patch size of the initial weights; see `run_training`.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(context.seed)
        vit = initial_weights or build_vit(settings.architecture, settings.patch_size, settings.slice_size)
        check_patches(vit, settings)
        make = masked_objective if settings.objective == "masked" else dino_objective
        trained = copy.deepcopy(vit).train().requires_grad_(True)
        objective = make(trained, source, settings, context.device, context.group)
    if start is not None:
        load_modules(start, objective.state.modules)
    run_training(
        context,
        steps=settings.steps,
        state=objective.state,
        step_function=objective.step_function,
        settings={
            **settings.model_dump(mode="json"),
            "initial_weights": weights_digest(objective.vit),
            "slices": source.digest(),
        },
        learning_rate=lambda step: warmup_cosine(
            step, settings.steps, settings.learning_rate, warmup=settings.steps // 10
        ),
    )
    return objective.vit.eval().requires_grad_(False)


def check_patches(vit: VisionTransformer, settings: TeacherSettings) -> None:
    """Raise `InputError` unless the patches of `vit` tile the slices of `settings`."""
    if settings.slice_size % vit.patch_size:
        raise InputError(
            "teacher weights",
            f"have patches of {vit.patch_size} pixels, which do not tile slices of {settings.slice_size}",
            f"make teacher.slice_size a multiple of {vit.patch_size}",
        )


def masked_objective(
    vit: VisionTransformer, source: SliceSource, settings: TeacherSettings, device: torch.device, group: Group = ALONE
) -> Objective:
    """Masked-image modelling of random crops, see `MaskedAutoencoder`."""
    model = MaskedAutoencoder(vit, MASK_RATIO).to(device)
    optimizer = teacher_optimizer(model.parameters(), settings)
    patches = (settings.slice_size // vit.patch_size) ** 2

    def step_function(step: int, generator: torch.Generator) -> dict[str, Tensor]:
        batch = source.draw(group.share(settings.batch_size), generator)
        crops = random_resized_crop(batch, settings.slice_size, MASKED_AREA, generator)
        images = gain_and_contrast(crops, generator).clamp(0, 1)
        order = random_order(len(images), patches, generator)
        with half_precision(device):
            loss = model(images.to(device), order.to(device))
        optimizer.zero_grad()
        loss.backward()
        group.average_gradients(model.parameters())
        optimizer.step()
        return {"reconstruction": loss}

    return Objective(TrainingState({"model": model}, optimizer), step_function, vit)


def dino_objective(
    vit: VisionTransformer, source: SliceSource, settings: TeacherSettings, device: torch.device, group: Group = ALONE
) -> Objective:
    """DINO: the outputs of all crops match a moving average of the network, which is the result."""
    head = DinoHead(vit.embed_dim, DINO_OUTPUTS, DINO_HIDDEN)
    slow_vit = copy.deepcopy(vit)
    student = nn.Sequential(vit, head).to(device)
    teacher = nn.Sequential(slow_vit, copy.deepcopy(head)).to(device).requires_grad_(False)
    loss_function = DinoLoss(DINO_OUTPUTS).to(device)
    optimizer = teacher_optimizer(student.parameters(), settings)
    local_size = max(1, round(0.4 * settings.slice_size / vit.patch_size)) * vit.patch_size
    multi_crop = MultiCrop(settings.slice_size, local_size, settings.local_crops)
    # 0.996 averages the last 250 steps, which is all of a short training.
    momentum_start = min(0.996, 1 - 20 / max(settings.steps, 40))

    def outputs(network: nn.Module, crops: Tensor) -> Tensor:
        with half_precision(device):
            scores = network(crops.flatten(0, 1).to(device))
        return scores.float().unflatten(0, crops.shape[:2])

    def step_function(step: int, generator: torch.Generator) -> dict[str, Tensor]:
        large, small = multi_crop(source.draw(group.share(settings.batch_size), generator), generator)
        with torch.no_grad():
            teacher_outputs = outputs(teacher, large)
        student_outputs = outputs(student, large)
        if len(small):
            student_outputs = torch.cat([student_outputs, outputs(student, small)])
        loss = loss_function(teacher_outputs, student_outputs, teacher_temperature(step, settings.steps))
        optimizer.zero_grad()
        loss.backward()
        group.average_gradients(student.parameters())
        group.average([loss_function.center])  # it is linear in the teacher's outputs
        nn.utils.clip_grad_norm_(student.parameters(), DINO_CLIP)
        optimizer.step()
        average_parameters(teacher, student, teacher_momentum(step, settings.steps, momentum_start))
        return {"distillation": loss}

    state = TrainingState({"student": student, "teacher": teacher, "loss": loss_function}, optimizer)
    return Objective(state, step_function, slow_vit)


def teacher_optimizer(parameters: Iterable[nn.Parameter], settings: TeacherSettings) -> torch.optim.AdamW:
    """AdamW that decays matrices and kernels but not biases and norms."""
    every = list(parameters)
    groups: list[dict[str, Any]] = [
        {"params": [parameter for parameter in every if parameter.ndim > 1]},
        {"params": [parameter for parameter in every if parameter.ndim <= 1], "weight_decay": 0.0},
    ]
    return adam_w(groups, settings.learning_rate, settings.weight_decay)
