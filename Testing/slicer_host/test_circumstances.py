"""Other computers and Slicers look as they should to whoever asks."""

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import signal
import subprocess
import sys

import pytest

from slicer_host import circumstances


def test_a_missing_package_is_neither_found_nor_imported_and_has_no_version():
    with circumstances.packages({"jinja2": None}):
        assert importlib.util.find_spec("jinja2") is None
        with pytest.raises(ModuleNotFoundError):
            import jinja2  # noqa: F401
        with pytest.raises(ModuleNotFoundError):
            from jinja2.environment import Environment  # noqa: F401
        with pytest.raises(importlib.metadata.PackageNotFoundError):
            importlib.metadata.version("jinja2")

    assert importlib.util.find_spec("jinja2") is not None
    assert importlib.metadata.version("jinja2")


def test_a_package_has_the_version_that_it_is_given():
    installed = importlib.metadata.version("numpy")
    with circumstances.packages({"jinja2": "1.0"}):
        assert importlib.metadata.version("jinja2") == "1.0"
        assert importlib.metadata.version("numpy") == installed


def test_slicer_5_10_has_pydicom_2_and_neither_highdicom_nor_packaging(host):
    import slicer

    with circumstances.slicer_5_10():
        assert (slicer.app.majorVersion, slicer.app.minorVersion) == (5, 10)
        assert importlib.metadata.version("pydicom") == "2.4.4"
        assert importlib.util.find_spec("highdicom") is None
        assert importlib.util.find_spec("slicer.packaging") is None
        with pytest.raises(ImportError):
            from pydicom.pixels import pixel_array  # noqa: F401

    assert slicer.app.minorVersion > 10


def test_a_mac_says_which_processor_its_python_was_built_for():
    with circumstances.mac("x86_64"):
        assert (sys.platform, platform.machine()) == ("darwin", "x86_64")


def test_apples_graphics_are_found_by_torch():
    import torch

    with circumstances.apple_graphics(torch):
        assert torch.backends.mps.is_available() and not torch.cuda.is_available()


@pytest.mark.skipif(sys.platform == "win32", reason="a script with a first line that names Python")
@pytest.mark.parametrize(
    ("program", "code", "last"),
    [
        ("print('done')", 0, "done"),
        ("import sys; print('bad'); sys.exit(3)", 3, "bad"),
        (
            f"import os; os.kill(os.getpid(), {int(signal.SIGKILL)})",
            1,
            f"error: [{sys.executable}] exit abnormally - Report the problem.",
        ),
    ],
)
def test_the_launcher_hands_on_output_and_exit_code_and_hides_signals(tmp_path, program, code, last):
    with circumstances.launcher(tmp_path) as path:
        assert shutil.which("PythonSlicer") == str(path)
        done = subprocess.run(
            ["PythonSlicer", "-c", program], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ
        )

    assert done.returncode == code
    assert done.stdout.splitlines()[-1] == last
