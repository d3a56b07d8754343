"""Python packages that Slicer does not bundle: which are needed, which are there, and what stands in their way.

torch comes from Slicer's PyTorch extension, which picks the build that fits the computer; the rest is listed in
`Resources/requirements.txt`. Nothing here installs anything: see `installation`.
"""

from __future__ import annotations

import importlib.metadata
import platform
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import slicer

from ...errors import InputError
from .other_python import chosen_python

REQUIREMENTS = Path(__file__).parents[3] / "Resources" / "requirements.txt"
TORCH = "torch>=2.4.1"  # with an older one pip takes an older monai, and with that numpy 1.26
BUNDLED = ("numpy>=1.26", "scipy>=1.11", "SimpleITK>=2.3", "pillow>=10.1", "vtk>=9.2")  # by each supported Slicer
BUNDLED_OF_LATE = ("pydicom", "highdicom")  # by Slicer too, but old in some versions of it
IN_SLICER = ("pydantic", "pydicom")  # what Slicer's own process imports, even where another Python computes
OLDEST_SLICER = (5, 12)


installers: list[Callable[[MissingPackagesError, Callable[[], None]], None]] = []
"""What the open panel does when packages are missing: ask, install, and then do what was wanted."""


class MissingPackagesError(InputError):
    """Python packages have to be installed before this can be done."""


def allRequirements(requirements: Path = REQUIREMENTS) -> list[str]:
    """All packages that are needed beside those of `BUNDLED`, torch first, as `name>=version`."""
    lines = (line.strip() for line in requirements.read_text(encoding="utf-8").splitlines())
    return [TORCH, *(line for line in lines if line and not line.startswith(("#", "-")))]


def neededHere(requirements: Path = REQUIREMENTS) -> list[str]:
    """The packages that Slicer's own Python needs: few of them, when another Python computes."""
    needed = allRequirements(requirements)
    return needed if chosen_python() is None else [text for text in needed if nameOf(text) in IN_SLICER]


def missingRequirements(requirements: Path = REQUIREMENTS) -> list[str]:
    """Packages that are missing or too old, torch first, as `name>=version`. Reads versions and imports nothing."""
    return [text for text in neededHere(requirements) if not satisfies(installedVersion(nameOf(text)), text)]


def ensureDependencies(requirements: Path = REQUIREMENTS) -> None:
    """Make sure that all packages are there, before they are needed.

    Raises:
        MissingPackagesError: some are not; the sentence tells what to press, and what to call in the console.
    """
    missing = missingRequirements(requirements)
    if missing:
        problem = f"are missing or too old ({', '.join(nameOf(text) for text in missing)})"
        remedy = "press Install in the section Environment, or call logic.installDependencies() in the Python console"
        raise MissingPackagesError("Python packages", problem, whyNotInstallable() or remedy)


def offerInstallation(missing: MissingPackagesError, then: Callable[[], None]) -> None:
    """Let the open panel offer to install what is missing, and do after that what the user wanted.

    Raises:
        MissingPackagesError: there is no panel, or it cannot offer that.
        Cancelled: the user declined.
    """
    if not installers:
        raise missing
    installers[-1](missing, then)


def whyUnsupported() -> str | None:
    """Why this Slicer is not supported and what to do, as a clause; None if it is."""
    if (slicer.app.majorVersion, slicer.app.minorVersion) >= OLDEST_SLICER:
        return None
    this, oldest = f"{slicer.app.majorVersion}.{slicer.app.minorVersion}", ".".join(map(str, OLDEST_SLICER))
    return f"this is Slicer {this}; get Slicer {oldest} or later from download.slicer.org"


def whyNotInstallable() -> str | None:
    """What to do where the packages cannot be installed into this Slicer at all, as a clause; None where they can."""
    unsupported = whyUnsupported()
    if unsupported is not None:
        return unsupported
    if sys.platform == "darwin" and platform.machine() == "x86_64" and chosen_python() is None:
        return (
            "this Slicer is the build for Intel Macs, for which there is no PyTorch 2.4.1; get Slicer's build for "
            "Apple silicon, or press Use another Python in the section Environment"
        )
    return None


def constraintsBut(renewed: Iterable[str]) -> str:
    """A constraints file for pip that keeps every installed package at its version, but for those of these names.

    So nothing that Slicer bundles changes under the running program, whatever the new packages ask for.
    """
    from packaging.utils import canonicalize_name

    free = {canonicalize_name(name) for name in renewed}
    pins = set()
    for distribution in importlib.metadata.distributions():
        name, version = distribution.metadata["Name"], distribution.version
        if name and version and canonicalize_name(name) not in free and satisfies(version, f"{name}=={version}"):
            pins.add(f"{name}=={version}")
    return "".join(f"{pin}\n" for pin in sorted(pins, key=str.lower))


def offlineInstructions(requirements: Path = REQUIREMENTS) -> str:
    """How to install without network: two commands, one on a connected computer, one here."""
    packages = " ".join(f'"{text}"' for text in allRequirements(requirements))
    python = {"win32": r"bin\PythonSlicer.exe", "darwin": "Slicer.app/Contents/bin/PythonSlicer"}.get(
        sys.platform, "bin/PythonSlicer"
    )
    return (
        "On a computer with network and the same Slicer and operating system, run in Slicer's folder:\n"
        f"    {python} -m pip download --dest packages {packages}\n"
        "Copy the folder `packages` to this computer and run here:\n"
        f"    {python} -m pip install --no-index --find-links packages {packages}"
    )


def installedVersion(name: str) -> str | None:
    """The version of a package in Slicer's Python, None if it is not installed."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def nameOf(requirement: str) -> str:
    """The package that a requirement is about."""
    from packaging.requirements import Requirement

    return Requirement(requirement).name


def satisfies(version: str | None, requirement: str) -> bool:
    """Whether a version, None for none, is one that a requirement wants."""
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.version import InvalidVersion

    if version is None:
        return False
    try:
        return Requirement(requirement).specifier.contains(version, prereleases=True)
    except (InvalidRequirement, InvalidVersion):
        return False
