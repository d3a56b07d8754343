"""What a finished training leaves and could make again: checkpoints, features of the teacher, pseudo-labels.

The model, `run.json` and the events stay, and with them all that segments, measures, suggests and reports. A training
with new labels or volumes continues from the model as ever; only what the teacher knew is learnt again. The command
that trains leaves the teacher for that (`tidy`), `study clean` does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..disk.files import writing
from ..disk.in_use import remove_file, remove_tree
from ..disk.study_layout import FEATURES, MODEL_NAME, PSEUDO_LABELS, TEACHER_NAME, VOLUMES, WEIGHTS_SUFFIX
from ..segmentation.loading import TrainedModel, load_model
from ..study.provenance import labels_changed, read_settings, same_images
from ..study.settings import Settings
from ..study.stages import Stage
from ..study.study import Study

_EARLIER = "continued_from"  # what a training began with: goes last, so that a killed cleaning leaves a whole run


@dataclass(frozen=True)
class Cleaned:
    """What was removed from the run folder of a study, or would be.

    Attributes:
        removed: bytes of each kind, of those that there are.
        kept: bytes that stay.
        model: bytes of the model, which is among what stays.
    """

    removed: dict[str, int]
    kept: int
    model: int


def clean(study: Study, *, dry_run: bool = False) -> Cleaned:
    """Remove from a trained study what its training could make again.

    Args:
        study: finished; its model is read first, so that nothing is removed beside a damaged one.
        dry_run: remove nothing, only count.

    Raises:
        InputError: somebody trains or writes the study; it has no finished model, or a damaged one; no permission.
    """
    with study.lock():
        load_model(study.folder)
        sizes = {kind: sum(map(_bytes_of, paths)) for kind, paths in _leftovers(study).items() if paths}
        whole = _bytes_of(study.run_folder)
        if not dry_run:
            with writing(study.run_folder):
                for path in (path for paths in _leftovers(study).values() for path in paths):
                    remove_tree(path) if path.is_dir() else remove_file(path)
        model = (study.run_folder / MODEL_NAME).stat().st_size
        return Cleaned(sizes, whole - sum(sizes.values()), model)


def tidy(study: Study) -> None:
    """Remove what a study needs no longer once its training has ended: all that `clean` does, but no teacher.

    Raises:
        InputError: somebody trains or writes the study; no permission.
    """
    with study.lock():
        if not (study.run_folder / MODEL_NAME).exists():
            return
        with writing(study.run_folder):
            for path in _done_with(study):
                remove_tree(path) if path.is_dir() else remove_file(path)


def model_of_cleaned(study: Study, settings: Settings) -> TrainedModel | None:
    """The model of a study that was tidied or cleaned, if a training with these settings would only make it once more.

    Without this, the command that continues a training would repeat all of a finished one.

    Args:
        study: the caller holds its lock.
        settings: of the training.
    """
    if not (study.run_folder / MODEL_NAME).exists() or _done_with(study):
        return None
    study.check_files()
    if read_settings(study) != settings or not same_images(study) or labels_changed(study):
        return None
    study.events.emit(Stage.FINISHED, 1, 1, seconds_left=0.0)
    return load_model(study.folder)


def _done_with(study: Study) -> list[Path]:
    """Files and folders that can go but the networks that a later training may learn on with."""
    of_kinds = _leftovers(study)
    del of_kinds["networks of earlier trainings"]
    return [path for paths in of_kinds.values() for path in paths if path.name != TEACHER_NAME]


def _leftovers(study: Study) -> dict[str, list[Path]]:
    """Files and folders that can go, by their kind, in the order in which they go."""
    run = study.run_folder
    networks = sorted(path for path in run.glob(f"*{WEIGHTS_SUFFIX}") if path.name != MODEL_NAME)
    return {
        "volumes": [path for path in (run / VOLUMES,) if path.is_dir()],  # of a training that was killed
        "pseudo-labels": [path for path in (run / PSEUDO_LABELS,) if path.is_dir()],
        "features": [path for path in (run / FEATURES,) if path.is_dir()],
        "checkpoints": [path for path in networks if not path.name.startswith(_EARLIER)],
        "networks of earlier trainings": [path for path in networks if path.name.startswith(_EARLIER)],
    }


def _bytes_of(path: Path) -> int:
    return sum(file.stat().st_size for file in _files(path))


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    for file in path.rglob("*"):
        if file.is_file():
            yield file
