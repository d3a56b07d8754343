"""What step 4 measures: the segmentations of volumes or of images, as their segments are now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slicer.i18n import tr as _

from ..nodes import study_nodes
from ..nodes.study_nodes import inScene
from ..processes.jobs import Job, Steps
from ..results.image_table import imagesTableNode
from ..results.results import measuring, ofImage

if TYPE_CHECKING:
    from ..panel import Panel
    from ..results.image_results import ImageResults


class Measured:
    """The results of a panel, and the table node that they are measured into."""

    def __init__(self, panel: Panel) -> None:
        self._panel = panel

    def why_nothing(self) -> str | None:
        """Why there is nothing to measure, None when there is something."""
        return None if self._panel.scene.results or self.images() else _("There is no segmentation yet.")

    def images(self) -> ImageResults | None:
        """The results of the study's images, None if there are none."""
        session = self._panel.session
        return session.imageResults if session is not None and session.imageResults.any else None

    def nodes(self) -> list[Any]:
        """The results of volumes or, where there are no others or the study is of images, those of images."""
        nodes, session = study_nodes.results(), self._panel.session
        images = [node for node in nodes if ofImage(node)]
        planar = session.isPlanar if session is not None else len(images) == len(nodes)
        return images if planar else [node for node in nodes if node not in images]

    def measuring(self, job: Job) -> Steps:
        """Steps that bring the table up to date with the segments as they are now; they return how many there are."""
        parameters, images = self._panel.parameters, self.images()
        if parameters is None:  # the scene is being closed
            return 0
        if images is not None:
            rows = yield from images.measuring(job)
            if self._panel.parameters is None:  # the scene was closed meanwhile
                return 0
            self._panel.parameters.volumesTable = imagesTableNode(rows, self._panel.parameters.volumesTable)
            return len(rows)
        nodes = self.nodes()
        table = yield from measuring(nodes, parameters.volumesTable, job)
        if self._panel.parameters is None or not inScene(table):  # the scene was closed meanwhile
            return 0
        self._panel.parameters.volumesTable = table
        return len(nodes)
