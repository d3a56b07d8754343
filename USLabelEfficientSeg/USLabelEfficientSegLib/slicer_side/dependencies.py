"""Python packages that Slicer does not bundle: installed when they are needed, after asking.

torch comes from Slicer's PyTorch extension, which picks the build that fits the computer; the rest from
`Resources/requirements.txt`. Nothing here runs when the module is merely opened.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import logging
from pathlib import Path
from subprocess import CalledProcessError
from tempfile import TemporaryDirectory

import slicer

from ..errors import Cancelled, InputError

REQUIREMENTS = Path(__file__).parents[2] / "Resources" / "requirements.txt"
TORCH_VERSION = ">=2.4"
_MODULE = "USLabelEfficientSeg"


def missingRequirements(requirements: Path = REQUIREMENTS) -> list[str]:
    """Packages that are missing or too old, torch first, as `name>=version`. Reads versions and imports nothing."""
    return [text for text in [f"torch{TORCH_VERSION}", *_listed(requirements)] if not _installed(text)]


def ensureDependencies(requirements: Path = REQUIREMENTS) -> None:
    """Install what is missing, after asking the user. Call it from the main thread, where the packages are needed.

    Raises:
        Cancelled: the user declined.
        InputError: the PyTorch extension is missing, or an installation failed; the remedy tells what to do
            offline.
    """
    missing = missingRequirements(requirements)
    try:
        if missing and missing[0].startswith("torch"):
            _install_torch()
            del missing[0]
        if missing:
            _install(missing)
    except InputError:
        logging.info(offlineInstructions(requirements))
        raise
    importlib.invalidate_caches()
    left = missingRequirements(requirements)
    if left:
        problem = f"are still missing after the installation: {', '.join(left)}"
        raise InputError("Python packages", problem, "restart Slicer and try again")


def offlineInstructions(requirements: Path = REQUIREMENTS) -> str:
    """How to install without network: two commands, one on a connected computer, one here."""
    packages = " ".join(f'"{text}"' for text in [f"torch{TORCH_VERSION}", *_listed(requirements)])
    return (
        "On a computer with network and the same Slicer and operating system, run in Slicer's folder:\n"
        f"    bin/PythonSlicer -m pip download --dest packages {packages}\n"
        "Copy the folder `packages` to this computer and run here:\n"
        f"    bin/PythonSlicer -m pip install --no-index --find-links packages {packages}"
    )


def _listed(requirements: Path) -> list[str]:
    lines = (line.strip() for line in requirements.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line and not line.startswith(("#", "-"))]


def _installed(requirement: str) -> bool:
    from packaging.requirements import Requirement

    wanted = Requirement(requirement)
    try:
        version = importlib.metadata.version(wanted.name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return wanted.specifier.contains(version, prereleases=True)


def _install_torch() -> None:
    try:
        import PyTorchUtils
    except ImportError:
        raise InputError(
            "PyTorch",
            "is needed, and Slicer's PyTorch extension is not installed",
            "install the extension PyTorch in the Extensions Manager and restart Slicer; "
            "without network see docs/install.md, section Offline installation",
        ) from None
    try:
        torch = PyTorchUtils.PyTorchUtilsLogic().installTorch(
            askConfirmation=True, torchVersionRequirement=TORCH_VERSION
        )
    except CalledProcessError as error:
        raise _failed("PyTorch", error) from error
    if torch is None:
        raise Cancelled


def _install(missing: list[str]) -> None:
    """Ask, then install; an installed torch stays, whatever the packages ask for."""
    logging.info("installing %s", ", ".join(missing))
    with TemporaryDirectory() as folder:
        constraints = Path(folder) / "constraints.txt"
        constraints.write_text(f"torch=={importlib.metadata.version('torch')}\n", encoding="utf-8")
        try:
            if importlib.util.find_spec("slicer.packaging") is not None:  # Slicer 5.11 and later
                _install_with_packaging(missing, constraints)
            else:
                _install_with_pip(missing, constraints)
        except CalledProcessError as error:
            raise _failed(", ".join(missing), error) from error


def _install_with_packaging(missing: list[str], constraints: Path) -> None:
    """Slicer asks, shows the progress and tells when a restart is needed."""
    import slicer.packaging

    try:
        slicer.packaging.pip_ensure(missing, constraints=constraints, requester=_MODULE)
    except RuntimeError as declined:
        raise Cancelled from declined


def _install_with_pip(missing: list[str], constraints: Path) -> None:
    listing = "\n".join(missing)
    question = f"{_MODULE} needs Python packages that are not installed yet:\n\n{listing}\n\nInstall them now?"
    if not slicer.util.confirmOkCancelDisplay(question, windowTitle="Install Python packages"):
        raise Cancelled
    slicer.util.pip_install([*missing, "--constraint", str(constraints)])


def _failed(what: str, error: Exception) -> InputError:
    return InputError(
        what,
        f"could not be installed ({error})",
        "check the network connection and the proxy; without network see docs/install.md, section Offline installation",
    )
