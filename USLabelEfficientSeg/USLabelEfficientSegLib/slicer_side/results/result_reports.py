"""The report of results, exactly as the table of the panel shows them: corrections by hand included."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ..nodes.study_nodes import volumeOf
from ..nodes.volume_nodes import geometryOfNode, scanFromNode, worldGeometry
from ..processes.aside import aside
from ..processes.jobs import Job, Steps
from ..processes.temporary_folders import temporaryFolder
from .node_measurements import makerOf
from .report_pages import writePages
from .result_staging import segmentNames, stageSegmentation

MrmlNode = Any

_WRITING = 0.5  # of the work, after the results are staged


def writeReport(
    job: Job,
    segmentationNodes: Sequence[MrmlNode],
    output: Path,
    logs: Path,
    study: Path | None = None,
    pdf: bool = False,
) -> Steps:
    """Steps that write the report of results (HTML); returns its path, or that of the PDF beside it.

    Volumes are measured as in the table, under their transforms. An organ that was edited says so in the report and has
    no interval.

    Args:
        job: does the steps.
        segmentationNodes: results, each with its volume in the scene.
        output: of the report; an earlier report there is replaced.
        logs: folder of the worker's log.
        study: whose model has made them, to tell its training and settings.
        pdf: write the PDF, too.

    Raises:
        InputError: while they run: segments that overlap, a volume that was changed since, a file that is no report.
    """
    from ...disk.names import safe_stems
    from ...imaging.files import write_volume

    names = safe_stems(volumeOf(node).GetName() for node in segmentationNodes)
    with temporaryFolder() as temporary:
        images, segmentations = (Path(temporary) / part for part in ("images", "segmentations"))
        for folder in (images, segmentations):
            folder.mkdir()
        for number, (node, name) in enumerate(zip(segmentationNodes, names, strict=True), start=1):
            volume_node = volumeOf(node)
            geometry = worldGeometry(volume_node)
            scan = replace(scanFromNode(volume_node), geometry=geometry)
            yield from aside(partial(write_volume, images / f"{name}.nrrd", scan))
            # Under a transform the image lies elsewhere than when it was segmented: it would be taken for another one.
            unmoved = geometry.same_grid(geometryOfNode(volume_node))
            maker = makerOf(node) if unmoved else None
            yield from stageSegmentation(node, segmentations / f"{name}.nrrd", geometry, maker)
            job.progress = _WRITING * number / len(names)
            yield
        arguments = ["report", str(segmentations), "--images", str(images)]
        organs = [segmentNames(node) for node in segmentationNodes]
        if any(set(names) != set(organs[0]) for names in organs):  # somebody has added a segment
            arguments += ["--organs", ",".join(dict.fromkeys(name for names in organs for name in names))]
        arguments += ["--study", str(study)] if study is not None else []
        job.span = (_WRITING, 1.0)
        return (yield from writePages(job, arguments, output, logs, pdf))
