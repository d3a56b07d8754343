"""Section 3, Train: presets, the device, progress of every stage, loss curves, a look at what is found so far."""

from __future__ import annotations

import importlib.util
import json
import os
import time
from typing import TYPE_CHECKING, Any

import qt
import slicer
from slicer.i18n import tr as _

from ..errors import InputError
from . import study_session
from .dependencies import ensureDependencies
from .jobs import Job
from .live_preview import remove_preview, show_preview
from .section import Section, allow, on_click, silent, tell
from .study_session import StudySession
from .tables_and_plots import lossPlotNodes
from .training_monitor import StageProgress, TrainingMonitor
from .training_time import in_words, seconds_on_processor
from .worker import Worker

if TYPE_CHECKING:
    from .panel import Panel

SECONDS_BETWEEN_CURVES = 2.0
_AUTOMATIC = "auto"


class TrainSection(Section):
    """Trains the open study, shows how far it is, and stops it."""

    def __init__(self, panel: Panel) -> None:
        super().__init__(panel)
        ui = self.ui
        self.monitor: TrainingMonitor | None = None
        self.offer = _("Train")  # what the button says
        self.why_not: str | None = None  # why training cannot be started now
        self._bars: dict[str, Any] = {}
        self._shown_previews = 0
        self._curves_at = 0.0
        with silent(ui.deviceCombo):
            ui.deviceCombo.addItem(_("Automatic"), _AUTOMATIC)
            ui.deviceCombo.addItem(_("Processor"), "cpu")
        ui.deviceCombo.connect("currentIndexChanged(int)", self._on_device)
        ui.previewCheckBox.connect("toggled(bool)", self._on_preview)
        for button, action in (
            (ui.detectButton, self._detect),
            (ui.trainButton, self.train),
            (ui.cancelTrainButton, self._cancel),
            (ui.lossButton, self._show_curves),
            (ui.logButton, self._show_log),
        ):
            on_click(button, ui.trainStatus, action)

    # What is shown

    @property
    def training(self) -> Job | None:
        """The training that is running."""
        job = self.panel.runner.job
        return job if job is not None and job.running and job.kind == "train" else None

    def study_opened(self) -> None:
        """Show how far another study is."""
        session = self.panel.session
        self.monitor = None if session is None else TrainingMonitor(session.events)
        for bar in self._bars.values():
            bar.deleteLater()
        self._bars = {}
        if self.monitor is not None and self.monitor.update():
            self._show_stages()

    def refresh(self) -> None:
        """Show what can be done, and about how long it would take."""
        parameters, session, ui = self.panel.parameters, self.panel.session, self.ui
        if self.monitor is None and session is not None:
            self.study_opened()
        index = ui.deviceCombo.findData(parameters.device)
        with silent(ui.deviceCombo):
            ui.deviceCombo.setCurrentIndex(max(index, 0))
        self._look_at_training()
        ui.trainButton.text = self.offer
        allow(ui.trainButton, _("Learn from the labels; Slicer stays usable meanwhile."), self.why_not)
        job = self.training
        stopping = job is not None and job.cancelling
        reason = None if job is not None and not stopping else _("No training is running.")
        allow(ui.cancelTrainButton, _("Stop within two seconds; Resume goes on from there."), reason)
        for control in (ui.presetCombo, ui.methodCombo, ui.deviceCombo, ui.changesEdit):
            control.enabled = job is None
        allow(ui.detectButton, _("Look for graphics cards; takes some seconds."), self.panel.why_busy())
        curves = self.monitor is not None and any(stage.losses for stage in self.monitor.stages)
        allow(ui.lossButton, _("Show how the errors fall, in a plot view."), None if curves else _("No training yet."))
        allow(ui.logButton, _("Show all that was reported."), None if self._log() else _("There is no log yet."))
        self._show_estimate()
        if self.monitor is not None:
            self._show_stages()

    def _look_at_training(self) -> None:
        """Find out whether training would begin, go on or be repeated, and what stands in its way."""
        session = self.panel.session
        self.offer, self.why_not = _("Train"), self.panel.why_no_study()
        if session is None:
            return
        try:
            trained, new_labels = session.trained(), session.labelsAreNew()
            same = not trained or self._same_settings(session)
        except InputError as error:
            self.why_not = str(error)
            return
        if trained and same:
            self.offer = _("Train with the new labels") if new_labels else _("Resume training")
        if trained == "fully" and same and not new_labels:
            self.offer = _("Train")
            self.why_not = _("The study is trained, and nothing has changed since. Label more slices to improve it.")
        if not any(case.labels for case in session.study.cases):
            self.why_not = _("Label a slice in section 2 first.")
        self.why_not = self.panel.why_busy() or self.why_not

    def show_progress(self) -> None:
        """Bring bars, curves and preview up to date; called many times a second."""
        session, job = self.panel.session, self.training
        if session is None or self.monitor is None or job is None:
            return
        if self.monitor.update():
            self._show_stages()
            if time.monotonic() - self._curves_at > SECONDS_BETWEEN_CURVES:
                self._update_curves()
            self._show_preview(session)

    def watch(self, case: str | None) -> None:
        """Ask for previews of the volume that the user looks at."""
        from ..study.watching import watch_volume

        session = self.panel.session
        if session is not None:
            watch_volume(session.folder, case if self.panel.parameters.preview else None)

    def changes(self) -> dict[str, Any]:
        """The expert settings by name.

        Raises:
            InputError: not of the form NAME=VALUE.
        """
        found: dict[str, Any] = {}
        for pair in self.panel.parameters.changes.split():
            name, separator, text = pair.partition("=")
            if not separator or not name:
                raise InputError(_("Expert settings"), f'"{pair}" is not of the form NAME=VALUE', "correct it")
            try:
                found[name] = json.loads(text)
            except ValueError:
                found[name] = text
        return found

    def leave(self) -> None:
        """Training goes on while the user is elsewhere."""

    def _show_stages(self) -> None:
        assert self.monitor is not None
        for stage in self.monitor.stages:
            if stage.name == "finished":
                continue
            if stage.name not in self._bars:
                bar = qt.QProgressBar()
                bar.setTextVisible(True)
                bar.setAlignment(qt.Qt.AlignCenter)
                bar.toolTip = _("Steps done of this stage, and the time left on this computer.")
                self.ui.stageContainer.layout().addWidget(bar)
                self._bars[stage.name] = bar
            bar = self._bars[stage.name]
            bar.setMaximum(max(stage.of, 1))
            bar.setValue(stage.step)
            bar.setFormat(f"{stage_title(stage.name)}: {_how_far(stage, self.training is not None)}")

    def _update_curves(self) -> None:
        self._curves_at = time.monotonic()
        parameters, monitor = self.panel.parameters, self.monitor
        if monitor is not None and parameters.lossChart is not None:
            parameters.lossChart = lossPlotNodes(monitor.events(), parameters.lossChart)

    def _show_preview(self, session: StudySession) -> None:
        assert self.monitor is not None
        new = self.monitor.previews != self._shown_previews
        self._shown_previews = self.monitor.previews
        if new and self.monitor.preview is not None and self.panel.parameters.preview:
            show_preview(session, self.monitor.preview)

    def _show_estimate(self) -> None:
        parameters, session = self.panel.parameters, self.panel.session
        volumes = len(self.panel.data.ticked()) if session is None else len(session.cases())
        seconds = seconds_on_processor(parameters.preset.value, max(volumes, 1))
        if seconds is None:
            text = _("This preset is meant for a graphics card; a processor would take days (not measured).")
        else:
            text = _("About {time} on a processor with 2 threads; this computer has {threads}.").format(
                time=in_words(seconds), threads=os.cpu_count()
            )
        if parameters.device != "cpu":
            text += " " + _("With a graphics card it is faster; how much was not measured.")
        if importlib.util.find_spec("torch") is None:
            text += " " + _("Software that is missing will be installed first, after asking you.")
        self.ui.estimateLabel.text = text

    def _same_settings(self, session: StudySession) -> bool:
        parameters = self.panel.parameters
        return session.trainedWith(parameters.preset.value, parameters.method.value, self.changes())

    # What the user does

    def train(self) -> None:
        """Start training, go on with it, or begin anew when the user agrees."""
        session, parameters = self.panel.session, self.panel.parameters
        assert session is not None
        self.panel.labels.save_now()
        ensureDependencies()
        restart = False
        if session.trained() and not self._same_settings(session):
            question = _(
                "This study was trained with other settings or other volumes. Train it anew? "
                "What it has learnt so far is forgotten; your labels stay."
            )
            if not slicer.util.confirmYesNoDisplay(question):
                return
            restart = True
        changes = self.changes()
        self.study_opened()
        self.watch(self.panel.labels.case)
        if parameters.lossChart is None:
            parameters.lossChart = lossPlotNodes([])
        job = Job(
            _("Training"),
            lambda job: study_session.train(
                job,
                session,
                preset=parameters.preset.value,
                method=parameters.method.value,
                device=parameters.device,
                changes=changes,
                restart=restart,
            ),
            "train",
        )
        self.panel.run(job, self.ui.trainStatus, self._done)

    def _done(self, job: Job) -> str:
        self.show_end()
        return _("Trained. Go on to section 4, and let it find the organs.")

    def show_end(self) -> None:
        """The training has ended: last bars and curves, no preview."""
        if self.monitor is not None:
            self.monitor.update()
            self._show_stages()
            self._update_curves()
        remove_preview()

    def _cancel(self) -> None:
        if self.training is not None:
            self.training.cancel()
            tell(self.ui.trainStatus, _("Stopping …"))
            self.panel.refresh()

    def _detect(self) -> None:
        ensureDependencies()
        logs = study_session.temporaryFolder()

        def steps(job: Job) -> study_session.Steps:
            from pathlib import Path

            found: list[dict[str, Any]] = []

            def watch(worker: Worker) -> None:
                for record in worker.records():
                    found.extend(record["devices"])

            with logs as folder:
                yield from job.work(["devices", "--json"], Path(folder), watch)
            return found

        def done(job: Job) -> str:
            with silent(self.ui.deviceCombo):
                while self.ui.deviceCombo.count > 1:
                    self.ui.deviceCombo.removeItem(1)
                for device in job.result:
                    memory = f", {device['memory_gb']} GB" if device["memory_gb"] else ""
                    self.ui.deviceCombo.addItem(f"{device['name']}{memory}", device["device"])
            cards = [device["name"] for device in job.result if device["device"] != "cpu"]
            return _("Found: {cards}.").format(cards=", ".join(cards)) if cards else _("No graphics card was found.")

        self.panel.run(Job(_("Looking for graphics cards"), steps, "devices"), self.ui.trainStatus, done)

    def _on_device(self, index: int) -> None:
        if self.panel.parameters is not None and index >= 0:
            self.panel.parameters.device = self.ui.deviceCombo.itemData(index)

    def _on_preview(self, shown: bool) -> None:
        if self.panel.parameters is not None:
            self.watch(self.panel.labels.case)
            if not shown:
                remove_preview()

    def _show_curves(self) -> None:
        parameters, monitor = self.panel.parameters, self.monitor
        assert monitor is not None
        parameters.lossChart = lossPlotNodes(monitor.events(), parameters.lossChart)
        manager = slicer.app.layoutManager()
        manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutConventionalPlotView)
        for view in slicer.util.getNodesByClass("vtkMRMLPlotViewNode"):
            view.SetPlotChartNodeID(parameters.lossChart.GetID())

    def _log(self) -> Any:
        job, session = self.panel.runner.job, self.panel.session
        if job is not None and job.log is not None and job.log.exists():
            return job.log
        logs = [] if session is None else sorted(session.logs.glob("*.log"))
        return logs[-1] if logs else None

    def _show_log(self) -> None:
        log = self._log()
        text = log.read_text(encoding="utf-8", errors="replace")
        slicer.util.infoDisplay(str(log), windowTitle=_("Log"), detailedText=text)


def stage_title(name: str) -> str:
    """What a stage does, in words of its user."""
    if name.startswith("student "):
        number, _dot, part = name.removeprefix("student ").partition(".")
        title = _("Learning in 3-D, round {number}").format(number=number)
        return title if part == "1" else title + _(", network {part}").format(part=part)
    if name.startswith("pseudo-labels "):
        return _("Improving the proposals")
    return {
        "reading volumes": _("Reading the volumes"),
        "teacher": _("Studying all slices, without labels"),
        "slice head": _("Learning from your labels"),
        "pseudo-labels": _("Proposing labels for all slices"),
        "calibration": _("Checking how sure it may be"),
        "alignment": _("Lining the volumes up"),
        "divergence": _("Two networks teach each other"),
    }.get(name, name.capitalize())


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
    return _("{percent}, {time} left").format(percent=percent, time=in_words(stage.seconds_left))
