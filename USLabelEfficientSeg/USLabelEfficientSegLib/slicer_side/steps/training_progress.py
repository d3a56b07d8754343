"""A running training in the panel: one bar with the steps as ticks, curves in a plot view, a preview in the volume."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import qt
import slicer

from ...errors import InputError
from ..nodes.layouts import show_layout
from ..nodes.tables_and_plots import lossPlotNodes
from .live_preview import remove_preview, show_preview
from .training_monitor import TrainingMonitor
from .training_steps import TrainingStep, TrainingTotal, training_steps

if TYPE_CHECKING:
    from ...study.settings import Settings
    from ..panel import Panel

SECONDS_BETWEEN_CURVES = 2.0
_PARTS = 1000  # of the row of ticks
_BESIDE_NUMBER = 6  # pixels: the line before a tick's number, and air


class TrainingProgress:
    """Follows the training of the open study.

    Args:
        panel: gives access to the widgets, the study, and its settings.

    Attributes:
        monitor: of the open study's events, None before a study is open.
    """

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        self.monitor: TrainingMonitor | None = None
        self._total = TrainingTotal()
        self._ticks: list[Any] = []
        self._ticked: list[float] = []
        self._shown_previews = 0
        self._curves_at = 0.0

    @property
    def curves(self) -> bool:
        """Whether there is anything to plot."""
        return self.monitor is not None and any(stage.losses for stage in self.monitor.stages)

    def study_opened(self, settings: Settings | None = None) -> None:
        """Show how far another study is.

        Args:
            settings: of a training that is about to start; by default those of the last one.
        """
        session = self.panel.session
        self._total, self.monitor, self._shown_previews = TrainingTotal(), None, 0
        if session is not None:
            self._plan(settings)
            self.monitor = TrainingMonitor(session.events, self._on_event)
            self.monitor.update()
        if settings is not None:  # what an earlier training has told says nothing of the one that starts
            self._total = TrainingTotal(self._total.plan)
        self.show_stages(running=settings is not None)

    def _plan(self, settings: Settings | None) -> None:
        from ...method.planned_stages import planned_stages
        from ...study.provenance import read_settings

        session = self.panel.session
        assert session is not None
        try:
            settings = settings or read_settings(session.study)
        except InputError:  # of a damaged run the training itself will tell
            settings = None
        if settings is not None:
            self._total = TrainingTotal(planned_stages(session.study, settings))

    def _on_event(self, event: Any) -> None:
        self._total.take(event)

    def update(self) -> None:
        """Bring bar, curves and preview up to date while training runs; called many times a second."""
        if self.monitor is not None and self.monitor.update():
            if not self._total.plan:
                self._plan(None)  # of a training that this panel has not started: its record is written by now
            self.show_stages(running=True)
            if time.monotonic() - self._curves_at > SECONDS_BETWEEN_CURVES:
                self._update_curves()
            self._show_preview()

    def end(self) -> None:
        """The training has ended: last state and curves, no preview."""
        if self.monitor is not None:
            self.monitor.update()
            self.show_stages(running=False)
            self._update_curves()
        remove_preview()

    def show_stages(self, running: bool) -> None:
        """The total, and the steps as ticks under it."""
        ui, monitor = self.panel.ui, self.monitor
        started = monitor is not None and monitor.started
        ui.totalPart.visible = running or (started and bool(self._total.plan))
        if monitor is None or not self._total.plan:
            return
        ui.totalBar.setValue(self._total.percent)
        ui.totalBar.setFormat(self._total.told(running))
        steps = training_steps(self._total.plan, monitor.stages, monitor.finished)
        self._show_ticks([step.share for step in steps])
        ui.stepsLabel.text = _lines(steps)

    def _show_ticks(self, shares: Sequence[float]) -> None:
        """A numbered tick where each step begins."""
        if list(shares) == self._ticked:
            return
        self._ticked = list(shares)
        for tick in self._ticks:
            tick.hide()
            tick.deleteLater()
        self._ticks = []
        for number, share in enumerate(shares, start=1):
            tick = qt.QLabel(f"{number}")
            tick.objectName = "tick"
            tick.styleSheet = "#tick { border-left: 2px solid palette(text); padding-left: 2px }"
            tick.setMinimumWidth(tick.fontMetrics().horizontalAdvance(tick.text) + _BESIDE_NUMBER)
            self.panel.ui.tickRow.layout().addWidget(tick, max(1, round(_PARTS * share)))
            self._ticks.append(tick)

    def show_curves(self) -> None:
        """Show the curves in a plot view."""
        parameters, monitor = self.panel.parameters, self.monitor
        assert monitor is not None
        parameters.lossChart = lossPlotNodes(monitor.events(), parameters.lossChart)
        show_layout(slicer.vtkMRMLLayoutNode.SlicerLayoutConventionalPlotView)
        for view in slicer.util.getNodesByClass("vtkMRMLPlotViewNode"):
            view.SetPlotChartNodeID(parameters.lossChart.GetID())

    def _update_curves(self) -> None:
        self._curves_at = time.monotonic()
        parameters, monitor = self.panel.parameters, self.monitor
        if monitor is not None and parameters.lossChart is not None:
            parameters.lossChart = lossPlotNodes(monitor.events(), parameters.lossChart)

    def _show_preview(self) -> None:
        session, monitor = self.panel.session, self.monitor
        assert session is not None and monitor is not None
        new = monitor.previews != self._shown_previews
        self._shown_previews = monitor.previews
        if new and monitor.preview is not None and self.panel.parameters.preview:
            show_preview(session, monitor.preview)


def _lines(steps: Sequence[TrainingStep]) -> str:
    """The steps, one a line."""
    return "\n".join(step.line(number) for number, step in enumerate(steps, start=1))
