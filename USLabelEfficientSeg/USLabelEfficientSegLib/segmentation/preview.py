"""The live preview of a network in training: its present result in the volume or image that somebody watches.

The result is a label map, of a volume on the working grid, told in the events. If nobody watches (`study.watching`),
nothing is computed. No random number is drawn for it, so the weights do not depend on watching. A preview that fails is
told, and the training goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Mapping, Sequence

import torch
from torch import Tensor, nn

from ..anatomy.training_volumes import TrainingVolume
from ..disk.links import refuse_link
from ..errors import Cancelled
from ..imaging.files import write_label_map
from ..imaging.geometry import Geometry
from ..imaging.resampling import working_geometry
from ..imaging.scan import LabelMap
from ..study.study import Study
from ..study.watching import PREVIEW, watched_volume
from .decision import decide, dice_threshold
from .inference import predict_inputs
from .model import SegmentationModel

SECONDS_BETWEEN_PREVIEWS = 5.0


class LivePreview:
    """Call it with the network after every step: it writes a preview every few seconds if somebody watches.

    Args:
        study: the events and the folder of the previews.
        names: of the scans that can be watched.
        segmented: the label map of a scan by a network; it must draw no random numbers.
        stage: name and number of steps of the training, for events.
    """

    def __init__(
        self,
        study: Study,
        names: Container[str],
        segmented: Callable[[str, nn.Module], LabelMap],
        stage: tuple[str, int],
    ) -> None:
        self._study, self._names, self._segmented, self._stage = study, names, segmented, stage
        self._last = time.monotonic()
        self._failed = False

    def due(self) -> bool:
        """Whether somebody watches, and has waited some seconds."""
        waited = time.monotonic() - self._last >= SECONDS_BETWEEN_PREVIEWS
        return waited and watched_volume(self._study.folder) in self._names

    def __call__(self, step: int, network: nn.Module) -> None:
        """Look at the network after step number `step` (from 0)."""
        if time.monotonic() - self._last < SECONDS_BETWEEN_PREVIEWS:
            return
        self._last = time.monotonic()
        name = watched_volume(self._study.folder)
        if name is None or name not in self._names:
            return
        stage, steps = self._stage
        was_training = network.training
        try:
            label_map = self._segmented(name, network)
            refuse_link((self._study.folder / PREVIEW).parent)
            write_label_map(self._study.folder / PREVIEW, label_map)
        except Cancelled:
            raise
        except Exception as error:  # whatever it is: no training ends for a picture
            if not self._failed:  # told once
                self._study.events.emit(stage, step + 1, steps, message=f"no preview: {error}")
            self._failed = True
            return
        finally:
            network.train(was_training)
        self._study.events.emit(stage, step + 1, steps, preview=PREVIEW)


class PreviewOfVolumes:
    """What networks find in the volumes of their training, on the working grid.

    Args:
        study: of the volumes.
        volumes: by name, on the working grid.
        model_of: makes a network a model.
        device: where the network is.
        votes: of the model's 2-D networks on a volume's working grid; those that the volume brings by default.
    """

    def __init__(
        self,
        study: Study,
        volumes: Mapping[str, TrainingVolume],
        model_of: Callable[[nn.Module], SegmentationModel],
        device: torch.device,
        votes: Callable[[TrainingVolume, SegmentationModel], Sequence[Tensor]] = lambda volume, _: volume.slice_votes,
    ) -> None:
        self._study, self._volumes, self._model_of, self._device = study, volumes, model_of, device
        self._votes = votes
        self._grids: dict[str, Geometry] = {}

    def __call__(self, name: str, network: nn.Module) -> LabelMap:
        """The label map of a volume by a network."""
        volume, model = self._volumes[name], self._model_of(network)
        votes = self._votes(volume, model)
        predicted = predict_inputs(model, volume.inputs, volume.sector, self._device, votes)
        probability = predicted.probability.numpy()
        voxels = decide(probability, [dice_threshold(organ) for organ in probability[1:]])
        if volume.name not in self._grids:
            geometry = self._study.read_scan(volume.name).geometry
            self._grids[volume.name] = working_geometry(geometry, model.max_voxels)
        return LabelMap(voxels, self._grids[volume.name], volume.name)
