"""The volumes of a run on the fine grid, on which slices are seen."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from ..slice_network.fine_volume import FineVolume, fine_volume
from .run import Run, stop_if


def fine_volumes(run: Run, names: Collection[str] | None = None) -> Iterator[FineVolume]:
    """Volumes on the fine grid, with their labels, read one after the other; all, or those of some names."""
    for case in run.study.cases:
        if names is None or case.name in names:
            stop_if(run.computing.cancelled, "reading stopped")
            labels = run.study.read_labels(case.name)
            yield fine_volume(run.study.read_scan(case.name), labels, run.settings.slice_network.max_voxels)
