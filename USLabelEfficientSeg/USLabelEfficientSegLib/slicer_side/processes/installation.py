"""Installs what is missing, as a job: pip works in a process beside Slicer, and its output is the job's log.

torch comes through Slicer's PyTorch extension, which is installed first where it is missing; as Slicer finds a new
extension only at its next start, the installation goes on after that.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from ...errors import InputError
from .dependencies import (
    BUNDLED_OF_LATE,
    REQUIREMENTS,
    TORCH,
    constraintsBut,
    installedVersion,
    missingRequirements,
    nameOf,
    neededHere,
    offlineInstructions,
    whyNotInstallable,
)
from .jobs import Job, Steps, WorkError
from .study_jobs import logsOfNoStudy
from .temporary_folders import temporaryFolder
from .worker import Worker

AFTER_RESTART = "USLabelEfficientSeg/InstallAfterRestart"  # in Slicer's user settings
EXTENSION = "PyTorch"
_EXTENSIONS_MODULE = "PyTorchUtils"
_WRITING = "Installing collected packages"
_DOWNLOADED = re.compile(r"Progress (\d+) of (\d+)")  # pip --progress-bar=raw
_OFFLINE = "without network see docs/install.md, section Offline installation"
_REMEDY = f"check the network connection and the proxy; {_OFFLINE}"
_REMEDIES = (
    (
        r"Permission denied|Access is denied|WinError 5\b",
        "this Slicer's folder may not be written to; ask for permission, or press Use another Python",
    ),
    (r"No space left|not enough space", "free some space on the disk and press Install again"),
    (
        r"ResolutionImpossible|conflict",
        "they do not fit what Slicer bundles, which is kept as it is; get a newer Slicer, or press Use another Python",
    ),
)


@dataclass(frozen=True)
class Installation:
    """What an installation has done.

    Attributes:
        changed: packages that are new or of another version, as `name version`.
        restart: whether Slicer must be restarted, as it has loaded an earlier version of one of them.
        goesOn: whether the installation has to go on, and does so by itself, after Slicer's next start.
    """

    changed: tuple[str, ...] = ()
    restart: bool = False
    goesOn: bool = False


def install(job: Job, update: bool = False, requirements: Path = REQUIREMENTS) -> Steps:
    """Steps that install what is missing; they return an `Installation`.

    Args:
        job: shows progress and log, and cancels.
        update: renew what is installed, too; torch and what Slicer bundles stay as they are.
        requirements: the list of packages.

    Raises:
        InputError: while they run: this Slicer cannot be helped, or an installation failed.
        Cancelled: while they run: cancelled by the user.
    """
    hindrance = whyNotInstallable()
    if hindrance is not None:
        raise InputError("Python packages", "cannot be installed", hindrance)
    packaging = sys.modules.get("slicer.packaging")
    if packaging is not None and packaging.isPipInstallInProgress():
        raise InputError("Slicer", "is installing packages for another module", "wait for its end and try again")
    needed = neededHere(requirements)
    before = {nameOf(text): installedVersion(nameOf(text)) for text in needed}
    if TORCH in missingRequirements(requirements):
        if importlib.util.find_spec(_EXTENSIONS_MODULE) is None:
            _install_extension()
            return Installation(goesOn=True)
        _prepare_torch_installer()
        yield from _pip(job, [TORCH], module="light_the_torch")
    wanted = missingRequirements(requirements)
    if update:
        stay = ({nameOf(TORCH), *BUNDLED_OF_LATE}) - {nameOf(text) for text in wanted}
        wanted = [text for text in needed if nameOf(text) not in stay]
    if wanted:
        yield from _pip(job, wanted, ["--upgrade"] if update else [])
    left = missingRequirements(requirements)
    if left:
        problem = f"are still missing after the installation: {', '.join(left)}"
        raise InputError("Python packages", problem, "restart Slicer and try again")
    return _done(before)


def goesOnAfterRestart() -> bool:
    """Whether an installation has waited for this start of Slicer."""
    return slicer.app.userSettings().value(AFTER_RESTART) is not None


def takeUp() -> bool:
    """Whether an installation that has waited for a restart can go on now; it waits no longer in any case.

    Raises:
        InputError: Slicer was restarted, and the PyTorch extension is still not there.
    """
    if not goesOnAfterRestart():
        return False
    slicer.app.userSettings().remove(AFTER_RESTART)
    if importlib.util.find_spec(_EXTENSIONS_MODULE) is None:
        remedy = f"install the extension {EXTENSION} in the Extensions Manager, restart Slicer, and press Install"
        raise InputError(f"extension {EXTENSION}", "is not active after the restart", remedy)
    return True


def isWriting(job: Job) -> bool:
    """Whether pip has begun to write into Slicer's folders, which must not be cut short."""
    return job.log is not None and job.log.is_file() and _WRITING in _text(job.log)


def logLines(log: Path, most: int = 200) -> str:
    """The end of a log of pip for people, without the lines on the progress of downloads."""
    lines = [line for line in _text(log).splitlines() if not _DOWNLOADED.match(line)]
    return "\n".join(lines[-most:])


def _install_extension() -> None:
    manager = slicer.app.extensionsManagerModel()
    remedy = f"install it in the Extensions Manager and restart Slicer; {_OFFLINE}"
    if manager is None:
        raise InputError(f"extension {EXTENSION}", "is missing, and this Slicer has no Extensions Manager", remedy)
    if not manager.isExtensionInstalled(EXTENSION):
        asks, manager.interactive = manager.interactive, False  # the user has been asked already
        try:
            installed = manager.installExtensionFromServer(EXTENSION, False)
        finally:
            manager.interactive = asks
        if not installed:
            raise InputError(f"extension {EXTENSION}", "could not be installed", remedy)
    settings = slicer.app.userSettings()
    settings.setValue(AFTER_RESTART, "1")
    settings.sync()


def _prepare_torch_installer() -> None:
    """Let the extension install what it installs torch with, a small package."""
    if importlib.util.find_spec("light_the_torch") is not None:
        return
    import PyTorchUtils

    try:
        requirement = TORCH.removeprefix("torch")
        PyTorchUtils.PyTorchUtilsLogic.getCompatibleComputationBackends(torchVersionRequirement=requirement)
    except Exception as error:  # of pip, or of what the extension makes of it
        raise _failed(["PyTorch"], str(error)) from error
    importlib.invalidate_caches()


def _pip(job: Job, wanted: Sequence[str], options: Sequence[str] = (), module: str = "pip") -> Iterator[None]:
    names = [nameOf(text) for text in wanted]

    def watch(worker: Worker) -> None:
        found = _DOWNLOADED.findall(worker.log_text())
        job.outlives = isWriting(job)
        job.progress = int(found[-1][0]) / max(int(found[-1][1]), 1) if found else None

    with temporaryFolder() as folder:
        constraints = Path(folder) / "constraints.txt"
        constraints.write_text(constraintsBut(names), encoding="utf-8")
        arguments = ["install", *wanted, *options, f"--constraint={constraints}"]
        arguments += ["--progress-bar=raw", "--disable-pip-version-check"]
        try:
            yield from job.work(arguments, logsOfNoStudy(), watch, module=module)
        except WorkError as error:
            text = "" if job.log is None else _text(job.log)
            raise _failed(names, _reason(text) or error.sentence) from error
    job.progress, job.outlives = None, False
    importlib.invalidate_caches()


def _reason(text: str) -> str:
    """The last thing that pip has found wrong."""
    found = [line.removeprefix("ERROR: ") for line in text.splitlines() if line.startswith("ERROR: ")]
    return found[-1] if found else ""


def _failed(names: Sequence[str], reason: str) -> InputError:
    logging.info(offlineInstructions())
    remedy = next((remedy for pattern, remedy in _REMEDIES if re.search(pattern, reason)), _REMEDY)
    return InputError(", ".join(names), f"could not be installed ({reason.rstrip('.')})", remedy)


def _done(before: dict[str, str | None]) -> Installation:
    after = {name: installedVersion(name) for name in before}
    changed = [name for name in before if after[name] != before[name]]
    loaded = any(before[name] is not None and name in sys.modules for name in changed)
    return Installation(tuple(f"{name} {after[name]}" for name in changed), restart=loaded)


def _text(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")


def sentenceOf(installation: Installation) -> str:
    """What was done, for the user."""
    if installation.goesOn:
        return _("The extension {name} is installed. Restart Slicer: the installation then goes on by itself.").format(
            name=EXTENSION
        )
    if not installation.changed:
        return _("Everything is up to date.")
    text = _("Installed: {changed}.").format(changed=", ".join(installation.changed))
    return f"{text} {_('Restart Slicer to use them.')}" if installation.restart else text
