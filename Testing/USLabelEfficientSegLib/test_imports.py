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
    "errors", "text", "disk", "cohort", "imaging", "annotation", "study", "anatomy", "training", "teacher",
    "divergence", "pseudolabels", "student", "slice_network", "promptable_network", "calibration", "segmentation",
    "prompting", "measurement", "evaluation", "method", "pipeline", "report", "benchmark", "dicom_export", "exchange",
    "demo", "serving", "remote", "command_line", "cli", "slicer_side",
]  # fmt: skip
HEAVY = ("torch", "monai", "distributed", "pyarrow")
LIGHT = [
    "imaging.files", "imaging.dicom", "imaging.sector", "imaging.resampling", "imaging.simulator",
    "annotation.label_files", "annotation.organ_names", "annotation.segments",
    "annotation.protocol", "annotation.slice_labels_file", "annotation.sparse_labels", "annotation.strokes",
    "annotation.suggestion", "annotation.usable_slices",
    "study.study", "study.settings", "study.manifest", "study.events", "study.stages", "study.provenance",
    "disk.files", "disk.lock", "disk.names", "disk.outputs", "training.checkpoint_header", "cli", "cohort.running",
    "measurement.works", "command_line.cohort_segmenting",
]  # fmt: skip

# What the panel opens with, on a Slicer in which nothing is installed as yet; and what it may load after that, in a
# function that is called once the packages are there. Neither loads torch: networks run in a process of their own.
PANEL_AT_ONCE = [
    "errors", "annotation.organ_codes", "annotation.sparse_labels", "disk.identity", "disk.lock",
    "disk.study_layout", "disk.suffixes",
    "imaging.organ_colours", "imaging.geometry", "imaging.memory_order", "imaging.planes", "imaging.scan",
    "measurement.flags", "measurement.organ", "measurement.quantities", "measurement.volumes", "segmentation.segments",
    "study.coverage", "study.events", "study.stages", "study.total_progress", "study.training_time", "text.assignments",
    "text.durations", "text.numbers", "training.processors",
]  # fmt: skip
PANEL_LATER = [
    "annotation.label_files", "annotation.slice_labels_file", "annotation.strokes",
    "imaging.image_files", "imaging.pixel_sizes", "imaging.resampling", "imaging.scan_files",
    "measurement.planar", "measurement.record", "measurement.segmentation_files",
    "disk.files", "disk.json_files", "disk.names", "disk.outputs", "evaluation.agreement", "evaluation.metrics",
    "measurement.measuring", "method.planned_stages",
    "evaluation.reference_volumes", "imaging.checksums", "imaging.files", "imaging.simulator", "imaging.vendors",
    "measurement.record", "study.inbox", "study.joining", "study.manifest", "study.provenance", "study.settings",
    "study.study", "remote.address", "segmentation.model_header", "study.kept_slices",
    "study.waiting_labels", "study.watching",
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
            assert node.module is not None
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


def panel_imports(name, path, *, at_once):
    """What a module of the panel takes from the library when it is loaded, or in its functions."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside = {
        node
        for block in ast.walk(tree)
        if isinstance(block, ast.FunctionDef) or (isinstance(block, ast.If) and "TYPE_CHECKING" in ast.dump(block.test))
        for node in ast.walk(block)
        if isinstance(node, ast.ImportFrom)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or node.level != name.count(".") + 1:  # from beside it, or not its own
            continue
        if (node not in inside) == at_once:
            assert node.module, f"{name}: from .. import names no module"
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                yield submodule if submodule in modules() else node.module


PANEL = {name: path for name, path in modules().items() if name.startswith("slicer_side.")}


@pytest.mark.parametrize("name", PANEL)
def test_the_panel_takes_light_modules_from_the_library_and_others_where_they_are_needed(name):
    assert set(panel_imports(name, PANEL[name], at_once=True)) <= set(PANEL_AT_ONCE)
    assert set(panel_imports(name, PANEL[name], at_once=False)) <= {*PANEL_AT_ONCE, *PANEL_LATER}


def test_what_the_panel_may_take_is_what_it_takes():
    """The lists name nothing that is not used."""
    taken = {
        i for name, path in PANEL.items() for once in (True, False) for i in panel_imports(name, path, at_once=once)
    }

    assert taken == {*PANEL_AT_ONCE, *PANEL_LATER}


def test_the_panel_opens_before_anything_is_installed_and_never_loads_networks():
    requirements = (ROOT.parent / "Resources" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    to_install = ["torch", *(line.split(">=")[0] for line in requirements if line and not line.startswith("#"))]
    program = f"""
import importlib, sys
from importlib.abc import MetaPathFinder

class Missing(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {to_install!r}:
            raise ModuleNotFoundError(name)

missing = Missing()
sys.meta_path.insert(0, missing)
for name in {PANEL_AT_ONCE!r}:
    importlib.import_module("USLabelEfficientSegLib." + name)
sys.meta_path.remove(missing)
for name in {PANEL_LATER!r}:
    importlib.import_module("USLabelEfficientSegLib." + name)
    assert not [heavy for heavy in {HEAVY!r} if heavy in sys.modules], name
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=300, cwd=ROOT.parent, check=False
    )

    assert done.returncode == 0, done.stderr


def sections():
    """Names under which the panel holds its sections."""
    tree = ast.parse(PANEL["slicer_side.panel"].read_text(encoding="utf-8"))
    return {
        node.targets[0].attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Attribute)
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Name)
        and node.value.func.id.endswith("Section")
    }


@pytest.mark.parametrize("name", sorted(PANEL.keys() - {"slicer_side.panel"}))
def test_sections_of_the_panel_do_not_reach_into_each_other(name):
    """They talk by signals; the panel alone knows them all."""
    assert len(sections()) == 7
    tree = ast.parse(PANEL[name].read_text(encoding="utf-8"))
    reached = {
        f"panel.{node.attr}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr in sections() | {"sections"}
        and getattr(node.value, "attr", getattr(node.value, "id", None)) == "panel"
    }
    imported = {module for module, own in imports(name, PANEL[name]) if own and module.endswith("_section")}

    assert not reached and not imported
