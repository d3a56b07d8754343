"""A running training in the panel: a bar for every stage, curves in a plot view, a preview in the volume."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import qt
import slicer
from slicer.i18n import tr as _

from ..study.stages import Stage, stage_title
from ..text.durations import duration
from .live_preview import remove_preview, show_preview
from .tables_and_plots import lossPlotNodes
from .training_monitor import StageProgress, TrainingMonitor, without_earlier_rounds

if TYPE_CHECKING:
    from .panel import Panel

SECONDS_BETWEEN_CURVES = 2.0


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
        self._bars: dict[str, Any] = {}
        self._shown_previews = 0
        self._curves_at = 0.0

    @property
    def curves(self) -> bool:
        """Whether there is anything to plot."""
        return self.monitor is not None and any(stage.losses for stage in self.monitor.stages)

    def study_opened(self) -> None:
        """Show how far another study is."""
        session = self.panel.session
        self.monitor = None if session is None else TrainingMonitor(session.events)
        self._shown_previews = 0
        if self.monitor is not None:
            self.monitor.update()
        self.show_stages(running=False)

    def update(self) -> None:
        """Bring bars, curves and preview up to date while training runs; called many times a second."""
        if self.monitor is not None and self.monitor.update():
            self.show_stages(running=True)
            if time.monotonic() - self._curves_at > SECONDS_BETWEEN_CURVES:
                self._update_curves()
            self._show_preview()

    def end(self) -> None:
        """The training has ended: last bars and curves, no preview."""
        if self.monitor is not None:
            self.monitor.update()
            self.show_stages(running=False)
            self._update_curves()
        remove_preview()

    def show_stages(self, running: bool) -> None:
        """A bar for every stage; for the students' rounds only the latest."""
        known = [] if self.monitor is None else [stage for stage in self.monitor.stages if stage.name != Stage.FINISHED]
        stages = without_earlier_rounds(known)
        for name in self._bars.keys() - {stage.name for stage in stages}:
            self._bars.pop(name).deleteLater()
        for stage in stages:
            if stage.name not in self._bars:
                bar = qt.QProgressBar()
                bar.setTextVisible(True)
                bar.setAlignment(qt.Qt.AlignCenter)
                bar.toolTip = _("Steps done of this stage, and the time left on this computer.")
                self.panel.ui.stageContainer.layout().addWidget(bar)
                self._bars[stage.name] = bar
            bar = self._bars[stage.name]
            bar.setMaximum(max(stage.of, 1))
            bar.setValue(stage.step)
            bar.setFormat(f"{stage_title(stage.name, _)}: {_how_far(stage, running)}")

    def show_curves(self) -> None:
        """Show the curves in a plot view."""
        parameters, monitor = self.panel.parameters, self.monitor
        assert monitor is not None
        parameters.lossChart = lossPlotNodes(monitor.events(), parameters.lossChart)
        manager = slicer.app.layoutManager()
        manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutConventionalPlotView)
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


def _how_far(stage: StageProgress, running: bool) -> str:
    if stage.done:
        return _("done")
    if stage.step == 0:
        return _("waiting") if running else _("to be continued")
    percent = f"{100 * stage.step // stage.of} %"
    if not running:
        return _("{percent}, stopped").format(percent=percent)
    if not stage.seconds_left:
        return percent
    return _("{percent}, {time} left").format(percent=percent, time=duration(stage.seconds_left))
