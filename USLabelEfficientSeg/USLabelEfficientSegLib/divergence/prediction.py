"""Probabilities of the trained networks on images of any size."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..teacher.slices import resize_slices
from .images import canvas_shape, network_input

PIXELS_AT_ONCE = 1 << 19  # bounds memory
ZOOMS = (1.0, 0.8, 1.2)  # where one view takes a shadow for the organ, another seldom does


@torch.inference_mode()
def predict_images(
    network: nn.Module,
    images: Tensor,
    pixel_size: Sequence[float],
    image_size: int,
    *,
    mirrored: bool = False,
    zooms: Sequence[float] = (1.0,),
) -> Tensor:
    """Class probabilities (B, C, h, w) of images of one size at their own pixels, float32 on the CPU.

    Args:
        network: `UNeXt` or `SwinUnet` in evaluation mode; runs on the device that it is on.
        images: (B, h, w) grey in [0, 1].
        pixel_size: rows' and columns' spacing in mm; the networks see square pixels.
        image_size: pixels of the longer side at which they were trained.
        mirrored: average with the prediction on the mirror image.
        zooms: magnifications about the centre to average over, one of them at most 1 so that all of the image is seen.

    Raises:
        ValueError: zooms that all cut something off.
    """
    if min(zooms) > 1:
        raise ValueError(f"zooms {tuple(zooms)} never show the whole image")
    device = next(network.parameters()).device
    shape = canvas_shape(images.shape[1:], pixel_size, image_size)
    parts = []
    for part in images[:, None].split(max(1, PIXELS_AT_ONCE // (shape[0] * shape[1]))):
        grey = resize_slices(part.float(), shape).clamp(0, 1).to(device)
        views = [_predict_zoomed(network, grey, zoom, flip) for zoom in zooms for flip in (False, True)[: 1 + mirrored]]
        summed = torch.stack(views).sum(dim=0)
        parts.append(resize_slices((summed[:, :-1] / summed[:, -1:]).cpu(), images.shape[1:]))
    return torch.cat(parts)


def _predict_zoomed(network: nn.Module, grey: Tensor, zoom: float, flip: bool) -> Tensor:
    """Probabilities (B, C, H, W) of one view, mapped back; the last channel is 1 where it shows the image, else 0.

    Where it is 0, the probabilities are 0, too.
    """
    view = grey.flip(3) if flip else grey
    probability = network(network_input(_magnified(view, zoom))).float().softmax(dim=1)
    both = _magnified(torch.cat([probability, torch.ones_like(grey)], dim=1), 1 / zoom)
    return both.flip(3) if flip else both


def _magnified(images: Tensor, zoom: float) -> Tensor:
    """Images (B, C, H, W) magnified about their centre, zero outside of them."""
    if zoom == 1:
        return images
    scaling = torch.diag(torch.tensor([1 / zoom, 1 / zoom, 0.0]))[:2]
    grid = F.affine_grid(scaling.expand(len(images), 2, 3), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid.to(images), padding_mode="zeros", align_corners=False)
