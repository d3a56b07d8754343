"""What the package depends on, as it is installed: writes `docs/licences.md` and `constraints.txt`.

    python release/dependencies.py      # `make dependencies`, before a release

Both follow from the requirements of `pyproject.toml` and from the metadata of installed packages, so run it where the
extras are installed (`make test` sets that up).
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
EXTRAS = ("dicom", "cluster", "exchange", "remote")
LONGEST = 60  # characters of a licence's name; what is longer is its text
PAGE = """# Licences of what it depends on

US Label-Efficient Segmentation is under the [Apache License 2.0](../LICENSE). It is distributed without the packages
below; pip installs them. `make dependencies` reads this table from their metadata.

torch for NVIDIA cards brings CUDA libraries (`nvidia-*`, `cuda-*`), which are under NVIDIA's own licence and are not
listed. Slicer has its [own licence](https://github.com/Slicer/Slicer/blob/main/License.txt).

| package | licence | needed by |
| --- | --- | --- |
"""
CONSTRAINTS = """\
# Versions with which a release is tested: of what it depends on and of the tools of its tests (`make dependencies`).
# torch==2.13.0 admits both builds: for CPUs, and with CUDA (constraints-cuda.txt).
"""


def requirements(extras: Iterable[str]) -> list[tuple[Requirement, str]]:
    """The requirements of `pyproject.toml`, each with its extra; "" for those that are always needed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    texts = [(text, "") for text in project["dependencies"]]
    texts += [(text, extra) for extra in extras for text in project["optional-dependencies"][extra]]
    return [(Requirement(text), extra) for text, extra in texts]


def every_extra() -> list[str]:
    """The names of all extras of `pyproject.toml`."""
    return list(
        tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    )


def installed(wanted: Iterable[Requirement]) -> dict[str, Distribution]:
    """What requirements and their requirements have installed, by normalised name; what is not there is left out."""
    found: dict[str, Distribution] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [(requirement, "") for requirement in wanted]
    while waiting:
        requirement, extra = waiting.pop()
        name = canonicalize_name(requirement.name)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
            continue
        for inner in ("", *requirement.extras):
            if (name, inner) in seen:
                continue
            seen.add((name, inner))
            try:
                found[name] = distribution(name)
            except PackageNotFoundError:
                continue
            waiting += [(Requirement(text), inner) for text in found[name].requires or []]
    return dict(sorted(found.items()))


def refuse_missing(wanted: Iterable[Requirement], packages: Mapping[str, Distribution]) -> None:
    """End with a sentence if a requirement is not installed: its version and licence are not known."""
    if missing := sorted({canonicalize_name(requirement.name) for requirement in wanted} - set(packages)):
        raise SystemExit(f"not installed: {', '.join(missing)}; install all extras first")


def licence(package: Distribution) -> str:
    """What a package's metadata say: the expression, a short name, or the classifier.

    Raises:
        ValueError: The metadata name none.
    """
    told = package.metadata.json
    short = str(told.get("license", "")).strip()
    if len(short.splitlines()) > 1 or len(short) > LONGEST or short == "UNKNOWN":
        short = ""
    classifiers = [line.rpartition(" :: ")[2] for line in told.get("classifier", []) if line.startswith("License ::")]
    name = told.get("license_expression") or short or ", ".join(classifiers)
    if not name:
        raise ValueError(f"{told['name']}: its metadata name no licence")
    return str(name)


def licences_page() -> str:
    """The page of licences: what is always needed, then the extras, then what these bring along."""
    direct: dict[str, str] = {}
    for requirement, extra in requirements(EXTRAS):
        direct.setdefault(canonicalize_name(requirement.name), f"extra `{extra}`" if extra else "everything")
    wanted = [requirement for requirement, _ in requirements(EXTRAS)]
    packages = installed(wanted)
    refuse_missing(wanted, packages)
    ordered = sorted(packages, key=lambda name: (name not in direct, direct.get(name, ""), name))
    rows = [f"| {name} | {licence(packages[name])} | {direct.get(name, 'those above')} |" for name in ordered]
    return PAGE + "\n".join(rows) + "\n"


def constraints() -> str:
    """The installed versions; builds (`+cpu`) are left out, so that every build of a version fits."""
    extras = [extra for extra in every_extra() if extra != "docs"]
    wanted = [requirement for requirement, _ in requirements(extras)]
    packages = installed(wanted)
    refuse_missing(wanted, packages)
    lines = [f"{name}=={re.sub(r'[+].*', '', package.version)}" for name, package in packages.items()]
    return CONSTRAINTS + "\n".join(line for line in lines if not line.startswith(("setuptools==", "pip=="))) + "\n"


if __name__ == "__main__":
    (ROOT / "docs" / "licences.md").write_text(licences_page(), encoding="utf-8")
    (ROOT / "constraints.txt").write_text(constraints(), encoding="utf-8")
