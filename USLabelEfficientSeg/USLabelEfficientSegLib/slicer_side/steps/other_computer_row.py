"""Step 3, Train, Advanced: another computer trains; its address, and whether it can be used."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from slicer.i18n import tr as _

from ..processes import other_computer
from ..processes.dependencies import ensureDependencies
from ..processes.jobs import Job
from ..section import allow, on_click, silent

if TYPE_CHECKING:
    from ..panel import Panel

Devices = list[dict[str, Any]]


class OtherComputerRow:
    """Each study has its address, which is kept in the settings of this user; no password is asked for or kept.

    Args:
        panel: of the section.
        look: steps that look for devices with some options of the command.
        found: called with the devices there.
    """

    def __init__(self, panel: Panel, look: Callable[[Job, list[str]], Any], found: Callable[[Devices], None]) -> None:
        self._panel, self._ui, self._look, self._found = panel, panel.ui, look, found
        ui = self._ui
        self.show()
        for edit in (ui.remoteEdit, ui.remoteCommandEdit):
            edit.connect("textChanged(QString)", panel.refresh_soon)
            edit.connect("editingFinished()", self.take)
        on_click(ui.checkRemoteButton, ui.trainStatus, self._check)

    @property
    def chosen(self) -> bool:
        """Whether another computer is to train."""
        return bool(self._ui.remoteEdit.text.strip())

    def show(self) -> None:
        """Show the address of the open study; of none, the one that was used last."""
        ui, study = self._ui, self._study
        command = other_computer.command_there(study)
        with silent(ui.remoteEdit), silent(ui.remoteCommandEdit):
            ui.remoteEdit.text = other_computer.chosen_address(study)
            ui.remoteCommandEdit.text = "" if command == other_computer.USUAL_COMMAND else command

    def study_opened(self) -> None:
        """Another study is open: it keeps the address that it begins with."""
        other_computer.keep(self._study)
        self.show()

    def take(self) -> None:
        """What is written is the study's from now on: after it was edited, and before it is used."""
        address, command, study = self._ui.remoteEdit.text.strip(), self._ui.remoteCommandEdit.text.strip(), self._study
        before = (other_computer.chosen_address(study), other_computer.command_there(study))
        if (address, command or other_computer.USUAL_COMMAND) != before:
            other_computer.choose(address, command, study)
        self._panel.refresh_soon()

    def options(self) -> list[str]:
        """Options of `train` and `devices`, see `other_computer.options`."""
        self.take()
        return other_computer.options(self._study)

    @property
    def _study(self) -> str:
        session = self._panel.session
        return "" if session is None else other_computer.key_of(session)

    def refresh(self, training: bool) -> None:
        """What can be done; `training`: a training is running."""
        ui = self._ui
        for edit in (ui.remoteEdit, ui.remoteCommandEdit):
            edit.enabled = not training
        for widget in (ui.remoteCommandLabel, ui.remoteCommandEdit):
            widget.visible = self.chosen
        tip = _("See whether it is reached and has this version, and how fast its devices are; takes some seconds.")
        none = None if self.chosen else _("Write its address first: user@host:/folder/of/study.")
        allow(ui.checkRemoteButton, tip, none or self._panel.why_busy())

    def _check(self) -> None:
        ensureDependencies()
        options = self.options()

        def done(job: Job) -> str:
            self._found(job.result)
            text = _("It is reached, and has this version of the program. It trains on: {devices}.")
            return text.format(devices="; ".join(map(_told, job.result)))

        title = _("Looking at the other computer")
        job = Job(title, lambda job: self._look(job, options), "devices")
        self._panel.run(job, self._ui.trainStatus, done)


def _told(device: dict[str, Any]) -> str:
    memory = f", {device['memory_gb']} GB" if device["memory_gb"] else ""
    if "milliseconds" not in device:
        return f"{device['name']}{memory}"
    text = _("{name}{memory}, a training step of a small network takes {time} ms")
    return text.format(name=device["name"], memory=memory, time=device["milliseconds"])
