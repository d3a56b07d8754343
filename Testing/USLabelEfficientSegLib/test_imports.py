"""Who may import whom: data flows one way, and nothing heavy is loaded before it is needed."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import USLabelEfficientSegLib

ROOT = Path(USLabelEfficientSegLib.__file__).parent
STAGES = [
    "errors", "display", "csv_lines", "counting", "quantities", "user_folder", "failures", "imaging", "annotation",
    "study", "outputs", "teacher", "divergence", "pseudolabels", "student", "segmentation", "prompting",
    "measurement", "dicom_export", "evaluation",
]  # fmt: skip
SEE_ALL = {
    "pipeline", "calibrating", "training_run", "divergence_teacher", "demo", "study_report", "cohort_report",
    "suggesting", "benchmarking", "benchmark_run", "benchmark_study", "image_training", "image_calibrating",
    "image_report", "earlier_training", "student_rounds", "suggestion_files", "command_line", "cli",
}  # fmt: skip
HEAVY = ("torch", "monai")
LIGHT = [
    "imaging.files", "imaging.dicom", "imaging.sector", "imaging.resampling", "imaging.simulator",
    "annotation.label_files", "annotation.organ_names", "annotation.segments",
    "annotation.protocol", "annotation.sparse_labels", "annotation.suggestion", "annotation.usable_slices",
    "study.study", "study.settings", "study.manifest", "study.names",
    "study.checkpoint_header", "study.events", "study.lock", "study.provenance", "study.files", "cli",
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
        stage = name.split(".")[0]
        foreign = {imported.split(".")[0] for imported, own in imports(name, path) if not own}
        forbidden = {"slicer", "qt", "ctk", "vtk", "PythonQt"} - ({"vtk"} if stage == "measurement" else set())
        assert stage == "slicer_side" or not foreign & forbidden, name


def test_every_module_has_its_place():
    """A new folder or file must be given its place in the order."""
    found = {name.split(".")[0] for name in modules()} - {"__init__", "slicer_side"}

    assert found == {*STAGES, *SEE_ALL}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_imports_only_itself_and_earlier_ones(stage):
    allowed = set(STAGES[: STAGES.index(stage) + 1])
    checked = 0
    for name, path in modules().items():
        if name.split(".")[0] != stage:
            continue
        for imported, own in imports(name, path):
            if own:
                checked += 1
                # `from .. import __version__` imports no stage.
                assert imported.split(".")[0] in {*allowed, "__version__"}, f"{name} imports {imported}"
    assert checked > 0 or stage in {"errors", "display", "csv_lines", "counting", "quantities", "user_folder"}


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
