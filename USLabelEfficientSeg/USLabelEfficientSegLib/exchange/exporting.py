"""Export of a model for other programs: a whole folder, or nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ..disk.kinds import kind_of
from ..disk.new_folder import new_folder, refuse_existing
from ..segmentation.loading import load_model
from ..study.study import Study
from .facts import facts_of
from .model_card import model_card
from .monai_bundle import BUNDLE_USE, write_bundle
from .onnx_folder import write_onnx_folder
from .onnx_use import onnx_use

Format = Literal["monai-bundle", "onnx"]
NO_LICENCE = "None is granted: ask those who trained the model. The program that runs it is under Apache-2.0."
UNNAMED = "those who trained the model"


def export_model(
    path: Path, output: Path, form: Format, *, licence: str = NO_LICENCE, authors: str = UNNAMED
) -> list[str]:
    """Export a model into a new folder.

    Args:
        path: folder of a trained study, a model file, or a bundle.
        output: the new folder; it appears complete or not at all.
        form: a MONAI bundle, or ONNX graphs.
        licence: of the model, for its card.
        authors: of the model, for its metadata.

    Returns:
        A line on each graph.

    Raises:
        InputError: no trained model, a folder that exists, a missing package, a graph that differs from its network.

    Examples:
        >>> export_model(Path("my-study"), Path("bundle"), "monai-bundle")
        []
        >>> sorted(file.name for file in Path("bundle").rglob("*.*"))
        ['README.md', 'inference.json', 'metadata.json', 'model.safetensors']
    """
    refuse_existing(output)
    model = load_model(path)
    facts = facts_of(model, Study.open(path) if kind_of(path) == "a study" else None)
    with new_folder(output) as folder:
        if form == "onnx":
            return write_onnx_folder(model, folder, model_card(model, facts, licence, onnx_use(model)))
        card = model_card(model, facts, licence, BUNDLE_USE)
        write_bundle(model, folder, facts, card, licence=licence, authors=authors)
        return []
