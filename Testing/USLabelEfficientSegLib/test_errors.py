import ast
import pickle
import re
from pathlib import Path

import pytest

import USLabelEfficientSegLib
from USLabelEfficientSegLib.errors import IN_PANEL, InputError

LIBRARY = Path(USLabelEfficientSegLib.__file__).parent
FOR_COMMANDS = ("command_line", "benchmark", "cli.py")  # of which the panel uses nothing that could refuse so
COMMAND_WORDS = re.compile(r"(?:^|[\s`('\"])--[a-z]|uslabelseg [a-z]|pip install")


def test_an_input_error_is_one_sentence_that_names_subject_problem_and_remedy() -> None:
    error = InputError(Path("scans/a.nrrd"), "is cut short", "copy it again")

    assert str(error) == f"{Path('scans/a.nrrd')}: is cut short; copy it again."
    assert isinstance(error, ValueError)


def test_the_user_of_the_panel_is_told_the_panels_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def error() -> InputError:
        return InputError("run", "is damaged", "use --restart", in_panel="train anew")

    monkeypatch.delenv(IN_PANEL, raising=False)
    assert str(error()) == "run: is damaged; use --restart."
    monkeypatch.setenv(IN_PANEL, "1")
    assert str(error()) == "run: is damaged; train anew."
    assert str(pickle.loads(pickle.dumps(error()))) == "run: is damaged; train anew."
    assert str(InputError("run", "is damaged", "copy it again")) == "run: is damaged; copy it again."


def modules() -> dict[Path, ast.Module]:
    """The library's files outside its commands."""
    paths = [path for path in sorted(LIBRARY.rglob("*.py")) if path.relative_to(LIBRARY).parts[0] not in FOR_COMMANDS]
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in paths}


def refusals(module: ast.Module) -> list[ast.Call]:
    """Every `InputError(...)` of a file."""
    calls = [node for node in ast.walk(module) if isinstance(node, ast.Call)]
    return [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "InputError"]


def names_with_command_words(module: ast.Module) -> set[str]:
    """Names of a file that stand for texts with an option or a command in them."""
    assigned = [node for node in ast.walk(module) if isinstance(node, ast.Assign)]
    return {ast.unparse(node.targets[0]) for node in assigned if COMMAND_WORDS.search(ast.unparse(node.value))}


def test_a_remedy_that_names_a_command_or_an_option_has_another_for_the_panel() -> None:
    checked = 0
    for path, module in modules().items():
        names = names_with_command_words(module)
        for call in refusals(module):
            texts = [ast.unparse(argument) for argument in call.args]
            if not any(COMMAND_WORDS.search(text) for text in texts) and ast.unparse(call.args[-1]) not in names:
                continue
            where = f"{path.relative_to(LIBRARY)}:{call.lineno}: {ast.unparse(call)}"
            assert not COMMAND_WORDS.search(texts[1]), where
            (in_panel,) = [ast.unparse(keyword.value) for keyword in call.keywords if keyword.arg == "in_panel"] or [""]
            assert in_panel and not COMMAND_WORDS.search(in_panel), where
            checked += 1
    assert checked > 20
