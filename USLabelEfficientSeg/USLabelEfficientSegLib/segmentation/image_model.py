"""A trained model of 2-D images in one file: UNeXt's weights and all that is needed to apply them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..calibration.intervals import Calibration
from ..divergence.images import image_grey, image_pixel_size
from ..divergence.prediction import predict_images
from ..divergence.unext import UNeXt
from ..errors import InputError
from ..imaging.dimension import Dimension
from ..imaging.geometry import Geometry
from ..imaging.scan import LabelMap, Scan
from ..training.checkpoint import load_checkpoint, save_checkpoint
from .decision import decide, dice_threshold, uncertainty_of
from .image_statistics import ImageStatistics
from .intensity_features import IntensityFeatures, image_features
from .model_description import ImageModelDescription, check_weights
from .model_digest import checksum_of
from .model_files import IMAGE_MODEL
from .pieces import tidied
from .zoomed_refinement import refine_zoomed

FORMAT = 2  # 1: calibration as lists named area and circumference


@dataclass(frozen=True)
class ImageModel:
    """A network for 2-D images, and how an image is presented to it.

    Args:
        network: the moving average of UNeXt.
        organs: names, in the order of the label values 1, 2, ...
        image_size: pixels of the longer side at which it reads images.
        mirrored: whether its prediction is averaged with that of the mirror image, as it was trained on both.
        provenance: what reproduces the model: settings and data checksums.
        statistics: of its training images.
        calibration: of prediction intervals; None: there are none.
        zooms: magnifications over which its prediction is averaged.
        zoom_margins: margins of the parts around the organs that it predicts again, see `zoomed_refinement`.
    """

    network: UNeXt
    organs: tuple[str, ...]
    image_size: int
    mirrored: bool
    provenance: dict[str, Any] = field(default_factory=dict)
    statistics: ImageStatistics | None = None
    calibration: Calibration | None = None
    zooms: tuple[float, ...] = (1.0,)
    zoom_margins: tuple[float, ...] = ()

    @property
    def dimension(self) -> Dimension:
        """It segments 2-D images."""
        return 2

    @property
    def is_rough(self) -> bool:
        """A trained model has intervals instead of a caution for all images."""
        return False

    def predict(self, image: Scan, device: torch.device) -> ImagePrediction:
        """Class probabilities of an image at its own pixels."""
        network, grey = self.network.to(device), image_grey(image)
        pixel_size, size, mirrored = image_pixel_size(image.geometry), self.image_size, self.mirrored
        first = predict_images(network, grey[None], pixel_size, size, mirrored=mirrored, zooms=self.zooms)[0]
        probability = refine_zoomed(
            network, grey, first, pixel_size, size, mirrored=mirrored, margins=self.zoom_margins
        )
        shares = probability.movedim(2, 1)[..., None].contiguous().numpy()
        return ImagePrediction(shares, image.geometry, image.name, image_features(image))

    def digest(self) -> str:
        """A checksum of what decides how the model segments, see `model_digest`."""
        return checksum_of(
            self.network.state_dict(),
            {
                "organs": self.organs,
                "image_size": self.image_size,
                "mirrored": self.mirrored,
                "zooms": self.zooms,
                "closer_looks": self.zoom_margins,
            },
        )

    def save(self, path: Path) -> None:
        """Write the model to a safetensors file, atomically."""
        description = {
            "format": FORMAT,
            "organs": list(self.organs),
            "image_size": self.image_size,
            "mirrored": self.mirrored,
            "zooms": list(self.zooms),
            "closer_looks": list(self.zoom_margins),
            "provenance": self.provenance,
            "statistics": None if self.statistics is None else self.statistics.model_dump(mode="json"),
            "calibration": None if self.calibration is None else self.calibration.model_dump(mode="json"),
        }
        save_checkpoint(path, self.network.state_dict(), {IMAGE_MODEL: description})

    @classmethod
    def load(cls, path: Path) -> ImageModel:
        """Read a model; no code in the file is ever executed.

        Raises:
            InputError: missing, damaged, of volumes, not a model, or of a newer version.
        """
        tensors, metadata = load_checkpoint(path)
        if "model" in metadata:
            raise InputError(path, "is a model of volumes", "give the model of a study of 2-D images")
        try:
            model = metadata[IMAGE_MODEL]
            if model["format"] > FORMAT:
                raise InputError(path, "was made by a newer version of this program", "update the program")
            description = ImageModelDescription.model_validate(model)
            network = UNeXt(len(description.organs) + 1)
            check_weights(tensors, {name: tensor.shape for name, tensor in network.state_dict().items()})
            network.load_state_dict(tensors)
            return cls(
                network.eval(),
                description.organs,
                description.image_size,
                description.mirrored,
                description.provenance,
                description.statistics,
                description.calibration,
                description.zooms,
                description.zoom_margins,
            )
        except InputError:
            raise
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            problem = "is not a segmentation model of this program"
            raise InputError(path, problem, "train a study or give a model that was exported from one") from error


@dataclass(frozen=True)
class ImagePrediction:
    """A model's prediction of an image.

    Attributes:
        probability: (C, I, J, 1) float32, background first, sums to 1.
        geometry: the image's grid.
        name: the image's name.
        features: what the image looks like, None where nobody has looked.
    """

    probability: NDArray[np.float32]
    geometry: Geometry
    name: str
    features: IntensityFeatures | None = None

    def labels(self) -> LabelMap:
        """The labels of the largest expected Dice of each organ (`decision`), small fragments and pinholes removed."""
        labels = decide(self.probability, [dice_threshold(organ) for organ in self.probability[1:]])
        for label, probability in enumerate(self.probability[1:, ..., 0], start=1):
            organ = labels[..., 0] == label
            kept = tidied(organ, probability, others=(labels[..., 0] != 0) & ~organ)
            labels[organ, 0] = 0
            labels[kept, 0] = label
        return LabelMap(labels, self.geometry, self.name)

    def slabs(self) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """The probabilities as one slab."""
        yield slice(0, 1), self.probability

    def uncertainty(self) -> NDArray[np.float32]:
        """(I, J, 1), see `decision.uncertainty_of`."""
        return uncertainty_of(self.probability)
