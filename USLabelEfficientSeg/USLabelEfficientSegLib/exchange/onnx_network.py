"""A network as an ONNX graph: written, read again, and compared with the network that it was made from."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import InputError
from .extras import imported
from .graphs import Graph, example_of

OPSET = 18
TOLERANCE = 1e-4  # of logits, or of the largest of them if that is above 1
_SUBJECT = "an export as ONNX"
_LARGEST_BATCH, _MOST_CELLS = 4096, 1024


class OnnxNetwork(nn.Module):
    """An ONNX graph in place of the network that it was made from.

    Args:
        path: of the graph.
        cells: see `Graph`.
        fewest_cells: see `Graph`.
        dense: whether it gives a value for each pixel, which are cropped to those of the image.

    Raises:
        InputError: onnxruntime is not installed.
    """

    def __init__(self, path: Path, cells: tuple[int, ...], fewest_cells: int = 1, *, dense: bool = True) -> None:
        super().__init__()
        runtime = imported("onnxruntime", "an ONNX graph")
        self.session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        self.cells, self.fewest_cells, self.dense = cells, fewest_cells, dense
        self.place = nn.Parameter(torch.empty(0), requires_grad=False)  # callers ask where a network is

    def forward(self, images: Tensor, *more: Tensor) -> Tensor:
        """Logits (B, classes, ...) of (B, channels, ...), on the CPU in float32; `more` are its further inputs."""
        sizes = images.shape[2:]
        missing = [-n % cell for n, cell in zip(sizes, self.cells, strict=True)]
        if all(n <= (self.fewest_cells - 1) * cell for n, cell in zip(sizes, self.cells, strict=True)):
            missing[0] += self.cells[0]
        padding = [amount for n in reversed(missing) for amount in (0, n)]
        padded = F.pad(images, padding, mode="replicate") if any(missing) else images
        names = [one.name for one in self.session.get_inputs()]
        given = [one.float().contiguous().numpy() for one in (padded, *more)]
        logits = torch.from_numpy(self.session.run(None, dict(zip(names, given, strict=True)))[0])
        if not self.dense:
            return logits
        inside: list[Any] = [..., *(slice(n) for n in sizes)]
        return logits[tuple(inside)]


def write_graph(graph: Graph, path: Path) -> float:
    """Write a network as a graph; returns by how much the values of the two differ at most, see `TOLERANCE`.

    Raises:
        InputError: the packages are missing, or the graph gives other values than the network.
    """
    for package in ("onnx", "onnxscript", "onnxruntime"):
        imported(package, _SUBJECT)
    if not hasattr(torch.export.Dim, "DYNAMIC"):
        raise InputError(_SUBJECT, "needs torch 2.6 or later", "update torch")
    more = tuple(graph.more_inputs.values())
    with torch.inference_mode(False), _silent():
        torch.onnx.export(
            graph.traced.eval(),
            (example_of(graph, graph.examples[0], 0), *more),
            path,
            dynamo=True,
            dynamic_shapes=(_dynamic(graph), *(None for _ in more)),
            input_names=[graph.description["input"]["name"], *graph.more_inputs],
            output_names=[graph.description["output"]["name"]],
            opset_version=OPSET,
            external_data=False,
            verbose=False,
        )
    exported = OnnxNetwork(path, graph.cells, graph.fewest_cells, dense=graph.is_dense)
    worst = 0.0
    with torch.no_grad():
        for seed, shape in enumerate(graph.examples, start=1):
            values = example_of(graph, shape, seed)
            others = [torch.rand_like(one) + 0.5 for one in more]
            expected = graph.network(values, *others)
            worst = max(worst, _difference(expected, exported(values, *others)))
    if not worst <= TOLERANCE:  # NaN, too
        problem = f"gives values that differ by {worst:.2g} from those of the network that it was made from"
        raise InputError(
            path.name,
            problem,
            "update torch, onnx and onnxruntime, or export with --format monai-bundle",
            in_panel="update torch, onnx and onnxruntime, or export it as a MONAI bundle",
        )
    return worst


def _difference(expected: Tensor, found: Tensor) -> float:
    largest = max(1.0, float(expected.abs().max()))
    return float((expected - found).abs().max()) / largest


def _dynamic(graph: Graph) -> dict[int, Any]:
    """Which sizes of the input may change, and in which steps."""
    if graph.reads_any_size:
        return {axis: torch.export.Dim.DYNAMIC for axis in (0, 2, 3)}
    sizes = {
        axis: cell * torch.export.Dim(f"cells_{axis - 1}", min=1, max=_MOST_CELLS)
        for axis, cell in enumerate(graph.cells, start=2)
    }
    batch = {} if len(graph.cells) == 3 else {0: torch.export.Dim("batch", min=1, max=_LARGEST_BATCH)}
    return batch | sizes


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """What the exporter tells is for programmers."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
