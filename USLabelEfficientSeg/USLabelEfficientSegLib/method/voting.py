"""A model in which students and the location prior vote.

With four labelled slices distilled students are better, with fifteen or more supervised ones (docs/experiments.md):
more labels give supervised students more votes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ..calibration.shares import Shares
from ..segmentation.model import SegmentationModel
from ..segmentation.model_provenance import without_names
from ..student.build import StudentDesign
from ..study.provenance import image_checksums, label_checksums
from .plan import labelled_slices
from .run import Run


@dataclass(frozen=True)
class Students:
    """Trained 3-D networks.

    Attributes:
        distilled: taught by a teacher, and by labels.
        supervised: taught only by labels.
    """

    distilled: Sequence[nn.Module] = ()
    supervised: Sequence[nn.Module] = ()


def voting_model(run: Run, students: Students) -> SegmentationModel:
    """The model in which the students and the location prior vote; its provenance tells what they were made from."""
    prior = run.location_prior if run.settings.segmentation.prior_votes else None
    slices = labelled_slices(run.study)
    share = slices / (slices + run.settings.student.half_of_votes_at)
    return SegmentationModel(
        networks=(*students.distilled, *students.supervised),
        design=student_design(run),
        organs=run.study.organs,
        max_voxels=run.settings.working_grid.max_voxels,
        window=run.settings.student.window,
        overlap=run.settings.segmentation.overlap,
        mirrored_axes=run.mirrored,
        template=run.template,
        prior=prior,
        slices=run.slices,
        weights=vote_weights(
            len(students.distilled),
            len(students.supervised),
            0 if run.slices is None else len(run.slices.voters),
            int(prior is not None),
            of_supervised=share,
            of_slices=run.shares.slices,
        ),
        provenance=provenance_of(run),
        orientation=run.study.orientation,
    )


def vote_weights(
    distilled: int, supervised: int, slices: int, prior: int, *, of_supervised: float, of_slices: float
) -> tuple[float, ...]:
    """Weights of the votes of distilled and supervised students, 2-D networks and location priors; they add up to 1.

    Args:
        distilled, supervised, slices, prior: how many there are.
        of_supervised: share of the votes of students and prior that supervised students have, if there are others.
        of_slices: share of all votes that 2-D networks have, if there are others.
    """
    others = distilled + prior
    in_slices = (of_slices if others + supervised else 1.0) if slices else 0.0
    in_supervised = (1 - in_slices) * (of_supervised if others else 1.0) if supervised else 0.0
    each = (1 - in_slices - in_supervised) / max(others, 1)
    return (
        *[each] * distilled,
        *[in_supervised / max(supervised, 1)] * supervised,
        *[in_slices / max(slices, 1)] * slices,
        *[each] * prior,
    )


def student_design(run: Run) -> StudentDesign:
    """Of the students: that of the earlier model, or the study's classes and its typical voxel."""
    if run.learnt.model is not None:
        return run.learnt.model.model.design
    spacing = torch.tensor([volume.spacing for volume in run.volumes]).median(dim=0).values.tolist()
    return StudentDesign(
        network=run.settings.student.network,
        classes=len(run.study.organs) + 1,
        spacing=(spacing[0], spacing[1], spacing[2]),
        slice_axis=run.study.slice_axis,
        widths=run.settings.student.widths,
    )


def provenance_of(run: Run) -> dict[str, Any]:
    """The provenance of a model of this run, see `segmentation.model_provenance`."""
    earlier = run.learnt.model
    return without_names(
        {
            "settings": run.settings.model_dump(mode="json"),
            "images": image_checksums(run.study),
            "labels": label_checksums(run.study),
            **({} if run.shares == Shares() else {"votes": run.shares.record()}),
            **({} if earlier is None else {"continued_from": earlier.record}),
        }
    )
