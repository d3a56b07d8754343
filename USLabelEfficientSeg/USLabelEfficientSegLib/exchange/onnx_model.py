"""A model that computes with its ONNX graphs in place of its networks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

import torch
from torch import Tensor, nn

from ..disk.study_layout import GRAPH_SUFFIX
from ..segmentation.image_model import ImageModel
from ..segmentation.loading import TrainedModel
from ..segmentation.model import SegmentationModel
from ..segmentation.slice_voters import SliceVoter
from ..slice_network.adaptation import spread_slices
from ..slice_network.fine_volume import FineVolume
from .graphs import ENDS, Graph, graphs_of
from .onnx_network import OnnxNetwork

if TYPE_CHECKING:
    from ..divergence.unext import UNeXt

Exported = TypeVar("Exported", bound=TrainedModel)


def model_of_graphs(model: Exported, folder: Path) -> Exported:
    """A model that segments with the graphs that were exported of it, on the CPU in float32.

    The network that is asked where organs end stays the program's own: its graph is no part of what was trained.

    Args:
        model: that was exported.
        folder: of its graphs.

    Raises:
        InputError: onnxruntime is not installed.
    """
    graphs = [graph for graph in graphs_of(model) if graph.name != ENDS]
    networks = [_network(graph, folder) for graph in graphs]
    if isinstance(model, ImageModel):
        return replace(model, network=cast("UNeXt", networks[0]))  # it is only called
    return cast("Exported", _of_volumes(model, graphs, networks, folder))


def _of_volumes(
    model: SegmentationModel, graphs: list[Graph], networks: list[OnnxNetwork], folder: Path
) -> SegmentationModel:
    students = len(model.networks)
    model = replace(model, networks=tuple(networks[:students]))
    if model.slices is None:
        return model
    voters = [
        GraphVoter(network, voter.axis, voter.size, None if graph.levels is None else _network(graph.levels, folder))
        for voter, network, graph in zip(model.slices.voters, networks[students:], graphs[students:], strict=True)
    ]
    return replace(model, slices=replace(model.slices, voters=tuple(voters)))


@dataclass(frozen=True)
class GraphVoter(SliceVoter):
    """A 2-D network as a graph.

    Attributes:
        measured: the graph of levels, if the network adapts to volumes.
    """

    measured: OnnxNetwork | None = None

    def network_of(self, volume: FineVolume, share: float, device: torch.device) -> nn.Module:
        """The graph, told the levels of a volume; their share is a part of it."""
        if self.measured is None:
            return self.network
        slices = spread_slices(volume.grey, volume.spacing, self.axis, self.size)
        return _Told(self.network, torch.stack([self.measured(some) for some in slices]).mean(dim=0))


class _Told(nn.Module):
    def __init__(self, network: nn.Module, levels: Tensor) -> None:
        super().__init__()
        self.network, self.levels = network, levels

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(images, self.levels)
        return logits


def _network(graph: Graph, folder: Path) -> OnnxNetwork:
    return OnnxNetwork(folder / f"{graph.name}{GRAPH_SUFFIX}", graph.cells, graph.fewest_cells, dense=graph.is_dense)
