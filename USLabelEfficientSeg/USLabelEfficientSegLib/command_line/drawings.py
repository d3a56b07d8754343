"""What a user has drawn in the very volumes that are segmented: `segment --prompts`."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from ..text.display import printable

if TYPE_CHECKING:
    from ..imaging.dimension import Dimension
    from ..prompting.correction import CorrectedModel
    from ..segmentation.loading import TrainedModel


def corrected_by(folder: Path, model: "TrainedModel", images: Mapping[str, Path]) -> "CorrectedModel":
    """A model that follows the drawings in a folder, label maps of the names of their images.

    Raises:
        InputError: a model of 2-D images, no label maps, one that belongs to no image, or a drawing that says nothing
            or is of an organ that the model lacks.
    """
    from ..annotation.label_files import read_volume_labels
    from ..prompting.correction import CorrectedModel
    from ..prompting.drawing import check_drawn
    from ..segmentation.model import SegmentationModel

    files = drawing_files(folder, model.dimension, images)
    assert isinstance(model, SegmentationModel)
    drawings = {name: read_volume_labels(path, model.organs) for name, path in files.items()}
    for name, drawing in drawings.items():
        check_drawn(drawing, model.organs, name)
    return CorrectedModel(model, drawings)


def drawing_files(folder: Path, dimension: "Dimension", images: Mapping[str, Path]) -> dict[str, Path]:
    """The files of such drawings by the name of their image, unread, for a model of so many dimensions.

    Raises:
        InputError: as `corrected_by` does.
    """
    from ..imaging.files import find_images

    if dimension == 2:
        raise InputError("--prompts", "are for volumes, and this model is of 2-D images", "leave them out")
    files = find_images(folder, labels=True)
    strangers = [printable(name) for name in files if name not in images]
    if strangers:
        problem = f"holds a drawing of {', '.join(strangers)}, which is none of the images"
        raise InputError(folder, problem, "give drawings the names of their images, or segment those images, too")
    return files
