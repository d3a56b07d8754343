"""Step 3, Train: presets, the device, progress of every stage, loss curves, a preview of the result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import slicer
from slicer.i18n import tr as _

from ...errors import InputError
from ...study.coverage import labelled_axes, labelled_counts, volumes_with_organs
from ...text.assignments import name_and_value
from ...text.durations import duration
from ..nodes.tables_and_plots import lossPlotNodes
from ..processes import other_computer, study_jobs
from ..processes.dependencies import ensureDependencies
from ..processes.jobs import Job, Steps
from ..remembered import Remembered
from ..section import Section, allow, on_click, silent, tell
from ..session.study_session import StudySession
from .live_preview import remove_preview
from .other_computer_row import OtherComputerRow
from .training_monitor import TrainingMonitor
from .training_progress import TrainingProgress
from .training_time import Continued, seconds_on_processor

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
        self._remembered = Remembered()
        self._other_computer = OtherComputerRow(panel, study_jobs.devices, self._show_devices)
        self.offer = _("Train")  # what the button says
        self.continued: Continued | None = None  # what of the current model it would continue from
        self.how = ""  # a sentence on whether it would continue from the current model
        self.why_not: str | None = None  # why training cannot be started now
        self._volume: str | None = None  # that the user looks at
        self._installs = False  # whether torch must be installed before a training
        self.signals.packages_known.connect(self._on_packages)
        self.signals.study_opened.connect(self._on_study_opened)
        self.signals.study_closed.connect(self.study_opened)
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
        self._look_at_training()
        ui.trainButton.text = self.offer
        allow(ui.trainButton, _("Learn from the labels; Slicer stays usable meanwhile."), self.why_not)
        job = self.training
        stopping = job is not None and job.cancelling
        reason = None if job is not None and not stopping else _("No training is running.")
        allow(ui.cancelTrainButton, _("Stop within two seconds; Resume goes on from there."), reason)
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

    def _look_at_training(self) -> None:
        """Find out whether training would begin, go on or be repeated, and what stands in its way."""
        session, anew = self.panel.session, self.panel.parameters.anew
        self.ui.anewCheckBox.visible = session is not None and session.training.continues()
        if self.training is not None:  # what was offered is being done
            self.why_not = self.panel.why_busy()
            return
        self.offer, self.how, self.why_not = _("Train"), "", self.panel.why_no_study()
        self.continued = None
        if session is None:
            return
        try:
            trained, news = session.trained(), session.training.news()
            same = not trained or self._same_settings(session)
            self.how = self._how(session, news, anew) if trained and same else ""
        except InputError as error:
            self.why_not = str(error)
            return
        if trained and same:
            self.offer = {
                "labels": _("Train with the new labels"),
                "volumes": _("Train with the new images") if session.isPlanar else _("Train with the new volumes"),
            }.get(news, _("Resume training"))  # fmt: skip
        if trained == "fully" and same and not news:
            self.offer = _("Train anew") if anew else _("Train")
            if not anew:
                self.why_not = _("The study is trained, and nothing has changed since. Label more to improve it.")
        if not any(case.labels for case in session.study.cases):
            self.why_not = _("Label a slice in step 2 first.")
        self.why_not = self.panel.why_busy() or self.why_not

    def _how(self, session: StudySession, news: str, anew: bool) -> str:
        """Whether training would continue from the current model."""
        if session.training.continues() and not anew:
            if session.trained() == "fully" and not news:
                return ""
            self.continued = "all students" if session.training.has_supervised_students() else "distilled students"
            return _("Training continues from the current model.")
        if (news or anew) and session.isPlanar:
            return _("Training starts anew from your labels.")
        if news or anew:
            return _("Training starts anew from your labels; what was learnt without labels is kept.")
        return _("Training was stopped before its end; resuming goes on from there.")

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

    def changes(self) -> dict[str, Any]:
        """The time that training may take, if it is given, and the expert settings, by name.

        Raises:
            InputError: not of the form NAME=VALUE.
        """
        minutes = self._minutes()
        found: dict[str, Any] = {"minutes": minutes} if minutes else {}
        for pair in self.panel.parameters.changes.split():
            try:
                name, value = name_and_value(pair)
            except ValueError:
                problem = f'"{pair}" is not of the form NAME=VALUE'
                raise InputError(_("Expert settings"), problem, "correct it") from None
            found[name] = value
        return found

    def _minutes(self) -> int:
        """The time that training may take; 0: as long as the preset needs."""
        return int(self.panel.parameters.minutes)

    def leave(self) -> None:
        """Training goes on while the user is elsewhere."""

    def _show_estimate(self) -> None:
        text = self._estimate()
        if self._installs:
            text += " " + _("Software that is missing will be installed first, after asking you.")
        self.ui.estimateLabel.text = f"{self.how} {text}".strip()

    def _estimate(self) -> str:
        """How long training takes, as far as it was measured."""
        parameters, session = self.panel.parameters, self.panel.session
        if session is not None and session.isPlanar:
            if parameters.minutes:
                return _limit(parameters.minutes)
            return _("How long it takes shows in the first seconds: it depends on the steps, not on the images.")
        volumes, slices, labelled = self._amounts()
        estimate = seconds_on_processor(parameters.preset.value, volumes, slices, self.continued, **labelled)
        if self._other_computer.chosen:
            return (
                _limit(parameters.minutes) if parameters.minutes else _("How long it takes there shows while it runs.")
            )
        if estimate is None:
            text = _("This preset is meant for a graphics card; a processor would take days (not measured).")
        else:
            text = _("Takes about {time} on an ordinary computer.").format(time=duration(estimate.least))
            if estimate.most > estimate.least:
                text = _("Takes about {least}, or {most} if organs must be found by their place.").format(
                    least=duration(estimate.least), most=duration(estimate.most)
                )
        if parameters.minutes:
            text = _limit(parameters.minutes)
        return text

    def _amounts(self) -> tuple[int, int, dict[str, int]]:
        """Volumes, labelled slices, and what else of the labels tells how long training takes."""
        session, settings = self.panel.session, self.panel.parameters.parameterNode
        if session is None:
            ticked = self.panel.scene.once_of_volumes("to train", self._ticked, settings, settings.GetMTime())
            return max(ticked, 1), 0, {}
        study = session.study

        def find() -> tuple[int, int, dict[str, int]]:
            slices = labelled_counts(study)[1]
            axes, showing = len(labelled_axes(study)), volumes_with_organs(study)
            return len(study.cases), slices, {"axes": axes, "labelled_volumes": showing} if slices else {}

        return self._remembered.once("amounts", find, study.created, study.cases)

    def _ticked(self) -> int:
        return sum(node is not None for node in self.panel.parameters.volumes)

    def _same_settings(self, session: StudySession) -> bool:
        parameters = self.panel.parameters
        method = session.method(parameters.method.value)
        return session.training.made_with(parameters.preset.value, method, self.changes())

    # What the user does

    def train(self) -> None:
        """Start training, go on with it, or begin anew when the user agrees."""
        from ...study.settings import changed, preset

        session, parameters = self.panel.session, self.panel.parameters
        assert session is not None
        self.signals.labels_needed.emit()
        ensureDependencies()
        elsewhere = other_computer.options()
        restart, anew = False, parameters.anew and session.training.continues()
        if session.trained() and not self._same_settings(session):
            question = _(
                "This study was trained with other settings. Train it anew? "
                "What it has learnt so far is forgotten; your labels stay."
            )
            if not slicer.util.confirmYesNoDisplay(question):
                return
            restart = True
        changes = self.changes()
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
        self.offer, self.how, self.continued = _("Train"), "", None  # how it was started is not known here

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

        job = Job(
            _("Looking for graphics cards"), lambda job: study_jobs.devices(job, other_computer.options()), "devices"
        )
        self.panel.run(job, self.ui.trainStatus, done)

    def _show_devices(self, devices: list[dict[str, Any]]) -> None:
        """Offer the devices of the computer that trains."""
        with silent(self.ui.deviceCombo):
            while self.ui.deviceCombo.count > 1:
                self.ui.deviceCombo.removeItem(1)
            for device in devices:
                memory = f", {device['memory_gb']} GB" if device["memory_gb"] else ""
                self.ui.deviceCombo.addItem(f"{device['name']}{memory}", device["device"])

    def _on_study_opened(self, load: bool) -> None:
        self.study_opened()
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


def _limit(minutes: int) -> str:
    return _("At most about {time}: this computer is measured first.").format(time=duration(60 * minutes))
