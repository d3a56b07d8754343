"""The section Environment: which Python trains and segments, what it has, and how the rest gets installed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import qt
import slicer
from slicer.i18n import tr as _

from ...errors import Cancelled, InputError
from ..processes import dependencies, installation, other_python
from ..processes.dependencies import MissingPackagesError, nameOf
from ..processes.jobs import Job
from ..processes.python_checking import PythonCheck, check, why_unfit
from ..section import Section, allow, on_click, reported, tell

if TYPE_CHECKING:
    from ..panel import Panel

_SHOWN = ("torch", "monai")  # of the packages, in the line; the tooltip has all


class EnvironmentSection(Section):
    """Installs packages beside Slicer, with the log in view, and lets another Python do the work.

    Args:
        panel: gives access to the jobs.
        ui: the widgets of the section by their names; its .ui file is its own.

    Attributes:
        notice: a label for the top of the panel: what must be done before anything else can be, else hidden.
        missing: packages that were missing or too old when `look` was called last.
    """

    def __init__(self, panel: Panel, ui: Any) -> None:
        super().__init__(panel)
        self.ui = ui
        self.notice = qt.QLabel()
        self.notice.wordWrap = True
        self.notice.toolTip = _("What must be done before the module can be used.")
        self.missing: list[str] = []
        self._logged = -1  # bytes of the log that is shown
        for button, action in (
            (ui.installButton, lambda: self.install()),
            (ui.updateButton, lambda: self.install(update=True)),
            (ui.checkPythonButton, lambda: self.check(other_python.chosen_python())),
            (ui.otherPythonButton, self._choose),
            (ui.slicersPythonButton, lambda: self._use(None)),
            (ui.cancelInstallButton, self._cancel),
        ):
            on_click(button, ui.environmentStatus, action)
        dependencies.installers.append(self.offer)
        self.look()
        self.show_progress()

    # What is shown

    @property
    def installing(self) -> Job | None:
        """The installation that is running."""
        job = self.panel.runner.job
        return job if job is not None and job.running and job.kind == "install" else None

    def look(self) -> None:
        """Find out what is installed; it takes milliseconds, so not at every refresh."""
        self.missing = dependencies.missingRequirements()
        python = other_python.chosen_python()
        needed = [nameOf(text) for text in dependencies.neededHere()]
        versions = {name: dependencies.installedVersion(name) for name in needed}
        told = [f"{name} {versions[name]}" for name in _SHOWN if versions.get(name)]
        lines = [_("Slicer's Python: {told}.").format(told=", ".join(told))] if told else []
        if python is not None:
            lines = [_("Another Python computes: {python}").format(python=python)]
        if self.missing:
            names = ", ".join(nameOf(text) for text in self.missing)
            lines.append(_("Missing or too old in Slicer's Python: {names}.").format(names=names))
        self.ui.environmentText.text = "\n".join(lines)
        self.ui.environmentText.toolTip = "\n".join(f"{name} {versions[name] or _('missing')}" for name in needed)
        self.signals.packages_known.emit(python is not None or versions.get("torch") is not None)
        self._show_notice()

    def how_to_install(self) -> str:
        """What the user has to do to get what is missing, as an imperative."""
        return dependencies.whyNotInstallable() or _("press Install in the section Environment")

    def refresh(self) -> None:
        """Show what can be done."""
        busy, hindrance, ui = self.panel.why_busy(), dependencies.whyNotInstallable(), self.ui
        nothing = None if self.missing else _("Nothing is missing.")
        tip = _("Download and install what is missing. Slicer stays usable meanwhile.")
        allow(ui.installButton, tip, nothing or hindrance or busy)
        first = _("Press Install first.") if self.missing else None
        tip = _("Renew the installed packages; PyTorch and what Slicer brings stay as they are.")
        allow(ui.updateButton, tip, hindrance or first or busy)
        tip = _("Show versions, device and speed of the Python that is used; takes some seconds.")
        allow(ui.checkPythonButton, tip, busy)
        tip = _("Train and segment with a Python of your own, such as a workstation's with CUDA. It is checked first.")
        allow(ui.otherPythonButton, tip, busy)
        same = None if other_python.chosen_python() is not None else _("Slicer's own Python is used.")
        allow(ui.slicersPythonButton, _("Train and segment with Slicer's own Python again."), same or busy)

    def show_progress(self) -> None:
        """Bring bar and log up to date; called many times a second."""
        job, ui = self.installing, self.ui
        ui.installProgressRow.visible = job is not None
        ui.installLog.visible = job is not None or self._logged > 0
        if job is None:
            return
        ui.installProgress.maximum = 0 if job.progress is None else 100
        ui.installProgress.value = 0 if job.progress is None else round(100 * job.progress)
        size = job.log.stat().st_size if job.log is not None and job.log.is_file() else 0
        if job.log is not None and size != self._logged:
            self._logged = size
            ui.installLog.plainText = installation.logLines(job.log)
            bar = ui.installLog.verticalScrollBar()
            bar.value = bar.maximum
        writing = installation.isWriting(job) if size else False
        reason = _("The packages are being written; this cannot be stopped any more.") if writing else None
        allow(ui.cancelInstallButton, _("Stop the installation."), reason)

    def _show_notice(self) -> None:
        unsupported = dependencies.whyUnsupported()
        names = ", ".join(nameOf(text) for text in self.missing)
        if unsupported is not None:
            tell(self.notice, f"{unsupported[0].upper()}{unsupported[1:]}.", bad=True)
        elif self.missing:
            text = _("Python packages are missing ({names}): {remedy}.").format(
                names=names, remedy=self.how_to_install()
            )
            tell(self.notice, text)
        self.notice.visible = unsupported is not None or bool(self.missing)

    def _reveal(self) -> None:
        """Open the section, and what it lies in."""
        widget = self.ui.environmentSection
        while widget is not None:
            if widget.className() == "ctkCollapsibleButton":
                widget.collapsed = False
            widget = widget.parentWidget()

    # What the user does

    def offer(self, missing: MissingPackagesError, then: Callable[[], None]) -> None:
        """Ask whether to install what is missing, and do afterwards what the user wanted.

        Raises:
            MissingPackagesError: it cannot be installed, or nobody is there to be asked.
            Cancelled: the user declined.
        """
        if dependencies.whyNotInstallable() is not None or slicer.app.testingEnabled():
            raise missing
        names = ", ".join(nameOf(text) for text in dependencies.missingRequirements())
        question = _(
            "This needs Python packages that are not installed yet: {names}.\n\nInstall them now? Some hundred MB are "
            "downloaded, with an NVIDIA card some GB. Slicer stays usable meanwhile."
        ).format(names=names)
        if not slicer.util.confirmOkCancelDisplay(question, windowTitle=_("Install Python packages")):
            raise Cancelled
        self.install(then)

    def install(self, then: Callable[[], None] | None = None, *, update: bool = False) -> None:
        """Install what is missing, or renew what is there, and then do something.

        Raises:
            InputError: something else is running.
        """
        self._reveal()
        self._let_go()
        self._logged = -1

        def done(job: Job) -> str:
            self.look()
            self.panel.reopen()
            made: installation.Installation = job.result
            if made.goesOn:
                self._restart()
            elif then is not None and not made.restart:
                qt.QTimer.singleShot(0, then)
            return installation.sentenceOf(made)

        job = Job(_("Installation"), lambda job: installation.install(job, update), "install")
        self.panel.run(job, self.ui.environmentStatus, done)

    def take_up(self) -> None:
        """Go on with an installation that has waited for Slicer's restart."""
        with reported(self.ui.environmentStatus):
            if installation.goesOnAfterRestart():
                self._reveal()
            if installation.takeUp():
                self.install()

    def check(self, python: Path | None, then: Callable[[PythonCheck], str] | None = None) -> None:
        """Look at a Python, None for Slicer's own: versions, device, speed."""

        def done(job: Job) -> str:
            found: PythonCheck = job.result
            return then(found) if then is not None else found.sentence()

        job = Job(_("Checking Python"), lambda job: check(job, python), "check")
        self.panel.run(job, self.ui.environmentStatus, done)

    def close(self) -> None:
        """The panel is destroyed."""
        dependencies.installers.remove(self.offer)

    def _choose(self) -> None:
        title = _("Python that trains and segments")
        path = qt.QFileDialog.getOpenFileName(slicer.util.mainWindow(), title)
        if path:
            self.try_python(Path(path))

    def try_python(self, python: Path) -> None:
        """Check another Python, and use it if it has all that is needed."""

        def fits(found: PythonCheck) -> str:
            reason = why_unfit(found)
            if reason is not None:
                raise InputError(python, reason.problem, reason.remedy)
            self._use(python)
            return found.sentence()

        self.check(python, fits)

    def _use(self, python: Path | None) -> None:
        other_python.choose_python(python)
        self._let_go()
        self.look()
        self.panel.refresh()

    def _let_go(self) -> None:
        """End the study's resident worker, which has loaded the packages as they are; it starts again when asked."""
        if self.panel.session is not None:
            self.panel.session.resident.end()

    def _restart(self) -> None:
        question = _(
            "The extension PyTorch is installed. Slicer must be restarted; the installation then goes on by itself. "
            "What is not saved of the scene is lost.\n\nRestart now?"
        )
        if not slicer.app.testingEnabled() and slicer.util.confirmYesNoDisplay(question):
            slicer.util.restart()

    def _cancel(self) -> None:
        job = self.installing
        if job is not None and not installation.isWriting(job):
            job.cancel()
