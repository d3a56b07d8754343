"""A model's prediction, corrected by what somebody has drawn in the very volume.

The promptable network sees the image, the drawing, and the model's probability of one organ after another as an
opinion: see `organs`. What was drawn is the result where it was drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from ..calibration.intervals import Calibration
from ..imaging.dimension import Dimension
from ..imaging.resampling import working_geometry
from ..imaging.scan import LabelMap, Scan
from ..promptable_network.network import PromptableNetwork
from ..promptable_network.starter import load_starter
from ..promptable_network.two_passes import MOST_MIRRORS
from ..segmentation.inference import VolumePrediction
from ..segmentation.model import SegmentationModel
from ..segmentation.training_statistics import TrainingStatistics
from .drawing import check_drawn, check_grid
from .drawn_intervals import WITH_MODEL
from .drawn_prediction import DrawnPrediction
from .organs import organ_probability
from .propagation import MOST_VOXELS


@dataclass(frozen=True)
class CorrectedModel:
    """A trained model whose predictions are corrected in the volumes in which somebody has drawn; others are its own.

    Args:
        model: of volumes.
        drawings: by the name of their volume: 0 background, n the model's n-th organ, 255 where nothing was drawn.
        network: what knows organs; by default with the starter weights.
        mirrors: of how many mirror images, 1 to 8, a correction is the mean.
    """

    model: SegmentationModel
    drawings: Mapping[str, LabelMap]
    network: PromptableNetwork | None = None
    mirrors: int = MOST_MIRRORS

    @property
    def dimension(self) -> Dimension:
        """It segments volumes."""
        return 3

    @property
    def organs(self) -> tuple[str, ...]:
        """The model's."""
        return self.model.organs

    @property
    def calibration(self) -> Calibration | None:
        """The model's: it holds for predictions that are not corrected."""
        return self.model.calibration

    @property
    def statistics(self) -> TrainingStatistics | None:
        """The model's."""
        return self.model.statistics

    @property
    def is_rough(self) -> bool:
        """As the model."""
        return self.model.is_rough

    def predict(self, volume: Scan, device: torch.device) -> VolumePrediction:
        """Class probabilities of a volume. Raises `InputError` as `corrected` does."""
        drawing = self.drawings.get(volume.name)
        if drawing is not None:  # before the model takes its time
            check_grid(drawing, volume.geometry, volume.name)
        prediction = self.model.predict(volume, device)
        if drawing is None:
            return prediction
        network = (self.network or load_starter()).to(device)
        return corrected(prediction, volume, drawing, self.organs, network=network, mirrors=self.mirrors)

    def digest(self) -> str:
        """The model's: what was drawn is told apart, see `measurement.record.Maker`."""
        return self.model.digest()


def corrected(
    prediction: VolumePrediction,
    volume: Scan,
    drawing: LabelMap,
    organs: Sequence[str],
    *,
    network: PromptableNetwork | None = None,
    mirrors: int = MOST_MIRRORS,
) -> DrawnPrediction:
    """A model's prediction of a volume, corrected by a drawing in some of its slices.

    Args:
        prediction: of the volume by a model.
        volume: the image.
        drawing: on its grid: 0 background, n the n-th organ, 255 where nothing was drawn; whole slices or strokes. It
            need not show every organ, nor any.
        organs: the model's, by name.
        network: what knows organs; by default with the starter weights.
        mirrors: of how many mirror images, 1 to 8, the correction is the mean.

    Raises:
        InputError: a drawing on another grid, with everything or nothing drawn, or of an organ that the model lacks.

    Examples:
        >>> import numpy as np
        >>> from pathlib import Path
        >>> from USLabelEfficientSegLib.imaging.files import read_label_map, read_volume
        >>> from USLabelEfficientSegLib.segmentation.loading import load_model
        >>> model, volume = load_model(Path("my-study")), read_volume("images/simulated_0000.nrrd")
        >>> complete = read_label_map("labels/simulated_0000.nrrd")
        >>> voxels = np.full_like(complete.voxels, 255)
        >>> voxels[:, :, 8] = complete.voxels[:, :, 8]  # one slice is drawn
        >>> drawing = LabelMap(voxels, complete.geometry, complete.name)
        >>> found = corrected(model.predict(volume, torch.device("cpu")), volume, drawing, model.organs, mirrors=1)
        >>> bool((found.labels().voxels[:, :, 8] == complete.voxels[:, :, 8]).all()), found.slices
        (True, 1)
    """
    check_grid(drawing, volume.geometry, volume.name)
    check_drawn(drawing, organs, volume.name)
    grid = working_geometry(volume.geometry, MOST_VOXELS)
    _, probability, sector = organ_probability(
        volume, drawing, len(organs), grid, opinion=prediction.probability, network=network, mirrors=mirrors
    )
    return DrawnPrediction(
        probability,
        volume.geometry,
        volume.name,
        sector,
        prediction.features,
        drawn=drawing.voxels,
        rules=WITH_MODEL,
    )
