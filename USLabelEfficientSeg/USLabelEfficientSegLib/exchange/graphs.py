"""The networks of a model as graphs of their own: each with what it reads and gives, for other programs."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from ..errors import InputError
from ..imaging.normalisation import IMAGE_CHANNELS, POSITION_CHANNELS
from ..promptable_network.network import CHANNELS, CUBE
from ..promptable_network.starter import load_starter
from ..segmentation.image_model import ImageModel
from ..segmentation.loading import TrainedModel
from ..segmentation.model import SegmentationModel
from ..segmentation.slice_voters import SliceVoter, SliceVoters
from ..slice_network.adaptation import AT_ONCE, MOST_SLICES
from ..slice_network.fine_volume import NEUTRAL, SPREAD
from ..slice_network.network import SliceUNet
from ..student.convolution import FastConv3d, FastConvTranspose3d
from ..student.network import UNetStudent
from ..teacher.slices import in_slice_axes
from ..teacher.vit import IMAGENET_MEAN, IMAGENET_STD
from .levels import MeasuredLevels, ToldLevels, TrainedLevels

Network = TypeVar("Network", bound=nn.Module)
LOGITS = "logits"  # the output of all graphs but those of levels
ENDS = "ends"  # the graph of the network that knows organs, which comes with the program
_CELL = 16  # voxels of the promptable network's coarsest level
_IMAGE_SIZE = (96, 72)  # at which UNeXt is traced and checked; it reads any size


@dataclass(frozen=True)
class Graph:
    """A network that becomes a graph.

    Attributes:
        name: of its file, without suffix.
        network: as the model applies it.
        traced: the same without what a graph cannot hold; it reads only whole cells.
        channels: of its input.
        cells: pixels or voxels of a cell along each axis of the image: sizes are whole multiples.
        fewest_cells: together, along the axis that has the most.
        description: of input, output and place in the model, as JSON values.
        more_inputs: of the traced network and the network alike, examples by name; their sizes are fixed.
        levels: the graph that measures what a volume's levels are, for one that is told them.
    """

    name: str
    network: nn.Module
    traced: nn.Module
    channels: int
    cells: tuple[int, ...]
    description: dict[str, Any]
    fewest_cells: int = 1
    examples: tuple[tuple[int, ...], ...] = field(default=())
    more_inputs: Mapping[str, Tensor] = field(default_factory=dict)
    levels: Graph | None = None

    @property
    def is_dense(self) -> bool:
        """Whether it gives values for each pixel or voxel."""
        return bool(self.description["output"]["name"] == LOGITS)

    @property
    def reads_any_size(self) -> bool:
        """Whether nothing need be padded."""
        return max(self.cells) == 1


def graphs_of(model: TrainedModel) -> list[Graph]:
    """The networks of a model, in the order of its votes; the location prior is none: ten numbers an organ tell it.

    Raises:
        InputError: a network that cannot be a graph.
    """
    if isinstance(model, ImageModel):
        return [_of_images(model)]
    graphs = [_student(model, number) for number in range(len(model.networks))]
    if model.slices is not None:
        before = len(graphs)
        graphs += [_slice_voter(voter, number, before, model) for number, voter in enumerate(model.slices.voters)]
        if model.slices.ends:
            graphs.append(_ends(model.slices))
    return graphs


def _slice_voter(voter: SliceVoter, number: int, before: int, model: SegmentationModel) -> Graph:
    network = voter.network
    assert isinstance(network, SliceUNet)
    rows, columns = in_slice_axes(voter.axis)
    graph = Graph(
        name=f"slices_{number + 1}",
        network=network.eval(),
        traced=network.eval(),
        channels=1,
        cells=(network.cell, network.cell),
        examples=((2, 3 * network.cell, 5 * network.cell), (1, 4 * network.cell - 3, network.cell + 1)),
        description={
            "kind": "2-D network on slices",
            "weight": _weight(model, before + number),
            "slice axis": voter.axis,
            "rows": f"array axis {rows}",
            "columns": f"array axis {columns}",
            "longer side of a slice in pixels, which are square in mm": voter.size,
            "mirrored too along": [axis for axis in (rows, columns) if axis in model.mirrored_axes],
            "input": {
                "name": "images",
                "layout": "batch, 1, rows, columns",
                "values": "(grey - mean) / standard deviation, of the grey values of the fine grid",
                "mean": NEUTRAL,
                "standard deviation": SPREAD,
                "padding": _padding(network.cell),
            },
            "output": _output("batch, class, rows, columns"),
        },
    )
    share = 0.0 if model.slices is None else model.slices.adaptation
    return _told_levels(graph, network, share, f"levels_{number + 1}") if share else graph


def _told_levels(graph: Graph, network: SliceUNet, share: float, name: str) -> Graph:
    """The graph of a network that adapts to volumes, with the one that measures their levels."""
    told = ToldLevels(network, share)
    use = f"the mean of what {name}.onnx gives of the volume's slices"
    return replace(
        graph,
        network=told,
        traced=told,
        more_inputs={"levels": told.of_training.clone()},
        description={**graph.description, "second input": {"name": "levels", "values": use}},
        levels=replace(
            graph,
            name=name,
            network=TrainedLevels(network),
            traced=MeasuredLevels(network),
            description={
                "kind": "levels of a volume's slices",
                "most slices": MOST_SLICES,
                "which": "evenly spread along the axis, the first and the last among them",
                "slices at once": AT_ONCE,
                "input": graph.description["input"],
                "output": {"name": "levels", "values": "to be averaged over the runs, each run counts alike"},
            },
        ),
    )


def _student(model: SegmentationModel, number: int) -> Graph:
    network = model.networks[number]
    if not isinstance(network, UNetStudent):
        raise InputError(
            "the model",
            "has the published 3-D network, which is not exported as a graph",
            "export it with --format monai-bundle",
            in_panel="export it as a MONAI bundle",
        )
    i, j, k = (prod(steps) for steps in zip(*network.strides, strict=True))
    return Graph(
        name=f"volume_{number + 1}",
        network=network.eval(),
        traced=_WholeCells(network).eval(),
        channels=IMAGE_CHANNELS + POSITION_CHANNELS,
        cells=(i, j, k),
        fewest_cells=2,
        examples=((1, 3 * i, 2 * j, 4 * k), (1, 2 * i + 1, 3 * j - 1, 2 * k)),
        description={
            "kind": "3-D network",
            "weight": _weight(model, number),
            "largest window in voxels": model.window,
            "overlap of windows": model.overlap,
            "mirrored too along": list(model.mirrored_axes),
            "input": {
                "name": "volume",
                "layout": "1, channel, i, j, k",
                "channels": ["z-score in the sector", "local z-score", "position i", "position j", "position k"],
                "padding": _padding(i, j, k),
            },
            "output": _output("1, class, i, j, k"),
        },
    )


def _ends(slices: SliceVoters) -> Graph:
    network = load_starter()
    return Graph(
        name=ENDS,
        network=network,
        traced=_plain(network),
        channels=len(CHANNELS),
        cells=(_CELL, _CELL, _CELL),
        examples=((1, CUBE, CUBE, CUBE), (1, 2 * _CELL, CUBE, CUBE + _CELL)),
        description={
            "kind": "3-D network that knows organs, asked where they end",
            "weight": slices.ends,
            "slice axis": slices.voters[0].axis,
            "input": {
                "name": "cube",
                "layout": f"1, channel, {CUBE}, {CUBE}, {CUBE}",
                "channels": list(CHANNELS),
                "padding": "none",
            },
            "output": {
                "name": LOGITS,
                "layout": "1, 1, i, j, k",
                "values": "log-odds of the organ",
            },
        },
    )


def _of_images(model: ImageModel) -> Graph:
    height, width = _IMAGE_SIZE
    return Graph(
        name="image_1",
        network=model.network.eval(),
        traced=model.network.eval(),
        channels=3,
        cells=(1, 1),
        examples=((2, height, width), (1, height - 3, width + 5)),
        description={
            "kind": "2-D network on images",
            "weight": 1.0,
            "longer side of an image in pixels, which are square in mm": model.image_size,
            "mirrored too along": ["columns"] if model.mirrored else [],
            "zooms": list(model.zooms),
            "margins of zoomed parts": list(model.zoom_margins),
            "input": {
                "name": "images",
                "layout": "batch, 3 equal channels, rows, columns",
                "values": "(grey - mean) / standard deviation, channel by channel, of grey values in [0, 1]",
                "mean": list(IMAGENET_MEAN),
                "standard deviation": list(IMAGENET_STD),
                "padding": "none: any size from 32 pixels a side",
            },
            "output": _output("batch, class, rows, columns"),
        },
    )


def _weight(model: SegmentationModel, vote: int) -> float:
    return float(model.weights[vote]) if model.weights else 1.0


def _padding(*cells: int) -> str:
    sizes = " x ".join(map(str, cells)) if len(cells) > 1 else str(cells[0])
    return f"at the far ends, by repeating the last values, to whole multiples of {sizes}; the output is cropped again"


def _output(layout: str) -> dict[str, Any]:
    return {"name": LOGITS, "layout": layout, "values": "logits of the classes, background first: softmax them"}


class _WholeCells(nn.Module):
    """A student without padding and without layouts of its own convolutions."""

    def __init__(self, student: UNetStudent) -> None:
        super().__init__()
        self.student = _plain(student)

    def forward(self, volume: Tensor) -> Tensor:
        """Logits of (B, channels, I, J, K), sizes whole multiples of the cells."""
        decoded = self.student.across(self.student.down(volume))
        logits: Tensor = self.student.up(decoded) + self.student.prior(volume[:, -POSITION_CHANNELS:])
        return logits


def _plain(network: Network) -> Network:
    """A copy without layouts of its own convolutions, in evaluation mode."""
    network = copy.deepcopy(network)
    for module in network.modules():
        for fast, plain in ((FastConv3d, nn.Conv3d), (FastConvTranspose3d, nn.ConvTranspose3d)):
            if type(module) is fast:
                module.__class__ = plain  # type: ignore[assignment]  # the way back
    return network.eval()


def example_of(graph: Graph, shape: tuple[int, ...], seed: int) -> Tensor:
    """A random input (batch, channels, ...) of `shape` (batch, ...)."""
    generator = torch.Generator().manual_seed(seed)
    batch, *size = shape
    return torch.randn(batch, graph.channels, *size, generator=generator)
