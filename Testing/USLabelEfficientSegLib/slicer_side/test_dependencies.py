import importlib.metadata
import sys
import types
from pathlib import Path
from subprocess import CalledProcessError
from typing import Any

import pytest

from USLabelEfficientSegLib.errors import Cancelled, InputError


@pytest.fixture
def dependencies(host):
    from USLabelEfficientSegLib.slicer_side import dependencies

    return dependencies


@pytest.fixture
def requirements(tmp_path):
    path = tmp_path / "requirements.txt"
    path.write_text("# a comment\nnumpy>=1.0\nnumpy-of-the-future>=1\nscipy>=99\n", encoding="utf-8")
    return path


class PyTorchUtilsLogic:
    """The PyTorch extension: counts its calls, and "installs" when it is told to."""

    answer: object = object()
    calls: list[dict[str, object]]

    def installTorch(self, askConfirmation=False, forceComputationBackend=None, torchVersionRequirement=None):  # noqa: N802
        self.calls.append({"ask": askConfirmation, "version": torchVersionRequirement})
        return self.answer


@pytest.fixture
def extension(monkeypatch):
    module: Any = types.ModuleType("PyTorchUtils")
    module.PyTorchUtilsLogic = PyTorchUtilsLogic
    PyTorchUtilsLogic.calls = []
    monkeypatch.setattr(PyTorchUtilsLogic, "answer", object())
    monkeypatch.setitem(sys.modules, "PyTorchUtils", module)
    return PyTorchUtilsLogic


@pytest.fixture
def installed(monkeypatch):
    """Versions as a fresh Slicer has them; installing changes this dictionary only."""
    versions = {"numpy": "2.1.0", "scipy": "1.14.0"}

    def version(name):
        if name not in versions:
            raise importlib.metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(importlib.metadata, "version", version)
    return versions


@pytest.fixture
def pip(monkeypatch, installed):
    """`slicer.util.pip_install` of Slicer 5.10, and the user's answer."""
    import slicer

    calls = types.SimpleNamespace(arguments=[], constraints="", answer=True)

    def pip_install(arguments):
        calls.arguments.append(arguments)
        calls.constraints = Path(arguments[-1]).read_text(encoding="utf-8")
        installed.update({"numpy-of-the-future": "1.0", "scipy": "99.1"})

    monkeypatch.setattr(slicer.util, "pip_install", pip_install)
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda *_, **__: calls.answer)
    return calls


def test_what_is_missing_is_listed_torch_first(dependencies, requirements, installed):
    assert dependencies.missingRequirements(requirements) == ["torch>=2.4", "numpy-of-the-future>=1", "scipy>=99"]

    installed |= {"torch": "2.5.1+cu121", "numpy-of-the-future": "1.0", "scipy": "99.1rc1"}
    assert dependencies.missingRequirements(requirements) == []
    installed["torch"] = "2.3.0"
    assert dependencies.missingRequirements(requirements) == ["torch>=2.4"]


def test_nothing_happens_when_nothing_is_missing(dependencies, requirements, installed, pip):
    installed |= {"torch": "2.5.1", "numpy-of-the-future": "1.0", "scipy": "99.1"}

    dependencies.ensureDependencies(requirements)

    assert pip.arguments == []


def test_torch_comes_from_its_extension_and_is_kept_by_pip(dependencies, requirements, installed, pip, extension):
    def install_torch(self, **arguments):
        installed["torch"] = "2.6.0+cu126"
        return PyTorchUtilsLogic.installTorch(self, **arguments)

    module: Any = sys.modules["PyTorchUtils"]
    module.PyTorchUtilsLogic = type("Logic", (extension,), {"installTorch": install_torch})

    dependencies.ensureDependencies(requirements)

    assert extension.calls == [{"ask": True, "version": ">=2.4"}]
    assert pip.arguments[0][:2] == ["numpy-of-the-future>=1", "scipy>=99"]
    assert pip.arguments[0][2] == "--constraint"
    assert pip.constraints == "torch==2.6.0+cu126\n"


def test_without_the_pytorch_extension_the_user_is_told_what_to_do(dependencies, requirements, installed, pip):
    with pytest.raises(InputError, match=r"Extensions Manager.*Offline installation") as raised:
        dependencies.ensureDependencies(requirements)

    assert raised.value.subject == "PyTorch"
    assert pip.arguments == []


def test_declining_torch_or_the_packages_cancels(dependencies, requirements, installed, pip, extension, monkeypatch):
    monkeypatch.setattr(extension, "answer", None)
    with pytest.raises(Cancelled):
        dependencies.ensureDependencies(requirements)

    installed["torch"] = "2.6.0"
    pip.answer = False
    with pytest.raises(Cancelled):
        dependencies.ensureDependencies(requirements)
    assert pip.arguments == []


def test_a_failed_installation_names_cause_and_remedy(dependencies, requirements, installed, pip, monkeypatch, caplog):
    import slicer

    caplog.set_level("INFO")

    def fail(arguments):
        raise CalledProcessError(1, "pip")

    installed["torch"] = "2.6.0"
    monkeypatch.setattr(slicer.util, "pip_install", fail)

    with pytest.raises(InputError, match=r"could not be installed .*exit status 1.*network connection and the proxy"):
        dependencies.ensureDependencies(requirements)
    assert "pip download" in caplog.text


def test_what_is_still_missing_afterwards_is_told(dependencies, requirements, installed, pip, monkeypatch):
    import slicer

    installed["torch"] = "2.6.0"
    monkeypatch.setattr(slicer.util, "pip_install", lambda arguments: None)

    with pytest.raises(InputError, match="still missing after the installation: numpy-of-the-future>=1, scipy>=99"):
        dependencies.ensureDependencies(requirements)


def test_slicer_5_11_asks_by_itself(dependencies, requirements, installed, pip, monkeypatch):
    import slicer

    asked = []

    def pip_ensure(missing, constraints=None, requester=None):
        asked.append((missing, constraints.read_text(encoding="utf-8"), requester))
        if len(asked) == 1:
            raise RuntimeError("User declined package installation")
        installed.update({"numpy-of-the-future": "1.0", "scipy": "99.1"})

    packaging: Any = types.ModuleType("slicer.packaging")
    packaging.pip_ensure = pip_ensure
    packaging.__spec__ = importlib.machinery.ModuleSpec("slicer.packaging", None)
    monkeypatch.setitem(sys.modules, "slicer.packaging", packaging)
    monkeypatch.setattr(slicer, "packaging", packaging, raising=False)
    installed["torch"] = "2.6.0"

    with pytest.raises(Cancelled):
        dependencies.ensureDependencies(requirements)
    dependencies.ensureDependencies(requirements)

    assert asked[1] == (
        ["numpy-of-the-future>=1", "scipy>=99"], "torch==2.6.0\n", "USLabelEfficientSeg",
    )  # fmt: skip
    assert pip.arguments == []


def test_the_modules_own_requirements_are_those_of_the_library(dependencies):
    import tomllib

    root = dependencies.REQUIREMENTS.parents[2]
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    library = project["dependencies"] + project["optional-dependencies"]["dicom"]
    bundled = ("numpy", "scipy", "SimpleITK", "pydicom", "pillow", "vtk")
    lines = [line for line in dependencies.REQUIREMENTS.read_text(encoding="utf-8").splitlines() if line[:1] != "#"]

    expected = [text for text in library if not text.startswith(bundled)]
    assert sorted([f"torch{dependencies.TORCH_VERSION}", *lines]) == sorted(expected)


def test_offline_instructions_name_every_package(dependencies, requirements):
    text = dependencies.offlineInstructions(requirements)

    assert "pip download" in text
    assert text.count('"torch>=2.4" "numpy>=1.0" "numpy-of-the-future>=1" "scipy>=99"') == 2
    assert "--no-index --find-links" in text


def test_the_section_that_the_messages_point_to_exists(dependencies):
    page = dependencies.REQUIREMENTS.parents[2] / "docs" / "install.md"

    assert "# Offline installation\n" in page.read_text(encoding="utf-8")
