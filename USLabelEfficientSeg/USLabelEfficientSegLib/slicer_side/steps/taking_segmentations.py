"""Step 2, Label: segmentations that the scene already has become labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from slicer.i18n import tr as _

from ..processes.jobs import Job
from ..section import allow, on_click
from ..session.segmentations_as_labels import case_of_segmentation, take_segmentation

if TYPE_CHECKING:
    from ..panel import Panel


class TakingSegmentations:
    """Takes slices of a segmentation that the user chooses.

    Args:
        panel: of the section.
        current: tells the volume that is being labelled, None where there is none.
        taken: called with the volume whose labels are others now.
    """

    def __init__(self, panel: Panel, current: Callable[[], str | None], taken: Callable[[str], None]) -> None:
        self._panel, self._ui, self._current, self._taken = panel, panel.ui, current, taken
        ui = self._ui
        ui.takeSlicesCombo.addItems([_("Slices with content"), _("All slices")])
        ui.segmentationSelector.connect("currentNodeChanged(vtkMRMLNode*)", self._panel.refresh_soon)
        on_click(ui.takeSegmentationButton, ui.labelsStatus, self._take)

    def refresh(self) -> None:
        """Whether the segmentation can be taken."""
        chosen = None if self._ui.segmentationSelector.currentNode() is not None else _("Choose a segmentation first.")
        allow(
            self._ui.takeSegmentationButton,
            _("Make slices of this segmentation labels; it needs a segment for every organ, of the organ's name."),
            self._panel.why_no_study() or self._panel.why_busy() or chosen,
        )

    def _take(self) -> None:
        session, node = self._panel.session, self._ui.segmentationSelector.currentNode()
        assert session is not None
        case = case_of_segmentation(session, node, self._current())
        all_slices = self._ui.takeSlicesCombo.currentIndex == 1
        job = Job(_("Taking labels"), lambda job: take_segmentation(job, session, node, case, all_slices), "labels")

        def done(job: Job) -> str:
            session.labels.save(case, self._panel.runner.busy)
            self._taken(case)
            return _("{count} slices of {case} are labels now.").format(count=job.result, case=case)

        self._panel.run(job, self._ui.labelsStatus, done)
