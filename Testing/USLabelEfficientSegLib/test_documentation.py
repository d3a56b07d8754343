"""What README and docs/ promise: links lead somewhere, commands and options exist, and the README's code runs."""

import ast
import importlib
import os
import re
import shlex
import shutil
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer

import USLabelEfficientSegLib
from USLabelEfficientSegLib.annotation.sparse_labels import UNLABELLED
from USLabelEfficientSegLib.command_line.app import app
from USLabelEfficientSegLib.imaging.files import read_label_map, write_label_map
from USLabelEfficientSegLib.study import settings as settings_module

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "benchmarks/README.md")]
PAGES += sorted((ROOT / "docs").glob("*.md"))
MOST_WORDS = 1100
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")
COMMAND = re.compile(r"(?:^ *|`|bin/)uslabelseg +([^`\n]*)", re.MULTILINE)


def text_of(page):
    return page.read_text(encoding="utf-8")


def fences(page, language):
    """The fenced blocks of a page in a language."""
    return [block for _, name, block in FENCE.findall(text_of(page)) if name == language]


def anchors(page):
    """What a link after # may name: the headings as GitHub and MkDocs write them."""
    headings = re.findall(r"^#+ +(.*?)\s*$", FENCE.sub("", text_of(page)), re.MULTILINE)
    plain = [re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower() for heading in headings]
    return {re.sub(r"[^\w\- ]", "", heading).strip().replace(" ", "-") for heading in plain}


def joined(text):
    """Lines that end with a backslash are one command."""
    return re.sub(r"\\\n\s*", " ", text)


def commands_of(page):
    """Every `uslabelseg ...` of a page, in code blocks and in lines of text, as words."""
    for written in COMMAND.findall(joined(text_of(page))):
        words = shlex.split(re.split(r"  +#| #| \||;| >", written)[0].replace("...", ""))
        if words and not words[0].isupper():
            yield words


def options_of(command):
    return {option for parameter in command.params for option in [*parameter.opts, *parameter.secondary_opts]}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_to_a_file_and_to_a_heading_of_it(page):
    for link in LINK.findall(FENCE.sub("", text_of(page))):
        if link.startswith(("http://", "https://")):
            continue
        place, _, anchor = link.partition("#")
        target = Path(os.path.normpath(page.parent / place)) if place else page
        assert target.exists(), link
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_command_of_the_pages_exists_with_its_options(page):
    for words in commands_of(page):
        command: Any = typer.main.get_command(app)
        known = options_of(command) | {"--help", "-h"}
        rest = list(words)
        while rest and rest[0] in getattr(command, "commands", {}):
            command = command.commands[rest.pop(0)]
            known = options_of(command) | {"--help", "-h"}
        assert rest[:1] == [] or not hasattr(command, "commands") or rest[0].startswith("-"), words
        assert {word.split("=")[0] for word in rest if word.startswith("--")} <= known, words


def test_every_command_has_its_line_on_the_page_of_the_command_line():
    def below(name, command):
        for part, inner in getattr(command, "commands", {}).items():
            yield from (
                below(f"{name} {part}".strip(), inner) if hasattr(inner, "commands") else [f"{name} {part}".strip()]
            )

    page = text_of(ROOT / "docs/command-line.md")
    missing = [name for name in below("", typer.main.get_command(app)) if not re.search(rf"\| `{name}[ `]", page)]

    assert missing == []


def test_every_function_of_the_python_page_can_be_imported():
    for name in re.findall(r"^::: (\S+)", text_of(ROOT / "docs/api.md"), re.MULTILINE):
        module, _, attribute = name.rpartition(".")
        assert hasattr(importlib.import_module(module), attribute), name


def test_the_drawing_of_the_architecture_has_the_order_of_imports():
    (drawing,) = fences(ROOT / "docs/architecture.md", "text")
    tests = ast.parse(text_of(Path(__file__).with_name("test_imports.py")))
    (order,) = [
        ast.literal_eval(node.value)
        for node in tests.body
        if isinstance(node, ast.Assign) and isinstance(name := node.targets[0], ast.Name) and name.id == "ORDER"
    ]

    drawn = re.findall(r"(?:^ {4}|(?<=/  ))(\w+)(?:/|\.py)", drawing, re.MULTILINE)
    assert drawn == order


def test_the_readme_is_short():
    assert len(text_of(ROOT / "README.md").split()) <= MOST_WORDS


def test_releases_have_one_version():
    version = USLabelEfficientSegLib.__version__
    changes, citation = text_of(ROOT / "CHANGELOG.md"), text_of(ROOT / "CITATION.cff")

    newest, date = re.findall(r"^## \[(.+?)\] - (\S+)", changes, re.MULTILINE)[0]
    assert newest == version
    assert f"version: {version}\n" in citation and f"date-released: {date}\n" in citation
    assert f"| **State** | {version}," in text_of(ROOT / "README.md")
    assert tomllib.loads(text_of(ROOT / "pyproject.toml"))["project"]["dynamic"] == ["version"]


def of_two_slices(label_map):
    """Labelled on the slices alone that show the most of each organ."""
    shown = [int((label_map.voxels == label).sum(axis=(0, 1)).argmax()) for label in (1, 2)]
    voxels = np.full_like(label_map.voxels, UNLABELLED)
    voxels[..., shown] = label_map.voxels[..., shown]
    return replace(label_map, voxels=voxels)


def paint_everything(folder):
    """What a user does with the label maps of `suggest --write`, with background alone."""
    for path in folder.iterdir():
        label_map = read_label_map(path)
        voxels = np.where(label_map.voxels == UNLABELLED, 0, label_map.voxels).astype(np.uint8)
        write_label_map(path, replace(label_map, voxels=voxels))


@pytest.fixture
def folders(simulated, tmp_path, monkeypatch):
    """An empty folder with what the README's examples start from, on simulated volumes."""
    for name in ("IMAGES", "NEW_VOLUMES"):
        shutil.copytree(simulated / "images", tmp_path / name)
    shutil.copytree(simulated / "labels", tmp_path / "REFERENCES")
    (tmp_path / "LABELS").mkdir()
    for path in (tmp_path / "REFERENCES").iterdir():
        write_label_map(tmp_path / "LABELS" / path.name, of_two_slices(read_label_map(path)))
    (tmp_path / "NEW_VOLUMES" / "simulated_0000.nrrd").rename(tmp_path / "NEW_VOLUMES" / "patient7.nrrd")
    (tmp_path / "REFERENCES" / "simulated_0000.nrrd").rename(tmp_path / "REFERENCES" / "patient7.nrrd")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_python_of_the_readme_runs(folders, monkeypatch, settings, capsys):
    (example,) = fences(ROOT / "README.md", "python")
    monkeypatch.setattr(settings_module, "preset", lambda name: settings)

    exec(compile(example.replace('["prostate"]', '["solid", "fluid"]'), "README.md", "exec"), {})

    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["solid", "fluid"]
    assert all(float(line.split()[1]) >= 0 for line in lines)


def test_the_commands_of_the_readme_run_one_after_the_other(folders, call, tiny_changes):
    block = next(block for block in fences(ROOT / "README.md", "") if block.startswith("uslabelseg study create"))
    changes = [word for name, value in tiny_changes.items() for word in ("--set", f"{name}={value}".replace(" ", ""))]

    for line in block.splitlines():
        words = shlex.split(line, comments=True)[1:]
        words = ["solid,fluid" if word == "prostate" else word for word in words]
        if words[:2] == ["study", "label"]:
            paint_everything(folders / "TO_LABEL" / "labels")
        code, _, errors = call(*words, *(changes if words[0] == "train" else []))
        assert code == 0, (line, errors)

    for name in ("volumes.csv", "report.html", "report.pdf", "metrics.csv", "FILLED", "TO_LABEL"):
        assert (folders / name).exists(), name
    formats = text_of(ROOT / "docs/formats.md")
    for table in ("volumes.csv", "metrics.csv"):
        headings = text_of(folders / table).splitlines()[0].split(",")
        assert [heading for heading in headings if f"`{heading}`" not in formats] == [], table
