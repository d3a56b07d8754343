"""A trained model in one file: the networks' weights and all that is needed to apply them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ..anatomy.alignment import Template
from ..anatomy.location_prior import TERMS as LOCATION_TERMS
from ..anatomy.location_prior import LocationPrior
from ..calibration.intervals import Calibration
from ..calibration.probability_scaling import ProbabilityScaling
from ..errors import InputError
from ..imaging.dimension import Dimension
from ..imaging.orientation import Orientation
from ..imaging.scan import Scan
from ..promptable_network.starter import load_starter
from ..student.build import StudentDesign
from ..training.checkpoint import load_checkpoint, save_checkpoint
from .model_description import ModelDescription, check_weights, loaded_students
from .model_digest import checksum_of
from .model_files import IMAGE_MODEL
from .slice_voters import SliceVoters, loaded_slice_voters
from .training_statistics import TrainingStatistics

if TYPE_CHECKING:
    from .inference import VolumePrediction

# 9: nobody is asked where organs end; 8: no adaptation to volumes; 7: no intervals by offsets; 6: no slice networks;
# 5: calibration as a list; 4: all votes equal, no prior; 3: other students; 2: no scaling; 1: no calibration,
# statistics, template
FORMAT = 10
_FORMER_NETWORK = "residual"  # of students up to format 3
_EDGES, _WINDOW = "template/edges", "template/window"
_PRIOR = "prior/coefficients"
_ENDS = "ends"  # in the checksum: the network that is asked comes with the program


@dataclass(frozen=True)
class SegmentationModel:
    """Students and slice networks that vote, perhaps with the location prior, and how a volume is presented to them.

    Args:
        networks: trained students of the same design; none only where slice networks vote.
        design: what they are built from.
        organs: names, in the order of the label values 1, 2, ...
        max_voxels: most voxels along an axis of the working grid.
        window: side of a sliding window in voxels of the working grid.
        overlap: overlap of neighbouring windows, as a fraction of their size.
        mirrored_axes: axes along which the students were trained on mirror images, too.
        provenance: what reproduces the model: settings, data checksums, versions.
        calibration: of the volumes' prediction intervals; None: there are none.
        statistics: of the training volumes; None: unknown.
        template: that volumes are aligned to; None: positions are those in the volume.
        scaling: of the agreed probabilities; None: they are unchanged.
        prior: where organs lie, which votes like a student; None: it has no vote.
        weights: of the votes of the students, of the slice networks and, last, of the prior; none: all count alike.
        orientation: the order of the axes in which volumes are presented, as in the study.
        slices: 2-D networks that vote on a finer grid, on which all votes are then pooled; None: there are none.
    """

    networks: tuple[nn.Module, ...]
    design: StudentDesign
    organs: tuple[str, ...]
    max_voxels: int
    window: int
    overlap: float
    mirrored_axes: tuple[int, ...]
    provenance: dict[str, Any] = field(default_factory=dict)
    calibration: Calibration | None = None
    statistics: TrainingStatistics | None = None
    template: Template | None = None
    scaling: ProbabilityScaling | None = None
    prior: LocationPrior | None = None
    weights: tuple[float, ...] = ()
    orientation: Orientation = "as-stored"
    slices: SliceVoters | None = None

    @property
    def dimension(self) -> Dimension:
        """It segments volumes."""
        return 3

    @property
    def is_rough(self) -> bool:
        """A trained model has intervals instead of a caution for all volumes."""
        return False

    def predict(self, volume: Scan, device: torch.device) -> VolumePrediction:
        """Class probabilities of a volume, see `inference.predict`.

        Examples:
            >>> from USLabelEfficientSegLib.imaging.files import read_volume
            >>> model = SegmentationModel.load(Path("my-study/run/model.safetensors"))
            >>> prediction = model.predict(read_volume("images/simulated_0000.nrrd"), torch.device("cpu"))
            >>> prediction.labels().voxels.shape
            (24, 24, 16)
        """
        from .inference import predict

        return predict(self, volume, device)

    def digest(self) -> str:
        """A checksum of what decides how the model segments, see `model_digest`."""
        tensors = self._weights()
        if self.template is not None:
            tensors |= {_EDGES: self.template.edges, _WINDOW: self.template.window}
        if self.prior is not None:
            tensors["prior"] = self.prior.coefficients
        names = ("organs", "max_voxels", "window", "overlap", "mirrored_axes", "weights")
        settings = {name: getattr(self, name) for name in names}
        settings["design"] = self.design.model_dump(mode="json")
        settings["scaling"] = None if self.scaling is None else self.scaling.model_dump(mode="json")
        if self.slices is not None:  # a model without them keeps the checksum that it had before there were any
            settings["slices"] = self.slices.description().model_dump(mode="json")
            if self.slices.ends:
                tensors |= {f"{_ENDS}/{name}": tensor for name, tensor in load_starter().state_dict().items()}
        return checksum_of(tensors, settings)

    def _weights(self) -> dict[str, Tensor]:
        """Of the networks, by name."""
        of_students = {
            f"{number}/{name}": tensor
            for number, network in enumerate(self.networks)
            for name, tensor in network.state_dict().items()
        }
        return of_students if self.slices is None else of_students | self.slices.weights()

    def save(self, path: Path) -> None:
        """Write the model to a safetensors file, atomically."""
        tensors = self._weights()
        if self.template is not None:
            tensors |= {_EDGES: self.template.edges, _WINDOW: self.template.window}
        if self.prior is not None:
            tensors[_PRIOR] = self.prior.coefficients
        description = {
            "format": FORMAT,
            "networks": len(self.networks),
            "design": self.design.model_dump(mode="json"),
            "organs": list(self.organs),
            "max_voxels": self.max_voxels,
            "window": self.window,
            "overlap": self.overlap,
            "mirrored_axes": list(self.mirrored_axes),
            "provenance": self.provenance,
            "calibration": None if self.calibration is None else self.calibration.model_dump(mode="json"),
            "statistics": None if self.statistics is None else self.statistics.model_dump(mode="json"),
            "weights": list(self.weights),
            "orientation": self.orientation,
            "scaling": None if self.scaling is None else self.scaling.model_dump(mode="json"),
            "slices": None if self.slices is None else self.slices.description().model_dump(mode="json"),
        }
        save_checkpoint(path, tensors, {"model": description})

    @classmethod
    def load(cls, path: Path) -> SegmentationModel:
        """Read a model; no code in the file is ever executed.

        Raises:
            InputError: missing, damaged, not a model, or of a newer version.
        """
        tensors, metadata = load_checkpoint(path)
        if IMAGE_MODEL in metadata:
            raise InputError(path, "is a model of 2-D images", "give the model of a study of volumes")
        try:
            model = metadata["model"]
            if model["format"] > FORMAT:
                raise InputError(path, "was made by a newer version of this program", "update the program")
            if model["design"]["network"] == _FORMER_NETWORK:
                problem = "was made by an earlier version of this program"
                raise InputError(
                    path, problem, "train its study with --restart", in_panel="train its study anew with another preset"
                )
            description = ModelDescription.model_validate(model)
            prior = _prior(tensors[_PRIOR], description) if _PRIOR in tensors else None
            votes = description.trained + int(prior is not None)
            if description.weights and len(description.weights) != votes:
                raise ValueError(f"it has {len(description.weights)} weights of {votes} votes")
            return cls(
                loaded_students(description, tensors),
                description.design,
                description.organs,
                description.max_voxels,
                description.window,
                description.overlap,
                description.mirrored_axes,
                description.provenance,
                description.calibration,
                description.statistics,
                Template(tensors[_EDGES], tensors[_WINDOW]) if _EDGES in tensors else None,
                description.scaling,
                prior,
                description.weights,
                description.orientation,
                _slice_voters(description, tensors),
            )
        except InputError:
            raise
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            problem = "is not a segmentation model of this program"
            raise InputError(path, problem, "train a study or give a model that was exported from one") from error


def _prior(coefficients: Tensor, description: ModelDescription) -> LocationPrior:
    check_weights({"prior": coefficients}, {"prior": torch.Size((len(description.organs), LOCATION_TERMS))})
    prior = LocationPrior(len(coefficients))
    prior.load_state_dict({"coefficients": coefficients})
    return prior


def _slice_voters(description: ModelDescription, tensors: Mapping[str, Tensor]) -> SliceVoters | None:
    if description.slices is None:
        return None
    return loaded_slice_voters(description.slices, len(description.organs) + 1, tensors)


def choose_device(name: str) -> torch.device:
    """The device for `auto`, `cpu`, `cuda`, `cuda:N` or `mps`; `auto` is cuda or cpu, as Apple's was never measured.

    Raises:
        InputError: unknown, or not available on this machine. There is no silent fall-back to the CPU.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise InputError(f"device {name}", "is unknown", "choose auto, cpu, cuda or mps") from error
    available = {
        "cpu": device.index is None,
        "cuda": torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if not available.get(device.type, False):
        raise InputError(f"device {name}", "is not available on this machine", "choose cpu or auto")
    return device
