"""Step 2, Label: segmentations that the scene already has become labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slicer.i18n import tr as _

from ..processes.jobs import Job
from ..section import Section, allow, on_click
from ..session.segmentations_as_labels import case_of_segmentation, take_segmentation

if TYPE_CHECKING:
    from ..panel import Panel


class SegmentationsSection(Section):
    """Takes slices of a segmentation that the user chooses."""

    def __init__(self, panel: Panel) -> None:
        super().__init__(panel)
        ui = self.ui
        ui.takeSlicesCombo.addItems([_("Slices with content"), _("All slices")])
        ui.segmentationSelector.connect("currentNodeChanged(vtkMRMLNode*)", self.panel.refresh_soon)
        on_click(ui.takeSegmentationButton, ui.labelsStatus, self._take)

    def refresh(self) -> None:
        """Whether the segmentation can be taken."""
        chosen = None if self.ui.segmentationSelector.currentNode() is not None else _("Choose a segmentation first.")
        allow(
            self.ui.takeSegmentationButton,
            _("Make slices of this segmentation labels; it needs a segment for every organ, of the organ's name."),
            self.panel.why_no_study() or self.panel.why_busy() or chosen,
        )

    def _take(self) -> None:
        session, labels, node = self.panel.session, self.panel.labels, self.ui.segmentationSelector.currentNode()
        assert session is not None
        case = case_of_segmentation(session, node, labels.case)
        all_slices = self.ui.takeSlicesCombo.currentIndex == 1
        job = Job(_("Taking labels"), lambda job: take_segmentation(job, session, node, case, all_slices), "labels")

        def done(job: Job) -> str:
            session.saveLabels(case, self.panel.runner.busy)
            if case == labels.case:
                labels.outline.ask(case)
            return _("{count} slices of {case} are labels now.").format(count=job.result, case=case)

        self.panel.run(job, self.ui.labelsStatus, done)
