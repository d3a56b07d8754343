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
    """The address is remembered for this user of this computer; no password is asked for or kept.

    Args:
        panel: of the section.
        look: steps that look for devices with some options of the command.
        found: called with the devices there.
    """

    def __init__(self, panel: Panel, look: Callable[[Job, list[str]], Any], found: Callable[[Devices], None]) -> None:
        self._panel, self._ui, self._look, self._found = panel, panel.ui, look, found
        ui = self._ui
        with silent(ui.remoteEdit), silent(ui.remoteCommandEdit):
            ui.remoteEdit.text = other_computer.chosen_address()
            command = other_computer.command_there()
            ui.remoteCommandEdit.text = "" if command == other_computer.USUAL_COMMAND else command
        for edit in (ui.remoteEdit, ui.remoteCommandEdit):
            edit.connect("textChanged(QString)", self._on_edited)
        on_click(ui.checkRemoteButton, ui.trainStatus, self._check)

    @property
    def chosen(self) -> bool:
        """Whether another computer is to train."""
        return bool(other_computer.chosen_address())

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

    def _on_edited(self, _text: str) -> None:
        other_computer.choose(self._ui.remoteEdit.text, self._ui.remoteCommandEdit.text)
        self._panel.refresh_soon()

    def _check(self) -> None:
        ensureDependencies()
        options = other_computer.options()

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
