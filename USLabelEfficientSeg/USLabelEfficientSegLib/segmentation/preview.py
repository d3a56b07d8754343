"""The live preview of a student in training: its present result in the volume that somebody watches.

The result is a label map on the working grid, told in the events. If nobody watches (`study.watching`), nothing is
computed. No random number is drawn for it, so the weights do not depend on watching. A preview that fails is told, and
the training goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import torch
from torch import nn

from ..anatomy.training_volumes import TrainingVolume
from ..disk.links import refuse_link
from ..errors import InputError
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
    """Call it with the student after every step: it writes a preview every few seconds if somebody watches.

    Args:
        study: the events and the folder of the previews.
        volumes: by name, on the working grid.
        model_of: makes a student a model.
        stage: name and number of steps of the training, for events.
        device: where the student is.
    """

    def __init__(
        self,
        study: Study,
        volumes: Mapping[str, TrainingVolume],
        model_of: Callable[[nn.Module], SegmentationModel],
        stage: tuple[str, int],
        device: torch.device,
    ) -> None:
        self._study, self._volumes, self._model_of, self._stage = study, volumes, model_of, stage
        self._device = device
        self._grids: dict[str, Geometry] = {}
        self._last = time.monotonic()
        self._failed = False

    def due(self) -> bool:
        """Whether somebody watches, and has waited some seconds."""
        waited = time.monotonic() - self._last >= SECONDS_BETWEEN_PREVIEWS
        return waited and watched_volume(self._study.folder) in self._volumes

    def __call__(self, step: int, student: nn.Module) -> None:
        """Look at the student after step number `step` (from 0)."""
        if time.monotonic() - self._last < SECONDS_BETWEEN_PREVIEWS:
            return
        self._last = time.monotonic()
        name = watched_volume(self._study.folder)
        if name is None or name not in self._volumes:
            return
        stage, steps = self._stage
        was_training = student.training
        try:
            label_map = self._segmented(self._volumes[name], self._model_of(student))
            refuse_link((self._study.folder / PREVIEW).parent)
            write_label_map(self._study.folder / PREVIEW, label_map)
        except (InputError, OSError, RuntimeError, ValueError) as error:
            if not self._failed:  # told once
                self._study.events.emit(stage, step + 1, steps, message=f"no preview: {error}")
            self._failed = True
            return
        finally:
            student.train(was_training)
        self._study.events.emit(stage, step + 1, steps, preview=PREVIEW)

    def _segmented(self, volume: TrainingVolume, model: SegmentationModel) -> LabelMap:
        predicted = predict_inputs(model, volume.inputs, volume.sector, self._device, volume.slice_votes)
        probability = predicted.probability.numpy()
        voxels = decide(probability, [dice_threshold(organ) for organ in probability[1:]])
        if volume.name not in self._grids:
            geometry = self._study.read_scan(volume.name).geometry
            self._grids[volume.name] = working_geometry(geometry, model.max_voxels)
        return LabelMap(voxels, self._grids[volume.name], volume.name)
