"""The earlier networks of a study of 2-D images, when it is trained again with other labels or more images.

As with volumes (`earlier_training`), the finished model is set aside in the run folder under a name of its own, and so
are its networks: they learn on, in one more round (`divergence.rounds`), and teach themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from ..disk.files import sha256_of, writing
from ..disk.in_use import remove_file, replace_file
from ..disk.study_layout import EARLIER_MODEL_NAME, EARLIER_PAIR_NAME, MODEL_NAME, PAIR_NAME
from ..divergence.pair import NetworkPair
from ..errors import InputError
from ..segmentation.image_model import ImageModel
from ..study.provenance import images_added, labels_changed, read_continued_from, read_settings
from ..study.setting_sections import DivergenceSettings
from ..study.settings import Settings
from ..study.stages import Stage
from ..study.study import Study
from ..training.loop import is_complete, load_modules

STEPS_SHARE = 1 / 3  # of the steps: what a round after the first has by default
LEARNING_RATE_SHARE = 0.3  # a larger rate would lead away from what the networks know, as of the 3-D students


@dataclass(frozen=True)
class EarlierPair:
    """The networks that a training of images continues from.

    Attributes:
        networks: UNeXt, which the earlier model deploys, and its partner.
        sha256: of the file of the earlier model.
        provenance: of the earlier model.
    """

    networks: NetworkPair
    sha256: str
    provenance: dict[str, Any]

    @property
    def record(self) -> dict[str, Any]:
        """The provenance's record of it: its checksum, and its own provenance."""
        return {"sha256": self.sha256, **self.provenance}

    @classmethod
    def of(cls, study: Study, settings: DivergenceSettings) -> EarlierPair | None:
        """The networks that were set aside in a study, None when there are none.

        Raises:
            InputError: a file is damaged, missing, or not the one that the run was started with.
        """
        path, pair_path = study.run_folder / EARLIER_MODEL_NAME, study.run_folder / EARLIER_PAIR_NAME
        if not path.exists():
            return None
        problem = "is not what the training continues from"
        sha256, recorded = sha256_of(path), read_continued_from(study)
        if recorded is not None and not _has_news(study) and sha256 != recorded["sha256"]:
            raise InputError(
                path,
                problem,
                "restore it, or use --restart",
                in_panel="restore it, or train it anew with another preset",
            )
        model = ImageModel.load(path)
        width = settings.transformer_width if settings.partner == "swin-unet" else None
        networks = NetworkPair(len(model.organs) + 1, width)
        load_modules(pair_path, {"averages": networks})
        deployed = model.network.state_dict()
        if not all(torch.equal(tensor, deployed[name]) for name, tensor in networks.unext.state_dict().items()):
            raise InputError(
                pair_path,
                problem,
                "restore it, or use --restart",
                in_panel="restore it, or train it anew with another preset",
            )
        return cls(networks, sha256, model.provenance)


def set_aside_images(study: Study, settings: Settings) -> None:
    """Before a training: keep what it continues from, and remove what no longer fits the labels and images.

    A training with other settings than before is left alone: it will be refused. If this is killed at any point, the
    next call ends in the same state.
    """
    if read_settings(study) != settings or not _has_news(study):
        return
    folder = study.run_folder
    model, pair = folder / MODEL_NAME, folder / PAIR_NAME
    with writing(folder):
        if model.exists():
            if pair.exists() and is_complete(pair):
                replace_file(pair, folder / EARLIER_PAIR_NAME)
            if (folder / EARLIER_PAIR_NAME).exists():
                replace_file(model, folder / EARLIER_MODEL_NAME)
            else:  # the study was cleaned: without the partner nothing can be learnt on
                remove_file(model)
        remove_file(pair, missing_ok=True)
    if (folder / EARLIER_MODEL_NAME).exists():
        study.events.emit(Stage.CONTINUING, 1, 1)
        return
    message = "labels or images have changed: the networks are trained anew"
    study.events.emit(Stage.READING_IMAGES, 0, len(study.cases), message=message)


def continued_settings(settings: DivergenceSettings) -> DivergenceSettings:
    """The settings of networks that learn on: fewer steps, with a lower learning rate."""
    return settings.model_copy(
        update={
            "steps": max(1, round(STEPS_SHARE * settings.steps)),
            "learning_rate": LEARNING_RATE_SHARE * settings.learning_rate,
            "transformer_learning_rate": LEARNING_RATE_SHARE * settings.transformer_learning_rate,
        }
    )


def _has_news(study: Study) -> bool:
    return labels_changed(study) or images_added(study)
