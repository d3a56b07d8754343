"""Segmentation of a whole volume: coarse probabilities from the networks, fine ones slab by slab.

The students see the volume on its working grid, in windows if the grid is larger than one. If the model has slice
networks, these see it on a finer grid, and all votes are pooled there. Probabilities are then interpolated to the
volume's own grid a slab at a time, so that memory does not grow with classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from monai.inferers import sliding_window_inference
from numpy.typing import NDArray
from torch import Tensor, nn

from ..anatomy.location_prior import LocationPrior
from ..calibration.offset_intervals import expected_size
from ..imaging.geometry import Geometry
from ..imaging.intensities import normalised_grey
from ..imaging.normalisation import POSITION_CHANNELS, image_channels, mirrored_positions, position_channels
from ..imaging.orientation import AS_THEY_ARE, Reordering, reordering
from ..imaging.resampling import Shape, resample_axes, resample_slab, resample_slice, working_geometry
from ..imaging.scan import LabelMap, Scan
from ..imaging.sector import sector_mask
from ..pseudolabels.fusion import FusedPrediction, confidence
from ..slice_network.fine_volume import FineVolume, fine_volume
from .decision import decide, dice_threshold, uncertainty_of
from .intensity_features import IntensityFeatures
from .model import SegmentationModel
from .organ_ends import with_ends
from .pooling import agreed, agreed_in_turn
from .slice_voters import SliceVoters

_SLAB_VALUES = 2**24  # values of a fine probability slab: 64 MiB


@dataclass(frozen=True)
class VolumePrediction:
    """A prediction on the grid on which votes are pooled, and all that brings it to the volume's own grid.

    Attributes:
        probability: (C, i, j, k) float32, background first, sums to 1.
        geometry: the volume's own grid.
        name: the volume's name.
        sector: (i, j, k) bool, voxels that carry image.
        features: of the intensities.
        order: of the axes as the model sees them.
    """

    probability: NDArray[np.float32]
    geometry: Geometry
    name: str
    sector: NDArray[np.bool_]
    features: IntensityFeatures
    order: Reordering = AS_THEY_ARE

    def slabs(self) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Fine probabilities (C, I, J, n) of consecutive slabs along the last axis, with their place."""
        i, j, k = self.geometry.shape
        thickness = max(1, _SLAB_VALUES // (len(self.probability) * i * j))
        for start in range(0, k, thickness):
            stop = min(start + thickness, k)
            yield slice(start, stop), resample_slab(self.probability, self.geometry.shape, start, stop)

    def labels(self) -> LabelMap:
        """The label map that maximises the expected Dice of each organ, see `decision`."""
        # Decided in the model's order of axes, so that volumes that differ only in their order get the same labels.
        seen = replace(self, probability=self.order.apply(self.probability), geometry=self.order.grid(self.geometry))
        thresholds = [dice_threshold(probability) for probability in seen.probability[1:]]
        labels = np.empty(seen.geometry.shape, dtype=np.uint8)
        for where, slab in seen.slabs():
            labels[:, :, where] = decide(slab, thresholds)
        return LabelMap(np.ascontiguousarray(self.order.undo(labels)), self.geometry, self.name)

    def slice_labels(self, axis: int, index: int) -> NDArray[np.uint8]:
        """One slice of `labels`: 2-D, across an array axis of the volume's own grid, in milliseconds."""
        slab = resample_slice(self.probability, self.geometry.shape, axis, index)
        return decide(slab, [dice_threshold(probability) for probability in self.probability[1:]])

    def coarse_labels(self, max_voxels: int) -> LabelMap:
        """Like `labels`, on a grid of the volume's extent with at most so many voxels an axis."""
        grid = working_geometry(self.geometry, max_voxels)
        thresholds = [dice_threshold(probability) for probability in self.probability[1:]]
        return LabelMap(decide(resample_axes(self.probability, grid.shape), thresholds), grid, self.name)

    def uncertainty(self) -> NDArray[np.float32]:
        """Uncertainty (I, J, K) on the volume's own grid, see `decision.uncertainty_of`."""
        return resample_axes(uncertainty_of(self.probability), self.geometry.shape)

    def volumes_ml(self) -> list[float]:
        """Expected volume of each organ: the sum of its probability, in millilitres."""
        return [self.volume_ml(organ) for organ in range(len(self.probability) - 1)]

    def volume_ml(self, organ: int, offset: float = 0.0) -> float:
        """Expected volume of the organ with this index in ml, if all logits of its probability had this offset."""
        probability = self.probability[1 + organ]
        voxel_ml = self.geometry.voxel_volume_ml * np.prod(self.geometry.shape) / probability.size
        return float((expected_size(probability, offset) if offset else probability.sum(dtype=np.float64)) * voxel_ml)


def predict(model: SegmentationModel, volume: Scan, device: torch.device) -> VolumePrediction:
    """Class probabilities of a volume on the model's finest grid, with the volume's order of axes."""
    order = AS_THEY_ARE if model.orientation == "as-stored" else reordering(volume.geometry)
    own, volume = volume.geometry, volume if order == AS_THEY_ARE else order.scan(volume)
    grid = working_geometry(volume.geometry, model.max_voxels)
    voxels = resample_axes(volume.voxels, grid.shape)
    sector = sector_mask(voxels)
    grey = normalised_grey(voxels, sector)
    features = IntensityFeatures(grey, sector)
    frame = None if model.template is None else model.template.frame_of(torch.from_numpy(grey))
    inputs = torch.cat([image_channels(voxels, sector, grid.spacing), position_channels(grid.shape, frame)])
    if model.slices is None:
        probability = predict_inputs(model, inputs, torch.from_numpy(sector), device).probability
    else:
        fine = fine_volume(volume, None, model.slices.max_voxels)
        probability, sector = _predict_fine(model, model.slices, inputs, fine, device), fine.sector.numpy()
    return VolumePrediction(order.undo(probability.numpy()), own, volume.name, order.undo(sector), features, order)


@torch.inference_mode()
def predict_inputs(
    model: SegmentationModel,
    inputs: Tensor,
    sector: Tensor,
    device: torch.device,
    slice_votes: Sequence[Tensor] = (),
) -> FusedPrediction:
    """Class probabilities on which networks and location prior agree, and their standard deviation, on the CPU.

    Each student votes with its mean over mirror images, the location prior with its own probabilities, see `agreed`.
    The deviation is that of all networks; the prior has no part in it.

    Args:
        model: its networks, and its prior if it has one, vote with its weights.
        inputs: image and position channels (P, i, j, k) on the working grid.
        sector: (i, j, k); outside it all is background.
        device: where the networks run.
        slice_votes: class probabilities (C, i, j, k) that each slice network of the model gives, averaged to the
            working grid: slice networks see a finer one, see `SliceVoters.votes`.

    Raises:
        ValueError: not one vote for each slice network, or a vote on another grid.
    """
    _check_slice_votes(model, sector, slice_votes)
    views = [_views(model, network, inputs, device) for network in model.networks]
    views += [vote[None] for vote in slice_votes]
    deviation = torch.cat(views).std(dim=0, correction=0).amax(dim=0) * sector
    votes = [of_one.mean(dim=0) for of_one in views]
    if model.prior is not None:
        votes.append(_prior_vote(model.prior, inputs))
    probability = agreed(votes, model.weights)
    if model.slices is not None:
        probability = with_ends(model.slices, probability, inputs[0], sector, device)
    probability = _within_sector(model, probability, sector)
    return FusedPrediction(probability, deviation, confidence(deviation))


@torch.inference_mode()
def _predict_fine(
    model: SegmentationModel, slices: SliceVoters, inputs: Tensor, fine: FineVolume, device: torch.device
) -> Tensor:
    """Class probabilities (C, I, J, K) on the fine grid, on which students, slice networks and prior agree."""

    def votes() -> Iterator[Tensor]:
        for network in model.networks:
            yield _resampled(_views(model, network, inputs, device).mean(dim=0), fine.shape)
        yield from slices.votes(fine, model.mirrored_axes, device)
        if model.prior is not None:
            yield _resampled(_prior_vote(model.prior, inputs), fine.shape)

    count = len(model.networks) + len(slices.voters) + int(model.prior is not None)
    pooled = agreed_in_turn(votes(), model.weights or [1.0] * count)
    return _within_sector(model, with_ends(slices, pooled, fine.grey, fine.sector, device), fine.sector)


def _check_slice_votes(model: SegmentationModel, sector: Tensor, slice_votes: Sequence[Tensor]) -> None:
    expected = 0 if model.slices is None else len(model.slices.voters)
    if len(slice_votes) != expected:
        raise ValueError(f"{len(slice_votes)} votes of {expected} slice networks are given")
    for vote in slice_votes:
        if vote.shape[1:] != sector.shape:
            raise ValueError(f"a slice network's vote is on {tuple(vote.shape[1:])} voxels, not {tuple(sector.shape)}")


def _prior_vote(prior: LocationPrior, inputs: Tensor) -> Tensor:
    """Class probabilities (C, i, j, k) of the location prior."""
    vote: Tensor = prior(inputs[None, -POSITION_CHANNELS:])[0].softmax(dim=0)
    return vote


def _resampled(vote: Tensor, shape: Shape) -> Tensor:
    return torch.from_numpy(resample_axes(vote.numpy(), shape))


def _within_sector(model: SegmentationModel, probability: Tensor, sector: Tensor) -> Tensor:
    """Probabilities scaled as the model's scaling has it, and all background outside of the sector."""
    if model.scaling is not None:
        probability = model.scaling(probability)
    probability[1:] *= sector
    probability[0] = 1 - probability[1:].sum(dim=0)
    return probability


def _views(model: SegmentationModel, network: nn.Module, inputs: Tensor, device: torch.device) -> Tensor:
    """Class probabilities (V, C, i, j, k) that one student gives the volume and its mirror images."""
    network = network.to(device).eval()
    image, position = inputs[:-POSITION_CHANNELS], inputs[-POSITION_CHANNELS:]
    mirrored: list[tuple[int, ...]] = [(), *((axis,) for axis in model.mirrored_axes)]
    views = []
    for axes in mirrored:
        flips = [axis - 3 for axis in axes]
        logits = sliding_window_inference(
            torch.cat([image.flip(flips), mirrored_positions(position, axes)])[None].to(device),
            # Not larger than the volume: it would be padded, to what no student was trained on.
            roi_size=[min(model.window, n) for n in inputs.shape[1:]],
            sw_batch_size=1,
            predictor=network,
            overlap=model.overlap,
            mode="gaussian",
            device="cpu",
        )
        views.append(torch.as_tensor(logits)[0].float().softmax(dim=0).flip(flips))
    return torch.stack(views)
