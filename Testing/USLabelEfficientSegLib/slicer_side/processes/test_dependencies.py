"""What must be installed, what keeps it out, and what pip may not touch."""

import importlib.metadata
import platform
import sys
import tomllib
from types import SimpleNamespace

import pytest

from USLabelEfficientSegLib.errors import InputError


@pytest.fixture
def dependencies(host):
    from USLabelEfficientSegLib.slicer_side.processes import dependencies

    return dependencies


@pytest.fixture
def requirements(tmp_path):
    path = tmp_path / "requirements.txt"
    path.write_text("# a comment\nnumpy>=1.0\nnumpy-of-the-future>=1\nscipy>=99\n", encoding="utf-8")
    return path


@pytest.fixture
def installed(monkeypatch):
    """Versions as a fresh Slicer has them."""
    versions = {"numpy": "2.1.0", "scipy": "1.14.0"}

    def version(name):
        if name not in versions:
            raise importlib.metadata.PackageNotFoundError(name)
        return versions[name]

    def distributions():
        return [SimpleNamespace(metadata={"Name": name}, version=version) for name, version in versions.items()]

    monkeypatch.setattr(importlib.metadata, "version", version)
    monkeypatch.setattr(importlib.metadata, "distributions", distributions)
    return versions


def test_what_is_missing_is_listed_torch_first(dependencies, requirements, installed):
    assert dependencies.missingRequirements(requirements) == ["torch>=2.4.1", "numpy-of-the-future>=1", "scipy>=99"]

    installed |= {"torch": "2.5.1+cu121", "numpy-of-the-future": "1.0", "scipy": "99.1rc1"}
    assert dependencies.missingRequirements(requirements) == []
    installed["torch"] = "2.4.0"  # with which pip takes monai 1.4, and with that numpy 1.26
    assert dependencies.missingRequirements(requirements) == ["torch>=2.4.1"]


def test_what_is_missing_is_refused_with_what_to_press_and_what_to_call(dependencies, requirements, installed):
    with pytest.raises(dependencies.MissingPackagesError, match=r"torch, numpy-of-the-future, scipy") as raised:
        dependencies.ensureDependencies(requirements)

    assert "press Install in the section Environment" in str(raised.value)
    assert "logic.installDependencies()" in str(raised.value)
    installed |= {"torch": "2.5.1", "numpy-of-the-future": "1.0", "scipy": "99.1"}
    dependencies.ensureDependencies(requirements)


def test_pip_keeps_every_installed_package_but_those_that_are_to_be_renewed(dependencies, installed):
    installed |= {"torch": "2.6.0+cu126", "Typing_Extensions": "4.15.0", "highdicom": "0.27.0", "vtk": "of Slicer"}

    pins = dependencies.constraintsBut(["highdicom", "monai"])

    assert pins.splitlines() == [
        "numpy==2.1.0",
        "scipy==1.14.0",
        "torch==2.6.0+cu126",
        "Typing_Extensions==4.15.0",
    ]


def test_no_requirement_lets_pip_take_an_older_numpy_than_slicers(dependencies):
    texts = dependencies.allRequirements()

    assert {"torch>=2.4.1", "monai>=1.5", "pydicom>=3.0"} <= set(texts)


@pytest.mark.parametrize(
    ("version", "supported"), [((5, 10), False), ((5, 11), False), ((5, 12), True), ((6, 0), True)]
)
def test_slicer_before_5_12_is_refused_with_what_to_get(dependencies, monkeypatch, version, supported):
    import slicer

    monkeypatch.setattr(type(slicer.app), "majorVersion", version[0])
    monkeypatch.setattr(type(slicer.app), "minorVersion", version[1])

    reason = dependencies.whyUnsupported()

    assert (reason is None) == supported
    if not supported:
        told = f"this is Slicer {version[0]}.{version[1]}; get Slicer 5.12 or later from download.slicer.org"
        assert reason == told == dependencies.whyNotInstallable()


def test_slicer_for_intel_macs_is_recognised_with_the_remedy(dependencies, monkeypatch, tmp_path):
    from USLabelEfficientSegLib.slicer_side.processes import other_python

    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")

    reason = dependencies.whyNotInstallable()
    assert "build for Intel Macs" in reason
    assert "Apple silicon, or press Use another Python in the section Environment" in reason

    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    assert dependencies.whyNotInstallable() is None
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    other_python.choose_python(tmp_path / "python")
    try:
        assert dependencies.whyNotInstallable() is None
    finally:
        other_python.choose_python(None)


def test_with_another_python_slicer_itself_needs_little(dependencies, installed, tmp_path):
    from USLabelEfficientSegLib.slicer_side.processes import other_python

    other_python.choose_python(tmp_path / "python")
    try:
        assert dependencies.missingRequirements() == ["pydicom>=3.0", "pydantic>=2.6"]
    finally:
        other_python.choose_python(None)


def test_without_a_panel_nothing_can_be_offered(dependencies, requirements, installed, monkeypatch):
    monkeypatch.setattr(dependencies, "installers", [])
    missing = dependencies.MissingPackagesError("Python packages", "are missing", "install them")

    with pytest.raises(InputError):
        dependencies.offerInstallation(missing, lambda: None)


def test_the_modules_own_requirements_are_those_of_the_library(dependencies):
    root = dependencies.REQUIREMENTS.parents[2]
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    library = project["dependencies"] + project["optional-dependencies"]["dicom"]

    assert sorted([*dependencies.allRequirements(), *dependencies.BUNDLED]) == sorted(library)


@pytest.mark.parametrize(
    ("system", "python"),
    [
        ("win32", r"bin\PythonSlicer.exe"),
        ("darwin", "Slicer.app/Contents/bin/PythonSlicer"),
        ("linux", "bin/PythonSlicer"),
    ],
)
def test_offline_instructions_name_every_package_and_the_systems_python(
    dependencies, requirements, monkeypatch, system, python
):
    monkeypatch.setattr(sys, "platform", system)
    text = dependencies.offlineInstructions(requirements)

    assert text.count('"torch>=2.4.1" "numpy>=1.0" "numpy-of-the-future>=1" "scipy>=99"') == 2
    assert f"    {python} -m pip download --dest packages " in text
    assert f"    {python} -m pip install --no-index --find-links packages " in text
    page = (dependencies.REQUIREMENTS.parents[2] / "docs" / "install.md").read_text(encoding="utf-8")
    assert f"{python} -m pip download" in page and f"{python} -m pip install --no-index" in page


def test_the_section_that_the_messages_point_to_exists(dependencies):
    page = dependencies.REQUIREMENTS.parents[2] / "docs" / "install.md"

    assert "# Offline installation\n" in page.read_text(encoding="utf-8")
