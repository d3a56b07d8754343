"""Installing beside Slicer, with a pip and a PyTorch extension that only pretend."""

import importlib.metadata
import importlib.util
import sys
import time
import types
from pathlib import Path
from typing import Any

import pytest

from USLabelEfficientSegLib.errors import Cancelled, InputError
from USLabelEfficientSegLib.slicer_side.processes import worker as worker_module

# Takes the place of Slicer's Python: `-m pip` and `-m light_the_torch` write down how they were called, "install" by
# naming what they were asked for in a file, and print as pip does.
PRETENDED_PIP = """#!{python} -I
import json, pathlib, sys, time
here = pathlib.Path({folder!r})
module, arguments = sys.argv[2], sys.argv[3:]
constraints = next(a for a in arguments if a.startswith("--constraint=")).partition("=")[2]
call = dict(module=module, arguments=arguments, constraints=pathlib.Path(constraints).read_text())
with (here / "calls").open("a") as file:
    print(json.dumps(call), file=file)
print("Collecting things", flush=True)
print("Progress 250 of 1000", flush=True)
while (here / "wait").exists():
    time.sleep(0.02)
if (here / "fail").exists():
    print("ERROR: " + (here / "fail").read_text(), file=sys.stderr)
    sys.exit(1)
print("Installing collected packages: things", flush=True)
while (here / "write").exists():
    time.sleep(0.02)
with (here / "installed").open("a") as file:
    for text in arguments[1:]:
        if text[0] != "-":
            print(text.partition(">=")[0], text.partition(">=")[2], file=file)
"""


class Pip:
    """What was asked of it, and what it does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def calls(self) -> list[dict[str, Any]]:
        import json

        file = self.folder / "calls"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def fail(self, reason: str) -> None:
        (self.folder / "fail").write_text(reason)

    def switch(self, name: str, on: bool = True) -> None:
        (self.folder / name).write_text("") if on else (self.folder / name).unlink()


@pytest.fixture
def pip(tmp_path, monkeypatch):
    """A fresh Slicer with a pip that pretends: it has numpy 2.1 and pydicom 3.0.2, and nothing of what is needed."""
    folder = tmp_path / "pip"
    folder.mkdir()
    script = folder / "python"
    script.write_text(PRETENDED_PIP.format(python=sys.executable, folder=str(folder)))
    script.chmod(0o755)
    monkeypatch.setattr(worker_module, "python_executable", lambda: str(script))
    bundled = {"numpy": "2.1.0", "pydicom": "3.0.2"}

    def versions():
        file = folder / "installed"
        pairs = file.read_text().splitlines() if file.exists() else []
        return bundled | dict(pair.split() for pair in pairs)

    def version(name):
        if name not in versions():
            raise importlib.metadata.PackageNotFoundError(name)
        return versions()[name]

    def distributions():
        return [types.SimpleNamespace(metadata={"Name": n}, version=v) for n, v in versions().items()]

    monkeypatch.setattr(importlib.metadata, "version", version)
    monkeypatch.setattr(importlib.metadata, "distributions", distributions)
    return Pip(folder)


@pytest.fixture
def extension(monkeypatch):
    """Slicer's PyTorch extension, active, and what it installs torch with."""
    asked: list[str] = []

    class PyTorchUtilsLogic:
        @staticmethod
        def getCompatibleComputationBackends(forceComputationBackend=None, torchVersionRequirement=None):  # noqa: N802
            asked.append(torchVersionRequirement)
            return ["cpu"]

    module: Any = types.ModuleType("PyTorchUtils")
    module.PyTorchUtilsLogic = PyTorchUtilsLogic
    module.__spec__ = importlib.machinery.ModuleSpec("PyTorchUtils", None)
    monkeypatch.setitem(sys.modules, "PyTorchUtils", module)
    return asked


@pytest.fixture
def extensions(host, monkeypatch):
    """Slicer's model of its extensions; none is installed."""
    import slicer

    model = slicer.app.extensionsManagerModel()
    monkeypatch.setattr(model, "_offered", set())
    monkeypatch.setattr(model, "_installed", set())
    yield model
    slicer.app.userSettings().remove("USLabelEfficientSeg/InstallAfterRestart")


@pytest.fixture
def installation(host, extensions):
    from USLabelEfficientSegLib.slicer_side.processes import installation

    return installation


@pytest.fixture
def job(installation):
    """A job that installs what is missing."""
    from USLabelEfficientSegLib.slicer_side.processes.jobs import Job

    return Job("Installation", installation.install, "install")


def until(job, condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        job.step()
        time.sleep(0.01)


def test_torch_comes_from_its_extension_and_nothing_that_slicer_bundles_changes(installation, job, pip, extension):
    made = job.wait()

    first, second = pip.calls
    assert extension == [">=2.4.1"]
    assert first["module"] == "light_the_torch" and first["arguments"][:2] == ["install", "torch>=2.4.1"]
    assert first["constraints"] == "numpy==2.1.0\npydicom==3.0.2\n"
    assert second["module"] == "pip" and second["arguments"][1:3] == ["monai>=1.5", "safetensors>=0.4"]
    assert "pydicom>=3.0" not in second["arguments"]  # Slicer's own is good
    assert second["constraints"] == "numpy==2.1.0\npydicom==3.0.2\ntorch==2.4.1\n"
    assert "torch 2.4.1" in made.changed and "pydicom 3.0.2" not in made.changed and not made.goesOn
    assert installation.sentenceOf(made).startswith("Installed: torch 2.4.1, monai 1.5")


def test_progress_is_that_of_the_download_and_the_log_is_for_people(installation, job, pip, extension):
    pip.switch("wait")
    until(job, lambda: job.progress == 0.25)

    assert installation.logLines(job.log) == "Collecting things"
    assert not installation.isWriting(job)
    pip.switch("wait", on=False)
    job.wait()
    assert job.log.is_file()  # what was done can be read afterwards


def test_an_installation_can_be_cancelled_while_it_downloads(job, pip, extension):
    pip.switch("wait")
    until(job, lambda: job.progress == 0.25)

    job.cancel()
    with pytest.raises(Cancelled):
        job.wait()
    assert not (pip.folder / "installed").exists()


def test_writing_into_slicers_folders_is_recognised(installation, job, pip, extension):
    pip.switch("write")
    until(job, lambda: installation.isWriting(job))

    pip.switch("write", on=False)
    job.wait()


def test_a_failure_tells_pips_reason_and_the_remedies(job, pip, extension, caplog):
    caplog.set_level("INFO")
    pip.fail("Could not find a version that satisfies the requirement")

    with pytest.raises(InputError, match=r"torch: could not be installed \(Could not find a version") as raised:
        job.wait()

    assert "proxy" in str(raised.value) and "Offline installation" in str(raised.value)
    assert "pip download" in caplog.text


def test_a_missing_extension_is_installed_and_the_rest_follows_after_the_restart(
    installation, job, pip, extensions, monkeypatch
):
    import slicer

    extensions._offered.add("PyTorch")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    made = job.wait()

    assert made.goesOn and pip.calls == [] and extensions.isExtensionInstalled("PyTorch")
    assert extensions.interactive  # as it was
    assert "Restart Slicer" in installation.sentenceOf(made)
    assert installation.goesOnAfterRestart()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())  # Slicer has been restarted
    assert installation.takeUp() and not installation.takeUp()
    assert slicer.app.userSettings().value(installation.AFTER_RESTART) is None


def test_an_extension_that_is_not_there_after_the_restart_is_told_once(installation, job, extensions, pip, monkeypatch):
    extensions._offered.add("PyTorch")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    job.wait()

    with pytest.raises(InputError, match=r"extension PyTorch: is not active.*Extensions Manager"):
        installation.takeUp()
    assert not installation.goesOnAfterRestart()


def test_an_extension_that_no_server_has_is_told_with_the_remedy(installation, job, pip, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    with pytest.raises(InputError, match=r"extension PyTorch: could not be installed.*Offline installation"):
        job.wait()
    assert not installation.goesOnAfterRestart()


@pytest.mark.parametrize(
    ("reason", "remedy"),
    [
        ("[Errno 13] Permission denied: '/opt/Slicer'", "may not be written to; .* press Use another Python"),
        ("[Errno 28] No space left on device", "free some space"),
        ("ResolutionImpossible: for help visit", "do not fit what Slicer bundles.*press Use another Python"),
        ("No matching distribution found", "network connection and the proxy"),
    ],
)
def test_each_kind_of_failure_has_its_remedy(job, pip, extension, reason, remedy):
    pip.fail(reason)

    with pytest.raises(InputError, match=remedy):
        job.wait()


def test_pip_goes_on_when_slicer_is_closed_while_it_writes(installation, job, pip, extension):
    pip.switch("write")
    until(job, lambda: installation.isWriting(job) and job.outlives)

    job.end()
    assert job.state == "cancelled" and not (pip.folder / "installed").exists()
    pip.switch("write", on=False)
    end = time.monotonic() + 20
    while not (pip.folder / "installed").exists():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_updating_renews_neither_torch_nor_what_slicer_bundles(installation, pip, extension):
    from USLabelEfficientSegLib.slicer_side.processes.jobs import Job

    Job("Installation", installation.install, "install").wait()
    Job("Update", lambda job: installation.install(job, update=True), "install").wait()

    update = pip.calls[-1]
    assert "--upgrade" in update["arguments"] and "monai>=1.5" in update["arguments"]
    assert not [text for text in update["arguments"] if text.startswith(("torch", "pydicom", "highdicom"))]
    assert update["constraints"] == "highdicom==0.28\nnumpy==2.1.0\npydicom==3.0.2\ntorch==2.4.1\n"


def test_a_slicer_that_cannot_be_helped_is_told_before_anything_is_downloaded(job, pip, monkeypatch):
    import slicer

    monkeypatch.setattr(type(slicer.app), "minorVersion", 10)

    with pytest.raises(InputError, match=r"cannot be installed; this is Slicer 5.10; get Slicer 5.12 or later"):
        job.wait()
    assert pip.calls == []


def test_an_installation_of_another_module_is_waited_for(job, pip, monkeypatch):
    packaging: Any = types.ModuleType("slicer.packaging")
    packaging.isPipInstallInProgress = lambda: True
    monkeypatch.setitem(sys.modules, "slicer.packaging", packaging)

    with pytest.raises(InputError, match="Slicer: is installing packages for another module; wait"):
        job.wait()
    assert pip.calls == []


def test_a_script_installs_by_the_logic(installation, pip, extension, host):
    from USLabelEfficientSegLib.slicer_side.logic import USLabelEfficientSegLogic

    logic = USLabelEfficientSegLogic()
    with pytest.raises(InputError, match=r"logic\.installDependencies\(\)"):
        logic.createStudy(pip.folder / "study", [], ["organ"])

    assert "torch 2.4.1" in logic.installDependencies().changed
    assert logic.installDependencies().changed == ()
