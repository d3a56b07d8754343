"""Probabilities of the trained networks on images of any size."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..teacher.slices import resize_slices
from .images import canvas_shape, network_input

PIXELS_AT_ONCE = 1 << 19  # bounds memory


@torch.inference_mode()
def predict_images(
    network: nn.Module, images: Tensor, pixel_size: Sequence[float], image_size: int, *, mirrored: bool = False
) -> Tensor:
    """Class probabilities (B, C, h, w) of images of one size at their own pixels, float32 on the CPU.

    Args:
        network: `UNeXt` or `SwinUnet` in evaluation mode; runs on the device that it is on.
        images: (B, h, w) grey in [0, 1].
        pixel_size: rows' and columns' spacing in mm; the networks see square pixels.
        image_size: pixels of the longer side at which they were trained.
        mirrored: average with the prediction on the mirror image.
    """
    device = next(network.parameters()).device
    shape = canvas_shape(images.shape[1:], pixel_size, image_size)
    parts = []
    for part in images[:, None].split(max(1, PIXELS_AT_ONCE // (shape[0] * shape[1]))):
        grey = resize_slices(part.float(), shape).clamp(0, 1).to(device)
        probability = network(network_input(grey)).float().softmax(dim=1)
        if mirrored:
            flipped = network(network_input(grey.flip(3))).float().softmax(dim=1).flip(3)
            probability = (probability + flipped) / 2
        parts.append(resize_slices(probability.cpu(), images.shape[1:]))
    return torch.cat(parts)
