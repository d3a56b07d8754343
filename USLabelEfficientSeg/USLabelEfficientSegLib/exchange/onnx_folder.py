"""A model as a folder of ONNX graphs, with JSON and a page that tell what is to be done before and after them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..anatomy.location_prior import LARGEST
from ..disk.files import atomic_write_json, atomic_write_text
from ..disk.study_layout import GRAPH_SUFFIX, GRAPHS_DESCRIPTION, GRAPHS_MODEL
from ..segmentation.image_model import ImageModel
from ..segmentation.loading import TrainedModel
from ..segmentation.model import SegmentationModel
from ..segmentation.model_provenance import without_names
from .graphs import Graph, graphs_of
from .onnx_network import TOLERANCE, write_graph

FORMAT = 1
CARD, TEMPLATE = "README.md", "template.npz"


def write_onnx_folder(model: TrainedModel, folder: Path, card: str) -> list[str]:
    """Write the graphs of a model, each checked against its network, all that tells how to use them, and the model.

    Args:
        model: of volumes or of images.
        folder: empty.
        card: the text of the page.

    Returns:
        A line on each graph.

    Raises:
        InputError: a package is missing, a network cannot be a graph, or a graph differs from its network.
    """
    graphs, told = graphs_of(model), []
    for graph in [*graphs, *(one.levels for one in graphs if one.levels is not None)]:
        difference = write_graph(graph, folder / f"{graph.name}{GRAPH_SUFFIX}")
        checked = {"largest difference from the network": difference, "allowed": TOLERANCE}
        atomic_write_json(folder / f"{graph.name}.json", {**graph.description, "checked": checked})
        told.append(
            f"{graph.name}{GRAPH_SUFFIX}: {graph.description['kind']}, differs by {difference:.1g} from the network"
        )
    atomic_write_json(folder / GRAPHS_DESCRIPTION, _description(model, graphs))
    replace(model, provenance=without_names(model.provenance)).save(folder / GRAPHS_MODEL)
    if isinstance(model, SegmentationModel) and model.template is not None:
        np.savez(folder / TEMPLATE, edges=model.template.edges.numpy(), window=model.template.window.numpy())
    atomic_write_text(folder / CARD, card)
    return told


def _description(model: TrainedModel, graphs: Sequence[Graph]) -> dict[str, Any]:
    calibration = None if model.calibration is None else model.calibration.model_dump(mode="json")
    return {
        "format": FORMAT,
        "made by": f"US Label-Efficient Segmentation {__version__}",
        "checksum of the model": model.digest(),
        "dimension": model.dimension,
        "labels": {str(value): name for value, name in enumerate(("background", *model.organs))},
        "graphs": [f"{graph.name}{GRAPH_SUFFIX}" for graph in graphs],
        **({} if isinstance(model, ImageModel) else _of_volumes(model)),
        "intervals": calibration,
    }


def _of_volumes(model: SegmentationModel) -> dict[str, Any]:
    prior = None
    if model.prior is not None:
        prior = {
            "weight": float(model.weights[-1]) if model.weights else 1.0,
            "terms": ["1", "x", "y", "z", "x x", "y y", "z z", "x y", "x z", "y z"],
            "coefficients of each organ": model.prior.coefficients.tolist(),
            "log-odds against background are within": [-LARGEST, LARGEST],
        }
    scaling = None if model.scaling is None else model.scaling.model_dump(mode="json")
    return {
        "order of axes": model.orientation,
        "voxels of the working grid along an axis, at most": model.max_voxels,
        "voxels of the fine grid along an axis, at most": None if model.slices is None else model.slices.max_voxels,
        "location prior": prior,
        "template": None if model.template is None else TEMPLATE,
        "scaling": scaling,
    }
