"""2-D images on one page: a network and its partner teach each other on few labels and many images.

IDL, "Leveraging Information Divergence for Robust Semi-Supervised Fetal Ultrasound Image Segmentation", Wang et al.,
arXiv 2509.06495. UNeXt learns from the labelled images, and on the others from its partner, a Swin-Unet or its own
moving average, and from their disagreement (`divergence.objective`), in rounds (`divergence.rounds`). The moving
average of UNeXt is the model. The training resumes from its files in the study's run folder; with new labels or more
images the networks learn on (`earlier_images`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..disk.study_layout import MODEL_NAME, PAIR_NAME
from ..divergence.images import TrainingImages, image_grey, image_pixel_size, prepare_images
from ..divergence.pair import NetworkPair
from ..divergence.prediction import ZOOMS
from ..divergence.training import train_pair
from ..divergence.unext import UNeXt
from ..errors import InputError
from ..imaging.scan import LabelMap
from ..segmentation.image_model import ImageModel
from ..segmentation.image_statistics import ImageStatistics
from ..segmentation.intensity_features import IntensityFeatures, UsualIntensities
from ..segmentation.model_provenance import without_names
from ..segmentation.preview import LivePreview
from ..segmentation.zoomed_refinement import MARGINS
from ..study.coverage import check_every_organ_is_shown
from ..study.provenance import image_checksums, label_checksums, start_run
from ..study.setting_sections import DivergenceSettings
from ..study.settings import Settings
from ..study.stages import Stage
from ..study.study import Study
from ..study.waiting_labels import take_waiting
from ..training.context import TrainingContext
from ..training.memory import computing_alike
from ..training.seeds import step_seed
from .cleaning import model_of_cleaned
from .earlier_images import EarlierPair, continued_settings, set_aside_images
from .image_time import in_time
from .pair_teacher import check_partner
from .run import forget_run, stop_if
from .speeds import TRIED_STEPS, seconds_a_step

METHOD = "information-divergence"


@computing_alike()
def train_images(
    study: Study,
    settings: Settings,
    device: torch.device,
    *,
    restart: bool = False,
    cancelled: Callable[[], bool] | None = None,
) -> ImageModel:
    """Train a study of 2-D images, or go on with its training.

    A study with a model continues from it if there are labels or images that the model has not seen.

    Args:
        study: images and the labels of some of them.
        settings: see `study.settings`; the sections of volumes do not matter.
        device: where networks are trained.
        restart: forget what earlier runs left.
        cancelled: asked after every step; the state is saved and `Cancelled` raised.

    Returns:
        The model, which lies in the study as well.

    Raises:
        InputError: a study of volumes, another method, no label, a run with other settings, a damaged file, a full
            disk.
    """
    take_waiting(study)
    check_trainable(study, settings)
    started = time.monotonic()
    with study.lock():
        check_every_organ_is_shown(study)
        if restart:
            forget_run(study)
        done = model_of_cleaned(study, settings)
        if isinstance(done, ImageModel):
            return done
        earlier = open_images_run(study, settings, device)
        images = training_images(study, settings.divergence, cancelled)
        planned = settings_in_time(study, settings, device, images, earlier, started)
        pair = train_networks(study, planned, device, images, cancelled, earlier)
        model = deployed_model(study, planned, pair, device, cancelled, earlier)
        model.save(study.run_folder / MODEL_NAME)
        study.events.emit(Stage.FINISHED, 1, 1, seconds_left=0.0)
        return model


def check_trainable(study: Study, settings: Settings) -> None:
    """Refuse what this method cannot train. Raises `InputError`."""
    if study.dimension != 2:
        raise InputError(study.folder, "is a study of volumes", "train it as such")
    if settings.method != METHOD:
        problem = f"learns from volumes, and {study.folder} is a study of 2-D images"
        raise InputError(
            f"method {settings.method}", problem, f"choose --method {METHOD}", in_panel="choose the method IDL"
        )
    if all(case.labels is None for case in study.cases):
        raise InputError(study.folder, "has no labelled image", "make the study with labels of some images")


def open_images_run(study: Study, settings: Settings, device: torch.device) -> EarlierPair | None:
    """Record the run; returns the networks that learn on, after other labels or fewer images."""
    study.check_files()
    check_partner(settings.divergence)  # before anything is written: a file of weights may be a wrong one
    set_aside_images(study, settings)
    earlier = EarlierPair.of(study, settings.divergence)
    start_run(study, settings, str(device), continued_from=None if earlier is None else earlier.record)
    return earlier


def settings_in_time(
    study: Study,
    settings: Settings,
    device: torch.device,
    images: TrainingImages,
    earlier: EarlierPair | None,
    since: float,
) -> Settings:
    """The settings with the steps that fit into their time, see `image_time`."""
    due = settings.divergence if earlier is None else continued_settings(settings.divergence)
    untrained = UNeXt(images.classes).to(device).eval()

    def step() -> float:
        few = due.model_copy(update={"steps": TRIED_STEPS, "unlabelled_start": 0.0})
        start = None if earlier is None else earlier.networks
        return seconds_a_step(partial(train_pair, images, few, start=start), context_of(study, settings, device))

    def measure() -> object:
        model = image_model(study, settings, untrained)
        return model.predict(study.read_scan(study.cases[0].name), device).labels()

    return in_time(study, settings, due.steps, step, measure, since)


def train_networks(
    study: Study,
    settings: Settings,
    device: torch.device,
    images: TrainingImages,
    cancelled: Callable[[], bool] | None,
    earlier: EarlierPair | None = None,
) -> NetworkPair:
    """UNeXt and its partner learn from labelled images and from each other, or learn on; see `divergence.training`."""
    context = context_of(study, settings, device, cancelled)
    if earlier is None:
        preview = preview_of(study, settings, settings.divergence.steps, device)
        return train_pair(images, settings.divergence, context, after_step=preview)
    # A continued training draws other samples than the one before it.
    seed = step_seed(settings.seed, f"{Stage.DIVERGENCE} {earlier.sha256}", 0)
    context = replace(context, seed=seed, identity={"continued_from": earlier.sha256})
    continued = continued_settings(settings.divergence)
    preview = preview_of(study, settings, continued.steps, device)
    return train_pair(images, continued, context, start=earlier.networks, after_step=preview)


def context_of(
    study: Study, settings: Settings, device: torch.device, cancelled: Callable[[], bool] | None = None
) -> TrainingContext:
    """Of the training of the pair."""
    return TrainingContext(
        stage=Stage.DIVERGENCE,
        checkpoint_path=study.run_folder / PAIR_NAME,
        seed=settings.seed,
        events=study.events,
        device=device,
        cancelled=cancelled,
    )


def preview_of(study: Study, settings: Settings, steps: int, device: torch.device) -> LivePreview:
    """The live preview of UNeXt: one view of the image that is watched, a tenth of a second for 800 x 540 pixels."""

    def segmented(name: str, network: nn.Module) -> LabelMap:
        assert isinstance(network, UNeXt)
        model = ImageModel(network, study.organs, settings.divergence.image_size, mirrored=False)
        return model.predict(study.read_scan(name), device).labels()

    return LivePreview(study, {case.name for case in study.cases}, segmented, (Stage.DIVERGENCE, steps))


def training_images(
    study: Study, settings: DivergenceSettings, cancelled: Callable[[], bool] | None = None
) -> TrainingImages:
    """All images of the study on one canvas, with their labels if they have any."""
    greys: list[Tensor] = []
    labels: list[Tensor | None] = []
    pixel_sizes: list[tuple[float, float]] = []
    for number, case in enumerate(study.cases, start=1):
        stop_if(cancelled, f"reading stopped after {number - 1} of {len(study.cases)} images")
        image, label = study.read_scan(case.name), study.read_labels(case.name)
        greys.append(image_grey(image))
        labels.append(None if label is None else torch.from_numpy(label.voxels[..., 0].T.astype(np.int64)))
        pixel_sizes.append(image_pixel_size(image.geometry))
        study.events.emit(Stage.READING_IMAGES, number, len(study.cases))
    return prepare_images(greys, labels, pixel_sizes, classes=len(study.organs) + 1, image_size=settings.image_size)


def deployed_model(
    study: Study,
    settings: Settings,
    pair: NetworkPair,
    device: torch.device,
    cancelled: Callable[[], bool] | None,
    earlier: EarlierPair | None = None,
) -> ImageModel:
    """UNeXt with its provenance, and with statistics to warn of unusual images."""
    made_from = {
        "settings": settings.model_dump(mode="json"),
        "images": image_checksums(study),
        "labels": label_checksums(study),
        **({} if earlier is None else {"continued_from": earlier.record}),
    }
    model = replace(image_model(study, settings, pair.unext), provenance=without_names(made_from))
    areas: list[NDArray[np.floating]] = []
    sides: list[float] = []
    features: list[IntensityFeatures] = []
    for number, case in enumerate(study.cases, start=1):
        stop_if(cancelled, f"measuring stopped after {number - 1} of {len(study.cases)} images")
        prediction = model.predict(study.read_scan(case.name), device)
        sides += prediction.geometry.spacing[:2]
        assert prediction.features is not None
        features.append(prediction.features)
        pixel_mm2 = float(np.prod(prediction.geometry.spacing[:2]))
        counts = np.bincount(prediction.labels().voxels.ravel(), minlength=len(study.organs) + 1)
        areas.append(counts[1:] * pixel_mm2)
        study.events.emit(Stage.MEASURING, number, len(study.cases))
    found = [column[column > 0] for column in np.array(areas).T]
    ranges = tuple((float(column.min()), float(column.max())) if len(column) else None for column in found)
    intensities = UsualIntensities.of(features)
    statistics = ImageStatistics(areas_mm2=ranges, pixel_mm=(min(sides), max(sides)), intensities=intensities)
    return replace(model, statistics=statistics)


def image_model(study: Study, settings: Settings, network: UNeXt) -> ImageModel:
    """A network as it is deployed, with all its views."""
    return ImageModel(
        network=network,
        organs=study.organs,
        image_size=settings.divergence.image_size,
        mirrored=settings.divergence.flip,
        zooms=ZOOMS,
        zoom_margins=MARGINS,
    )
