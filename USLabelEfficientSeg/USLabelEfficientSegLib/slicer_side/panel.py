"""The panel of the module: its four steps, the study they work on, and the job that is running."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import qt
from slicer.i18n import tr as _

from ..disk.study_layout import MANIFEST_NAME
from ..errors import IN_PANEL, InputError
from .nodes.layouts import restore_layout
from .processes.dependencies import missingRequirements
from .processes.import_ahead import importAhead
from .processes.job_runner import JobRunner
from .processes.jobs import Job
from .scene_now import SceneNow
from .section import Section, put_first, reported, tell
from .session.study_session import StudySession
from .signals import PanelSignals
from .steps.advice import BUTTONS, Situation, advice
from .steps.agreement_section import AgreementSection
from .steps.data_section import DataSection
from .steps.environment_section import EnvironmentSection
from .steps.labels_section import LabelsSection
from .steps.measure_section import MeasureSection
from .steps.segment_section import SegmentSection
from .steps.steps import Step, StepByStep
from .steps.train_section import TrainSection


class Panel:
    """Binds the widgets of the .ui file to a study.

    Args:
        ui: the widgets by their names.
        environment: the widgets of the section Environment, by their names.
        logic: holds the open study (`logic.session`) and the jobs (`logic.runner`).

    Attributes:
        parameters: the parameter node, None while a scene is being closed.
        shown: whether the user is in this module; elsewhere the views are left alone.
        signals: by which the sections talk to each other.
    """

    def __init__(self, ui: Any, environment: Any, logic: Any) -> None:
        os.environ[IN_PANEL] = "1"  # errors tell what its user can do
        self.ui = ui
        self.logic = logic
        self.parameters: Any = None
        self.shown = True
        self.signals = PanelSignals()
        self._refreshing = False
        self._scene = SceneNow()
        self._soon = qt.QTimer()
        self._soon.setSingleShot(True)
        self._soon.setInterval(20)
        self._soon.connect("timeout()", self.refresh)
        self.data = DataSection(self)
        self.labels = LabelsSection(self)
        self.train = TrainSection(self)
        self.segment = SegmentSection(self)
        self.measure = MeasureSection(self)
        self.agreement = AgreementSection(self)
        self.environment = EnvironmentSection(self, environment)
        self.sections: list[Section] = [
            self.data, self.labels, self.train, self.segment, self.measure, self.agreement,
            self.environment,
        ]  # fmt: skip
        self.steps = StepByStep(
            [
                Step(ui.dataStep, self.data.done),
                Step(ui.labelStep, self.labels.done),
                Step(ui.trainStep, self.train.done),
                Step(ui.resultsStep, self.measure.done),
            ]
        )
        for runner in (self.runner, self.logic.aside):
            runner.listeners.append(self._on_progress)
        importAhead()

    @property
    def session(self) -> StudySession | None:
        """The open study."""
        session: StudySession | None = self.logic.session
        return session

    @property
    def runner(self) -> JobRunner:
        """Does the jobs."""
        runner: JobRunner = self.logic.runner
        return runner

    def why_busy(self) -> str | None:
        """Why no other job can be started now, None when one can."""
        if not self.runner.busy or self.runner.job is None:
            return None
        return _("{what} is running; wait for its end or cancel it.").format(what=self.runner.job.title)

    def why_no_study(self) -> str | None:
        """Why there is no study to work on, None when there is one."""
        return None if self.session is not None else _("Create or open a study in step 1 first.")

    def run(self, job: Job, label: Any, done: Callable[[Job], str], aside: bool = False) -> None:
        """Start a job, and show in `label` how it ends.

        Args:
            job: what to do.
            label: for the end: what `done` says, or the cause and remedy of a failure.
            done: called with the finished job; takes over its result.
            aside: the study's resident worker does it, also while another job is running.
        """

        def finished(job: Job) -> None:
            if job.state == "done":
                with reported(label):
                    tell(label, done(job))
            elif job.state == "cancelled":
                tell(label, _("{what} was stopped.").format(what=job.title))
            else:
                tell(label, job.sentence, bad=True)
            self.refresh()

        tell(label, f"{job.title} …")
        (self.logic.aside if aside else self.runner).start(job, finished)
        self.refresh()

    def refresh(self) -> None:
        """Bring the whole panel up to date."""
        if self.parameters is None or not self.shown or self._refreshing:
            return
        self._refreshing = True
        try:
            if self.session is not None:
                self.session.look()
            self._scene.look()
            for section in self.sections:
                section.refresh()
            self.steps.refresh()
            self._advise()
        finally:
            self._refreshing = False

    def _advise(self) -> None:
        """Say what to do next, and colour the button of that; the line is there only where it says something."""
        data, label = self.data, self.ui.nextLabel
        now = Situation(
            session=self.session,
            missing=bool(data.missing()),
            job=self.runner.job,
            complete=not self.environment.missing,
            folder=data.folder(),
            offered=bool(data.offered()),
            ticked=bool(data.ticked()) or data.images.folder is not None,
            named=bool(self.parameters.organs),
            labelling=self.labels.case is not None,
            correcting=self.labels.correcting,
            training="" if self.train.offer.why_not else self.train.offer.text,
            results=self.measure.done(),
        )
        found = advice(now)
        label.text = _("Next: {sentence}").format(sentence=found.sentence) if found.sentence else ""
        label.visible = bool(found.sentence)
        for name in BUTTONS:
            put_first(getattr(self.ui, name), name == found.button)

    @property
    def scene(self) -> SceneNow:
        """What the scene holds; while the panel is brought up to date, at the beginning of that."""
        if not self._refreshing:
            self._scene.look()
        return self._scene

    def nodes_removed(self, *_arguments: Any) -> None:
        """Nodes are gone from the scene: none is kept alive from here."""
        self._scene.let_go()
        self.refresh_soon()

    def refresh_soon(self, *_arguments: Any) -> None:
        """Refresh once after a burst of changes, such as the loading of a scene."""
        self._soon.start()

    def close_study(self, folder: str = "") -> None:
        """Leave the open study: its labels are saved, and another can be made or opened.

        Args:
            folder: that is given for the next study, if the user has given one.

        Raises:
            InputError: a job is running.
        """
        if self.runner.busy:
            raise InputError(_("The study"), "cannot be closed now", self.why_busy() or "")
        self.signals.labels_needed.emit()
        self.logic.session = None
        self.signals.study_closed.emit()
        if self.parameters is not None:
            self.parameters.studyFolder = folder
            tell(self.ui.dataStatus, "")
        self.refresh()

    def scene_closed(self) -> None:
        """The scene was closed, and with it the study, unless a job works on it."""
        if self.session is not None and not self.runner.busy:
            self.close_study()

    def reopen(self) -> None:
        """A scene was loaded: open the study that it was saved with, unless something is running."""
        folder = Path(self.parameters.studyFolder)
        known = self.session is not None and self.session.folder == folder
        if self.session is not None and not known and not self.runner.busy:
            self.close_study(self.parameters.studyFolder)
        if not self.parameters.studyFolder or known or self.runner.busy or not (folder / MANIFEST_NAME).is_file():
            return
        with reported(self.ui.dataStatus):
            if missingRequirements():  # nobody has asked for an installation by loading a scene
                raise InputError(folder, "is the study of this scene", self.environment.how_to_install())
            self.data.open(folder, load=False)

    def enter(self) -> None:
        """The user comes to this module."""
        self.shown = True
        self.environment.look()
        for section in self.sections:
            section.enter()
        self.refresh()

    def leave(self) -> None:
        """The user goes to another module; what is running goes on."""
        self.shown = False
        for section in self.sections:
            section.leave()
        self._scene.let_go()
        restore_layout()

    def close(self) -> None:
        """The panel is destroyed: end the running job, keep all drawings."""
        self._soon.stop()
        self.parameters = None
        try:
            self.leave()
            self.environment.close()
            for runner in (self.runner, self.logic.aside):
                runner.stop()
                runner.listeners.remove(self._on_progress)
        finally:
            self.logic.session = None  # with which its worker ends, whatever has failed

    def _on_progress(self) -> None:
        if self.parameters is not None:
            self.data.bar.show_progress()
            self.labels.show_progress()
            self.train.show_progress()
            self.measure.show_progress()
            self.environment.show_progress()
