"""Stage 2: the slice head learns from the labelled slices over the frozen ViT's features."""

from __future__ import annotations

import torch
from torch import Tensor

from ..anatomy.location_prior import LocationPrior
from ..study.setting_sections import SliceHeadSettings
from ..training.context import TrainingContext
from ..training.cross_entropy import weighted_cross_entropy
from ..training.loop import TrainingState, run_training
from ..training.schedules import step_decay
from .labelled_slices import HeadSamples, class_weights
from .slice_head import SliceHead, feature_statistics
from .slices import resize_slices


def train_slice_head(
    samples: list[HeadSamples],
    patch_size: int,
    settings: SliceHeadSettings,
    context: TrainingContext,
    *,
    prior: LocationPrior | None = None,
) -> SliceHead:
    """Train a slice head.

    Args:
        samples: encoded labelled slices, one entry a slice shape and axis.
        patch_size: of the ViT that made the features.
        settings: hidden channels, steps, ...
        context: of the training.
        prior: see `SliceHead`.

    Returns:
        The head in evaluation mode, on the context's device.

    Raises:
        InputError: see `run_training`.
    """
    channels, organs = samples[0].features.shape[1], samples[0].target.shape[1] - 1
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(context.seed)
        head = SliceHead(channels, organs, patch_size, settings.hidden, prior)
    mean, scale = feature_statistics([part.features for part in samples])
    head.feature_mean.copy_(mean)
    head.feature_scale.copy_(scale)
    head.class_weights.copy_(class_weights(samples))
    device = context.device
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
        context,
        steps=settings.steps,
        state=TrainingState({"head": head}, optimizer),
        step_function=step_function,
        settings={
            **settings.model_dump(mode="json"),
            "prior": None if prior is None else prior.coefficients.tolist(),
            "samples": [part.digest() for part in samples],
        },
        learning_rate=lambda step: step_decay(step, settings.steps, settings.learning_rate),
    )
    return head.eval()
