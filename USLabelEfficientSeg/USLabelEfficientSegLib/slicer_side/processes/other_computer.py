"""Another computer that trains, reached by SSH: its address and the command there, in the user's settings.

The worker here is the command `train --remote`: it copies the study, follows the training there, and writes the same
events as one that trains here. No password is kept: keys come from the user's SSH agent and files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import slicer

if TYPE_CHECKING:
    from ..session.study_session import StudySession

ADDRESS, COMMAND = "USLabelEfficientSeg/OtherComputer", "USLabelEfficientSeg/CommandThere"  # as they were used last
STARTED = "USLabelEfficientSeg/StartedElsewhere"
USUAL_COMMAND = "uslabelseg"
SECONDS_TO_STOP = 30.0  # a training there is asked by way of the network, and saves its state


def key_of(session: StudySession) -> str:
    """What tells a study from others in the settings; several may have been made within a second."""
    return f"{session.study.created} {session.folder.name}"


def chosen_address(study: str = "") -> str:
    """The address that trains a study, `user@host:/folder`; empty where this computer does.

    Args:
        study: its key; a study that was given none, or no study, has what was used last.
    """
    return _read(ADDRESS, study)


def command_there(study: str = "") -> str:
    """How `uslabelseg` is called on the computer that trains a study."""
    return _read(COMMAND, study) or USUAL_COMMAND


def choose(address: str, command: str, study: str = "") -> None:
    """Let an address train a study from now on, by a command there; this computer if it is empty.

    It is used last as well, which new studies begin with. The study's folder does not hold it, as it is copied there.
    """
    settings = slicer.app.userSettings()
    for name, text in ((ADDRESS, address.strip()), (COMMAND, command.strip())):
        text = "" if text == USUAL_COMMAND else text
        if study:
            settings.setValue(_of(name, study), text)
        if text:
            settings.setValue(name, text)
        else:
            settings.remove(name)
    settings.sync()


def keep(study: str) -> None:
    """A study that was given no address keeps the one that was used last, whatever other studies are given later."""
    settings = slicer.app.userSettings()
    for name in (ADDRESS, COMMAND):
        if not settings.contains(_of(name, study)):
            settings.setValue(_of(name, study), _read(name))


def started(study: str, elsewhere: bool) -> None:
    """A training of a study begins, here or elsewhere; how it is stopped does not depend on what is chosen later."""
    settings = slicer.app.userSettings()
    settings.setValue(_of(STARTED, study), "1" if elsewhere else "")
    settings.sync()


def was_started_elsewhere(study: str) -> bool:
    """Whether the newest training of a study was started on another computer, as far as this user's panels know."""
    return bool(_read(STARTED, study))


def options(study: str = "") -> list[str]:
    """Options of `train` and `devices` for it; none where this computer trains.

    Raises:
        InputError: the address is none.
    """
    from ...remote.address import Address

    address = chosen_address(study)
    if not address:
        return []
    Address.parse(address)  # told at once, and not by the worker
    return ["--remote", address, "--remote-command", command_there(study)]


def _of(name: str, study: str) -> str:
    return f"{name}Of/{study}"


def _read(name: str, study: str = "") -> str:
    application: Any = getattr(slicer, "app", None)
    if application is None:
        return ""
    settings = application.userSettings()
    own = _of(name, study)
    return str(settings.value(own if study and settings.contains(own) else name) or "")
