"""From the 2-D teacher to a pseudo-labelled volume: views, fusion of the slice axes, volumetric refinement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ..study.setting_sections import PseudoLabelSettings
from .deviation import inter_slice_deviation
from .fusion import FusedPrediction, confidence, fuse, slices_to_volume, volume_to_slices
from .refinement import axis_smoothness, refine
from .views import SlicePredictor, predict_views


def teacher_pseudo_label(
    grey: Tensor,
    sector: Tensor,
    spacing: Sequence[float],
    predictors: Mapping[int, Sequence[SlicePredictor]],
    settings: PseudoLabelSettings,
    generator: torch.Generator,
    known: tuple[Tensor, Tensor] | None = None,
) -> FusedPrediction:
    """Class probabilities of a volume and how far to trust them (CDKD stages 3 and 4).

    Args:
        grey: (I, J, K) intensities in [0, 1].
        sector: (I, J, K) bool; outside it all is background, for certain.
        spacing: voxel size in mm.
        predictors: slice models for each slice axis along which the teacher predicts; where they disagree, the
            deviation is larger.
        settings: views, fidelity, smoothness.
        generator: of the random views.
        known: labelled voxels, bool (I, J, K), and their class probabilities (C, I, J, K).
    """
    means, deviations = [], []
    for axis, predictor in ((axis, model) for axis, models in predictors.items() for model in models):
        mean, deviation = predict_views(
            predictor,
            volume_to_slices(grey, axis),
            settings.views,
            settings.rotation_degrees,
            settings.shift,
            generator,
        )
        between = inter_slice_deviation(mean[:, 1:].amax(dim=1), axis=0)
        deviation = (deviation.square() + between.square()).sqrt()
        means.append(slices_to_volume(mean, axis))
        deviations.append(slices_to_volume(deviation[:, None], axis)[0])
    fused = fuse(means, deviations)
    background = torch.zeros_like(fused.probability)
    background[0] = 1
    probability = torch.where(sector, fused.probability, background)
    deviation = fused.deviation * sector
    mask, values = (None, None) if known is None else known
    refined = refine(
        probability,
        confidence(deviation),
        mask,
        values,
        fidelity=settings.fidelity,
        smoothness=axis_smoothness(spacing, settings.smoothness),
    )
    return FusedPrediction(refined.clamp(0, 1), deviation, confidence(deviation))
