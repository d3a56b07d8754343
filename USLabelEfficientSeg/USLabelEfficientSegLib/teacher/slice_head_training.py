"""Stage 2: the slice head learns from the labelled slices over the frozen ViT's features."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from ..anatomy.location_prior import LocationPrior
from ..study.events import EventLog
from ..study.settings import SliceHeadSettings
from ..study.stages import Stage
from ..training.loop import TrainingState, run_training
from ..training.schedules import step_decay
from .labelled_slices import HeadSamples, class_weights
from .slice_head import SliceHead, feature_statistics
from .slices import resize_slices


def weighted_cross_entropy(logits: Tensor, target: Tensor, weight: Tensor, classes: Tensor) -> Tensor:
    """`sum_x w(x) sum_c k_c t_c(x) (-log p_c(x)) / sum_x w(x)` for soft targets.

    With one organ and k = 1 this is the published binary cross-entropy over labelled pixels.

    Args:
        logits: (n, C, H, W).
        target: (n, C, H, W) class probabilities t.
        weight: (n, H, W) pixel weights w, 0 where unlabelled.
        classes: (C,) class weights k.
    """
    pixel = -(classes.view(1, -1, 1, 1) * target * logits.log_softmax(dim=1)).sum(dim=1)
    return (weight * pixel).sum() / weight.sum().clamp(min=1e-6)


def train_slice_head(
    samples: list[HeadSamples],
    patch_size: int,
    settings: SliceHeadSettings,
    *,
    checkpoint_path: Path,
    seed: int,
    events: EventLog,
    device: torch.device,
    stage: str = Stage.SLICE_HEAD,
    prior: LocationPrior | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> SliceHead:
    """Train a slice head, resuming from `checkpoint_path`.

    Args:
        samples: encoded labelled slices, one entry a slice shape and axis.
        patch_size: of the ViT that made the features.
        settings: hidden channels, steps, ...
        checkpoint_path: where state and result are kept.
        seed: of weights and batches.
        events: receives progress.
        device: where the head is trained.
        stage: name in events and checkpoint, to tell several heads apart.
        prior: see `SliceHead`.
        cancelled: asked after every step.

    Returns:
        The head in evaluation mode, on `device`.

    Raises:
        InputError: see `run_training`.
    """
    channels, organs = samples[0].features.shape[1], samples[0].target.shape[1] - 1
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = SliceHead(channels, organs, patch_size, settings.hidden, prior)
    mean, scale = feature_statistics([part.features for part in samples])
    head.feature_mean.copy_(mean)
    head.feature_scale.copy_(scale)
    head.class_weights.copy_(class_weights(samples))
    head.to(device)
    optimizer = torch.optim.Adam(head.parameters(), settings.learning_rate, weight_decay=settings.weight_decay)
    sizes = torch.tensor([float(len(part)) for part in samples])

    def step_function(step: int, generator: torch.Generator) -> dict[str, Tensor]:
        # One shape and axis a batch, each as often as it has samples.
        part = samples[int(torch.multinomial(sizes, 1, generator=generator))]
        rows = torch.randint(len(part), (settings.batch_size,), generator=generator)
        logits = head.balanced_logits(part.features[rows].to(device, torch.float32), part.boxes[rows].to(device))
        target = part.target[rows].to(device)
        loss = weighted_cross_entropy(
            resize_slices(logits, target.shape[-2:]), target, part.weight[rows].to(device), head.class_weights
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return {"cross_entropy": loss}

    run_training(
        stage=stage,
        steps=settings.steps,
        state=TrainingState({"head": head}, optimizer),
        step_function=step_function,
        checkpoint_path=checkpoint_path,
        seed=seed,
        events=events,
        settings={
            **settings.model_dump(mode="json"),
            "prior": None if prior is None else prior.coefficients.tolist(),
            "samples": [part.digest() for part in samples],
        },
        learning_rate=lambda step: step_decay(step, settings.steps, settings.learning_rate),
        cancelled=cancelled,
    )
    return head.eval()
