"""What MkDocs does beside rendering docs/: pages that lie elsewhere, links to code, and the options of every command.

The pages are written to be read in the repository. On the site a link to another page goes to that page, a link to
code to the repository; a link to nothing is a warning, and with `--strict` an error.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from USLabelEfficientSegLib.command_line.app import app

ROOT = Path(__file__).parents[1]
PAGES = {  # of the repository, and their place on the site
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "benchmarks/README.md": "benchmarks.md",
}
PICTURES = ("Resources/Icon", "Resources/Screenshots")
LINK = re.compile(r"(?<=\]\()([^)\s#:]+)(#[^)\s]*)?(?=\))")
WIDTH = 100
OPTIONS = "options.md"

log = logging.getLogger("mkdocs.plugins.site")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages and pictures that lie outside of docs/."""
    for source, place in PAGES.items():
        files.append(File.generated(config, place, content=(ROOT / source).read_text(encoding="utf-8")))
    files.append(File.generated(config, OPTIONS, content=options_page()))
    for folder in PICTURES:
        for picture in sorted((ROOT / folder).glob("*.png")):
            place = picture.relative_to(ROOT).as_posix()
            files.append(File.generated(config, place, abs_src_path=str(picture)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point the links of a page at the site, or at the repository."""
    own = {place: source for source, place in PAGES.items()}
    source = own.get(page.file.src_uri, f"docs/{page.file.src_uri}")

    def linked(match: re.Match[str]) -> str:
        target = os.path.normpath(PurePosixPath(source).parent / match[1])
        anchor = match[2] or ""
        place = PAGES.get(target, target.removeprefix("docs/"))
        if target.startswith(("docs/", *PICTURES)) or target in PAGES:
            return f"{place}{anchor}"
        if (ROOT / target).exists():
            return f"{config.repo_url}/blob/main/{target}{anchor}"
        log.warning("%s links to %s, which does not exist", source, match[1])
        return match[0]

    return LINK.sub(linked, markdown)


def options_page() -> str:
    """The help of every command, as `uslabelseg COMMAND --help` prints it."""
    parts = ["# Every option\n\nWhat `uslabelseg COMMAND --help` prints. [The overview](command-line.md) is shorter.\n"]
    root: Any = typer.main.get_command(app)
    for name, command, context in commands("uslabelseg", root, None):
        parts.append(f"## {name}\n\n```text\n{command.get_help(context)}\n```\n")
    return "\n".join(parts)


def commands(name: str, command: Any, parent: Any) -> Iterator[tuple[str, Any, Any]]:
    """Every command below one that can be called, with its full name and context."""
    settings = {"terminal_width": WIDTH, **command.context_settings}
    context = command.context_class(command, info_name=name.split()[-1], parent=parent, **settings)
    if not hasattr(command, "commands"):
        yield name, command, context
    for part, below in sorted(getattr(command, "commands", {}).items()):
        yield from commands(f"{name} {part}", below, context)
