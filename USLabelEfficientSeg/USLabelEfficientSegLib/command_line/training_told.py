"""What `uslabelseg train` says before and after."""

from collections.abc import Collection
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING

from ..text.durations import duration
from .console import console, shell
from .studies import tell_next, tell_what_decides

if TYPE_CHECKING:
    from ..study.settings import Settings
    from ..study.study import Study


def tell_what(study: "Study", settings: "Settings") -> None:
    """Tell what is trained, and how."""
    method = f"method {settings.method}, " if study.dimension == 2 else ""
    console.say(f"Training {study.folder}: {method}preset {settings.preset}, seed {settings.seed}.")


def tell_time(study: "Study", settings: "Settings", where: str, slice_pixels: Collection[float]) -> None:
    """An estimate if there is an honest one: for the preset quick, unchanged, on a processor."""
    from ..disk.study_layout import MODEL_NAME
    from ..study.coverage import labelled_axes, volumes_with_organs
    from ..study.settings import preset
    from ..study.training_time import seconds_on_processor

    slices = sum(len(case.labels.slices) for case in study.cases if case.labels is not None)
    unchanged = settings == preset(settings.preset).model_copy(update={"seed": settings.seed})
    anew = not (study.run_folder / MODEL_NAME).exists()
    known = study.dimension == 3 and anew and unchanged and where == "cpu"
    estimate = seconds_on_processor(
        settings.preset,
        len(study.cases),
        slices,
        axes=len(labelled_axes(study)),
        labelled_volumes=volumes_with_organs(study),
        slice_pixels=mean(slice_pixels) if slice_pixels else None,
    )
    if estimate is None or not known:
        console.say(f"On {where}. How long it takes, shows once its first steps are measured.")
        return
    longer = f", or {duration(estimate.most)} where it helps to know where organs lie"
    console.say(
        f"On {where}. It takes about {duration(estimate.least)} on one core of a server's processor"
        f"{longer if estimate.most > estimate.least else ''}; less where other cores are idle."
    )


def tell_model_of(folder: Path) -> None:
    """Tell the model that has come from elsewhere, or what comes next if there is none yet."""
    from ..disk.study_layout import MODEL_NAME
    from ..study.study import Study

    opened = Study.open(folder)
    (tell_model if (opened.run_folder / MODEL_NAME).exists() else tell_next)(opened)


def tell_model(study: "Study") -> None:
    """Tell what decides in the model, where it is, and what comes next."""
    from ..disk.study_layout import MODEL_NAME

    tell_what_decides(study)
    console.say(f"Model: {study.run_folder / MODEL_NAME}")
    console.next(f"uslabelseg segment {shell(study.folder)} IMAGE... --output segmentations")
