"""Step 3, Train: presets, the device, progress of every stage, loss curves, a preview of the result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import slicer
from slicer.i18n import tr as _

from ..nodes.tables_and_plots import lossPlotNodes
from ..processes import study_jobs
from ..processes.dependencies import ensureDependencies
from ..processes.jobs import Job, Steps
from ..section import Section, allow, on_click, silent, tell
from .live_preview import remove_preview
from .other_computer_row import OtherComputerRow
from .training_estimate import TrainingEstimate
from .training_monitor import TrainingMonitor
from .training_offer import TrainingOffer
from .training_progress import TrainingProgress

if TYPE_CHECKING:
    from ...study.settings import Settings
    from ..panel import Panel

_AUTOMATIC = "auto"


class TrainSection(Section):
    """Trains the open study, shows how far it is, and stops it."""

    def __init__(self, panel: Panel) -> None:
        super().__init__(panel)
        ui = self.ui
        self.progress = TrainingProgress(panel)
        self._other_computer = OtherComputerRow(panel, study_jobs.devices, self._show_devices)
        self.offer = TrainingOffer(panel)
        self._estimate = TrainingEstimate(panel)
        self._volume: str | None = None  # that the user looks at
        self._installs = False  # whether torch must be installed before a training
        self.signals.packages_known.connect(self._on_packages)
        self.signals.study_opened.connect(self._on_study_opened)
        self.signals.study_closed.connect(self._on_study_closed)
        self.signals.volume_chosen.connect(self._on_volume_chosen)
        with silent(ui.deviceCombo):
            ui.deviceCombo.addItem(_("Automatic"), _AUTOMATIC)
            ui.deviceCombo.addItem(_("Processor"), "cpu")
        ui.deviceCombo.connect("currentIndexChanged(int)", self._on_device)
        ui.previewCheckBox.connect("toggled(bool)", self._on_preview)
        for button, action in (
            (ui.detectButton, self._detect),
            (ui.trainButton, self.train),
            (ui.cancelTrainButton, self._cancel),
            (ui.lossButton, self.progress.show_curves),
            (ui.logButton, self._show_log),
        ):
            on_click(button, ui.trainStatus, action)

    # What is shown

    @property
    def monitor(self) -> TrainingMonitor | None:
        """Follows the events of the open study."""
        return self.progress.monitor

    @property
    def training(self) -> Job | None:
        """The training that is running."""
        job = self.panel.runner.job
        return job if job is not None and job.running and job.kind == "train" else None

    def study_opened(self, settings: Settings | None = None) -> None:
        """Show how far another study is, or one whose training starts with these settings."""
        self.progress.study_opened(settings)

    def refresh(self) -> None:
        """Show what can be done, and roughly how long it takes."""
        parameters, session, ui = self.panel.parameters, self.panel.session, self.ui
        if self.monitor is None and session is not None:
            self.study_opened()
        index = ui.deviceCombo.findData(parameters.device)
        with silent(ui.deviceCombo):
            ui.deviceCombo.setCurrentIndex(max(index, 0))
        job = self.training
        ui.anewCheckBox.visible = session is not None and session.training.continues()
        self.offer.look(running=job is not None)
        ui.trainButton.text = self.offer.text
        allow(ui.trainButton, _("Learn from the labels; Slicer stays usable meanwhile."), self.offer.why_not)
        stopping = job is not None and job.cancelling
        reason = None if job is not None and not stopping else _("No training is running.")
        tip = _("Stop within two seconds; Resume goes on from there.")
        if self._other_computer.chosen:
            tip = _("Stop there, which may take half a minute; Resume goes on from there.")
        allow(ui.cancelTrainButton, tip, reason)
        self._other_computer.refresh(training=job is not None)
        for control in (ui.presetCombo, ui.minutesSpin, ui.methodCombo, ui.deviceCombo, ui.changesEdit):
            control.enabled = job is None
        if session is not None and session.isPlanar:
            self._show_only_method()
        allow(ui.detectButton, _("Look for graphics cards; takes some seconds."), self.panel.why_busy())
        reason = None if self.progress.curves else _("No training yet.")
        allow(ui.lossButton, _("Show how the errors fall, in a plot view."), reason)
        allow(ui.logButton, _("Show all that was reported."), None if self._log() else _("There is no log yet."))
        self._show_estimate()
        self.progress.show_stages(running=job is not None)

    def _show_only_method(self) -> None:
        """Images are trained by one method."""
        self.ui.methodCombo.enabled = False

    def done(self) -> bool:
        """Whether there is a model."""
        return self.panel.session is not None and self.panel.session.model is not None

    def show_progress(self) -> None:
        """Bring bars, curves and preview up to date; called many times a second."""
        if self.panel.session is not None and self.training is not None:
            self.progress.update()

    def _watch(self) -> None:
        """Ask for previews of the volume that the user looks at."""
        from ...study.watching import watch_volume

        session, parameters = self.panel.session, self.panel.parameters
        if session is not None and parameters is not None:
            wanted = parameters.preview and session.holds(self._volume)
            watch_volume(session.folder, self._volume if wanted else None)

    def _show_estimate(self) -> None:
        if self.offer.done:
            self.ui.estimateLabel.text = self.offer.done
            return
        text = self._estimate.text(self.offer.continued, elsewhere=self._other_computer.chosen)
        if self._installs:
            text += " " + _("Software that is missing will be installed first, after asking you.")
        self.ui.estimateLabel.text = f"{self.offer.how} {text}".strip()

    def leave(self) -> None:
        """Training goes on while the user is elsewhere."""

    # What the user does

    def train(self) -> None:
        """Start training, go on with it, or begin anew when the user agrees."""
        from ...study.settings import changed, preset

        session, parameters = self.panel.session, self.panel.parameters
        assert session is not None
        self.signals.labels_needed.emit()
        ensureDependencies()
        elsewhere = self._other_computer.options()
        restart, anew = False, parameters.anew and session.training.continues()
        if session.trained() and not self.offer.same_settings(session):
            question = _(
                "This study was trained with other settings. Train it anew? "
                "What it has learnt so far is forgotten; your labels stay."
            )
            if not slicer.util.confirmYesNoDisplay(question):
                return
            restart = True
        changes = self.offer.changes()
        self.study_opened(changed(preset(parameters.preset.value), {"method": parameters.method.value, **changes}))
        self._watch()
        if parameters.lossChart is None:
            parameters.lossChart = lossPlotNodes([])
        job = Job(
            _("Training"),
            lambda job: study_jobs.train(
                job,
                session,
                preset=parameters.preset.value,
                method=parameters.method.value,
                device=parameters.device,
                changes=changes,
                restart=restart,
                fromTeacher=anew,
                elsewhere=elsewhere,
            ),
            "train",
        )
        job.outlives = bool(elsewhere)  # Slicer may be closed: the training there goes on, and is followed
        parameters.anew = False  # asked for once: what comes next continues again
        self.panel.run(job, self.ui.trainStatus, self._done)

    def follow(self, load: bool) -> None:
        """Follow a training of the opened study that is running already, if there is one.

        Args:
            load: bring the volumes of the study into the scene meanwhile.
        """
        session, parameters = self.panel.session, self.panel.parameters
        assert session is not None
        worker = study_jobs.runningTraining(session)
        if worker is None:
            return
        if parameters.lossChart is None:
            parameters.lossChart = lossPlotNodes([])
        self.offer.forget()  # how it was started is not known here

        def steps(job: Job) -> Steps:
            return study_jobs.follow(job, session, worker, session.load(job) if load else iter(()))

        self.panel.run(Job(_("Training"), steps, "train", worker), self.ui.trainStatus, self._done)
        tell(self.ui.trainStatus, _("This study is being trained already; you may cancel that here."))

    def _done(self, job: Job) -> str:
        self.progress.end()
        self.signals.trained.emit()
        return _("Trained. The volumes of the study are segmented now; see step 4.")

    def _cancel(self) -> None:
        if self.training is not None:
            self.training.cancel()
            tell(self.ui.trainStatus, _("Stopping …"))
            self.panel.refresh()

    def _detect(self) -> None:
        ensureDependencies()

        def done(job: Job) -> str:
            self._show_devices(job.result)
            cards = [device["name"] for device in job.result if device["device"] != "cpu"]
            return _("Found: {cards}.").format(cards=", ".join(cards)) if cards else _("No graphics card was found.")

        options = self._other_computer.options()
        job = Job(_("Looking for graphics cards"), lambda job: study_jobs.devices(job, options), "devices")
        self.panel.run(job, self.ui.trainStatus, done)

    def _show_devices(self, devices: list[dict[str, Any]]) -> None:
        """Offer the devices of the computer that trains."""
        with silent(self.ui.deviceCombo):
            while self.ui.deviceCombo.count > 1:
                self.ui.deviceCombo.removeItem(1)
            for device in devices:
                memory = f", {device['memory_gb']} GB" if device["memory_gb"] else ""
                self.ui.deviceCombo.addItem(f"{device['name']}{memory}", device["device"])

    def _on_study_closed(self) -> None:
        self.study_opened()
        self._other_computer.show()

    def _on_study_opened(self, load: bool) -> None:
        self.study_opened()
        self._other_computer.study_opened()
        self.follow(load)

    def _on_packages(self, complete: bool) -> None:
        self._installs = not complete

    def _on_volume_chosen(self, case: str | None) -> None:
        self._volume = case
        self._watch()

    def _on_device(self, index: int) -> None:
        if self.panel.parameters is not None and index >= 0:
            self.panel.parameters.device = self.ui.deviceCombo.itemData(index)

    def _on_preview(self, shown: bool) -> None:
        if self.panel.parameters is not None:
            self._watch()
            if not shown:
                remove_preview()

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
