import ast
from pathlib import Path

import USLabelEfficientSegLib
from USLabelEfficientSegLib.disk import study_layout

ROOT = Path(USLabelEfficientSegLib.__file__).parent
NAMES = {
    value
    for name, value in vars(study_layout).items()
    if isinstance(value, str) and name.isupper() and ("." in value or name in ("NEW_LABELS", "RUN", "LOCK_NAME"))
}


def test_names_of_a_study_folder_are_written_in_one_module():
    assert {"study.json", "run", "run.json", "events.jsonl", "model.safetensors", "lock"} <= NAMES
    elsewhere = [
        (path.relative_to(ROOT).as_posix(), value)
        for path in sorted(ROOT.rglob("*.py"))
        if path != Path(study_layout.__file__)
        for value in _parts_of_paths(ast.parse(path.read_text(encoding="utf-8")))
        if value in NAMES
    ]
    assert not elsewhere


def test_a_file_of_the_training_lies_in_the_run_folder():
    assert study_layout.run_file(Path("study"), study_layout.EVENTS_NAME) == Path("study/run/events.jsonl")


def _parts_of_paths(tree):
    """Texts that are joined to a path, and all that look like a file name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and isinstance(node.right, ast.Constant):
            yield node.right.value
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and "." in node.value:
            yield node.value
