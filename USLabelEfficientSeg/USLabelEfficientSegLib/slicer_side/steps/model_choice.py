"""What a path that the user gives for a model is: a model file, the folder of a trained study, or neither."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from slicer.i18n import tr as _

from ...disk.study_layout import MANIFEST_NAME, MODEL_NAME, WEIGHTS_SUFFIX, run_file


@dataclass(frozen=True)
class ModelChoice:
    """A model, or what is wrong with the path.

    Attributes:
        path: of the file; None where there is none.
        problem: a sentence with the remedy; "" where nothing is wrong.
    """

    path: Path | None
    problem: str = ""


def model_at(text: str) -> ModelChoice:
    """The model of a path as it was typed. Whether the file is whole, the calculation tells."""
    path = Path(text.strip())
    if not text.strip():
        return ModelChoice(None, _("Choose a model file (.safetensors), or the folder of a trained study."))
    try:
        is_folder, is_file = path.is_dir(), path.is_file()
    except (OSError, ValueError):  # longer than a path can be, or with a character that no path has
        is_folder = is_file = False
    if is_file:
        if path.suffix == WEIGHTS_SUFFIX:
            return ModelChoice(path)
        return ModelChoice(None, _("This is no model file; its name would end with .safetensors."))
    if not is_folder:
        return ModelChoice(None, _("There is no such file or folder; check the path."))
    if not (path / MANIFEST_NAME).is_file():
        return ModelChoice(None, _("This folder holds no study; choose the folder of a study, or a model file."))
    if not run_file(path, MODEL_NAME).is_file():
        return ModelChoice(None, _("The study in this folder is not trained to the end; train it, or choose another."))
    return ModelChoice(run_file(path, MODEL_NAME))
