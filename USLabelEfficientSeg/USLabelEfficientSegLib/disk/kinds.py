"""What a user's path is: a study, a model file or an image. Nothing is read to tell."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from ..errors import InputError
from .study_layout import (
    BUNDLE_METADATA,
    BUNDLE_MODEL,
    GRAPH_SUFFIX,
    GRAPHS_DESCRIPTION,
    GRAPHS_MODEL,
    MANIFEST_NAME,
    WEIGHTS_SUFFIX,
)
from .suffixes import PICTURE_SUFFIXES, READ_SUFFIXES, suffix_of

Kind = Literal["a study", "a model", "an image"]


def kind_of(path: Path) -> Kind | None:
    """What a path is, by its name and its manifest; None for anything else, such as a folder of images."""
    if (path / MANIFEST_NAME).is_file():
        return "a study"
    if is_export(path):
        return "a model"
    if not path.is_file():
        return None
    if path.suffix.lower() == WEIGHTS_SUFFIX:
        return "a model"
    return "an image" if suffix_of(path) in (*READ_SUFFIXES, *PICTURE_SUFFIXES, ".dcm") else None


def is_export(path: Path) -> bool:
    """Whether a path is the folder of an exported model: a MONAI bundle, or ONNX graphs, of this or another program."""
    if (path / MANIFEST_NAME).exists():
        return False
    return (path / BUNDLE_METADATA).is_file() or _has_graphs(path)


def exported_model(folder: Path) -> Path:
    """The model file of an exported model. Raises `InputError` for one of another program."""
    graphs = _has_graphs(folder)
    file = folder / (GRAPHS_MODEL if graphs else BUNDLE_MODEL)
    if not file.is_file():
        problem = "has ONNX graphs, but not the model itself" if graphs else "is a MONAI bundle of another program"
        remedy, in_panel = "give one that `uslabelseg export-model` has made", "give a bundle of this program"
        raise InputError(folder, problem, remedy, in_panel=in_panel)
    return file


def _has_graphs(path: Path) -> bool:
    return (path / GRAPHS_DESCRIPTION).is_file() and any(path.glob(f"*{GRAPH_SUFFIX}"))


def check_model(path: Path) -> None:
    """Refuse an image where the folder of a trained study or a model file is needed."""
    if kind_of(path) == "an image":
        raise InputError(path, "is an image, not a model", "give the folder of a trained study or a model file")


def check_images(paths: Iterable[Path], wanted: str = "an image") -> None:
    """Refuse a study and a model where images, or what `wanted` names, are needed."""
    for path in paths:
        kind = kind_of(path)
        if kind in ("a study", "a model"):
            raise InputError(path, f"is {kind}, not {wanted}", f"give {wanted} or a folder of them")


def check_order(command: str, model: Path, images: Sequence[Path]) -> None:
    """Refuse a model and images in the wrong order, and tell the right one."""
    kind = kind_of(model)
    if kind in ("a study", "a model"):
        return
    for path in images:
        if (other := kind_of(path)) in ("a study", "a model"):
            problem = f"is {kind or 'neither a study nor a model'}, and {path} is {other}: they are in the wrong order"
            raise InputError(
                model,
                problem,
                f"write `uslabelseg {command} {path} {model} ...`",
                in_panel="give the model in place of the image",
            )
