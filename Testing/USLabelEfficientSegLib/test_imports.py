"""Who may import whom: data flows one way, and nothing heavy is loaded before it is needed."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import USLabelEfficientSegLib

ROOT = Path(USLabelEfficientSegLib.__file__).parent
# Each folder imports those before it. The method is on `pipeline`; only what follows that sees it.
ORDER = [
    "errors", "text", "imaging", "disk", "annotation", "study", "anatomy", "training", "teacher", "divergence",
    "pseudolabels", "student", "calibration", "segmentation", "prompting", "measurement", "evaluation", "method",
    "pipeline", "report", "benchmark", "dicom_export", "demo", "command_line", "cli", "slicer_side",
]  # fmt: skip
HEAVY = ("torch", "monai")
LIGHT = [
    "imaging.files", "imaging.dicom", "imaging.sector", "imaging.resampling", "imaging.simulator",
    "annotation.label_files", "annotation.organ_names", "annotation.segments",
    "annotation.protocol", "annotation.sparse_labels", "annotation.suggestion", "annotation.usable_slices",
    "study.study", "study.settings", "study.manifest", "study.events", "study.stages", "study.provenance",
    "disk.files", "disk.lock", "disk.names", "disk.outputs", "training.checkpoint_header", "cli",
]  # fmt: skip


def modules():
    """Every module of the library by its dotted name within the library."""
    return {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in sorted(ROOT.rglob("*.py"))}


def imports(name, path):
    """What a module imports, anywhere in it: (dotted name, whether it is of the library)."""
    package = name.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, alias.name.startswith("USLabelEfficientSegLib")
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module, node.module.startswith("USLabelEfficientSegLib")
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level]
            for parts in [node.module.split(".")] if node.module else [[alias.name] for alias in node.names]:
                yield ".".join([*base, *parts]), True


def test_only_the_slicer_side_imports_slicer_and_only_measurement_vtk():
    for name, path in modules().items():
        folder = name.split(".")[0]
        foreign = {imported.split(".")[0] for imported, own in imports(name, path) if not own}
        forbidden = {"slicer", "qt", "ctk", "vtk", "PythonQt"} - ({"vtk"} if folder == "measurement" else set())
        assert folder == "slicer_side" or not foreign & forbidden, name


def test_every_module_has_its_place():
    """A new folder or file must be given its place in the order."""
    assert {name.split(".")[0] for name in modules()} - {"__init__"} == set(ORDER)


def test_beside_the_folders_stand_four_modules():
    assert {path.stem for path in ROOT.glob("*.py")} == {"__init__", "pipeline", "cli", "demo", "errors"}


@pytest.mark.parametrize("folder", ORDER)
def test_a_folder_imports_only_itself_and_earlier_ones(folder):
    allowed = {*ORDER[: ORDER.index(folder) + 1], "__version__"}  # `from .. import __version__` imports no folder
    for name, path in modules().items():
        if name.split(".")[0] == folder:
            for imported, own in imports(name, path):
                assert not own or imported.removeprefix("USLabelEfficientSegLib.").split(".")[0] in allowed, (
                    f"{name} imports {imported}"
                )


def test_commands_load_what_is_heavy_only_when_they_run():
    """Slicer opens the module, and `--help` answers, before torch is installed."""
    program = f"""
import sys
for name in {LIGHT!r}:
    __import__("USLabelEfficientSegLib." + name)
    loaded = [heavy for heavy in {HEAVY!r} if heavy in sys.modules]
    assert not loaded, (name, loaded)
from USLabelEfficientSegLib.cli import main
for command in ([], ["train"], ["segment"], ["study", "create"]):
    try:
        main([*command, "--help"])
    except SystemExit as stop:
        assert stop.code == 0, stop.code
    assert not [heavy for heavy in {HEAVY!r} if heavy in sys.modules], command
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=300, cwd=ROOT.parent, check=False
    )

    assert done.returncode == 0, done.stderr
    assert "uslabelseg train" in done.stdout
