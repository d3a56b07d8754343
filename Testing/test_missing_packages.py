"""The module in a Slicer where packages are missing: it opens, says what to press, and can compute elsewhere."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from random_user import MODULE
from slicer_host.not_bundled import NOT_BUNDLED

# A Slicer in which nothing is installed: nothing of it can be imported, nor has it a version.
FRESH_SLICER = """
import importlib.metadata, sys, tempfile
from pathlib import Path
blocked = {blocked!r}
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Missing())
version = importlib.metadata.version
def version_here(name):
    if name.lower() in blocked:
        raise importlib.metadata.PackageNotFoundError(name)
    return version(name)
importlib.metadata.version = version_here
import slicer_host
slicer_host.start()
import slicer
"""
BLOCKED = (*NOT_BUNDLED, "fpdf2")  # a name that only its version has


def in_a_slicer(program, blocked, *arguments):
    """Run a program in a process of its own in which packages are missing."""
    program = FRESH_SLICER.format(blocked=blocked) + program
    path = os.pathsep.join([str(MODULE.parent), str(Path(__file__).parent)])
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script")
def test_a_slicer_with_two_small_packages_trains_and_segments_with_another_python(tmp_path):
    other = tmp_path / "other python"
    other.write_text(f'#!/bin/sh\necho "$3" >> {tmp_path}/commands\nexec {sys.executable} "$@"\n')
    other.chmod(0o755)
    in_a_slicer(
        """
from USLabelEfficientSegLib.slicer_side import selftest
from USLabelEfficientSegLib.slicer_side.processes import dependencies, other_python
from USLabelEfficientSegLib.slicer_side.logic import USLabelEfficientSegLogic
assert len(dependencies.missingRequirements()) > 5
other_python.choose_python(Path(sys.argv[1]))
assert dependencies.missingRequirements() == []
table = selftest.from_volumes_to_organ_volumes(USLabelEfficientSegLogic(), Path(sys.argv[2]))
assert table.GetNumberOfRows() == 2
""",
        [name for name in BLOCKED if name not in ("pydantic", "pydicom")],
        other,
        tmp_path / "study",
    )

    commands = set((tmp_path / "commands").read_text().split())
    assert {"study", "train"} <= commands and commands & {"segment", "serve"}


def test_a_scene_with_a_study_in_a_slicer_without_the_packages_says_what_to_press(tmp_path):
    (tmp_path / "study.json").write_text("{}")
    in_a_slicer(
        """
widget = slicer_host.load_module(sys.argv[1])
slicer.util.selectModule("USLabelEfficientSeg")
widget.logic.getParameterNode().studyFolder = sys.argv[2]
widget.onSceneEndImport(None, None)
slicer_host.process_events(0.1)
told = widget.ui.dataStatus.text
assert "is the study of this scene; press Install in the section Environment" in told, told
assert not slicer_host.errors
""",
        BLOCKED,
        MODULE,
        tmp_path,
    )


def test_the_self_test_is_skipped_with_the_reason_where_nothing_is_installed():
    in_a_slicer(
        """
import unittest
slicer_host.load_module(sys.argv[1])
from USLabelEfficientSeg import USLabelEfficientSegTest
suite = unittest.TestLoader().loadTestsFromTestCase(USLabelEfficientSegTest)
result = unittest.TextTestRunner().run(suite)
assert result.wasSuccessful() and len(result.skipped) == 1, result
assert "these Python packages are not installed: torch>=2.4.1, monai>=1.5" in result.skipped[0][1]
USLabelEfficientSegTest().runTest()
""",
        BLOCKED,
        MODULE,
    )


def test_the_exchange_with_slicers_nodes_is_tested_where_nothing_is_installed():
    in_a_slicer(
        """
import unittest
sys.path.insert(0, sys.argv[1])
result = unittest.TextTestRunner().run(unittest.TestLoader().loadTestsFromName("MrmlExchangeTest"))
assert result.testsRun == 3 and result.wasSuccessful(), result
""",
        BLOCKED,
        Path(__file__).parent / "Python",
    )
