"""What the README and the docs tell people to type exists, what they link to is there, and figures are filled in."""

from __future__ import annotations

import ast
import importlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from napari_autofocus.cli import load_command

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md")] + sorted((ROOT / "docs").glob("*.md"))
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
LINK = re.compile(r"\]\(([^)#\s]+)")
FIGURES = re.compile(r"<!-- figures: (\S+) -->")


def blocks(language: str) -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for found in BLOCK.finditer(page.read_text(encoding="utf-8")):
            if found[1] == language:
                yield page.name, found[2]


def commands() -> list[tuple[str, str]]:
    lines = [(page, line) for page, block in blocks("") for line in block.splitlines()]
    return [(page, line) for page, line in lines if line.startswith("napari-autofocus ")]


@pytest.mark.parametrize(("page", "line"), commands())
def test_commands_of_the_docs_have_the_options_they_are_given(page: str, line: str) -> None:
    _, name, *words = shlex.split(line, comments=True)
    command = load_command(name)

    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    assert {word for word in words if re.match("--[a-z]", word)} <= known, page


@pytest.mark.parametrize(("page", "code"), list(blocks("python")))
def test_names_that_python_snippets_import_exist(page: str, code: str) -> None:
    imports = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.ImportFrom)]

    assert imports, page
    for node in imports:
        module = importlib.import_module(node.module or "")
        assert [alias.name for alias in node.names if not hasattr(module, alias.name)] == [], page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    targets = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link]

    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_docs_name_exist(page: Path) -> None:
    """Source files in tables and text, as `focus/selection.py`, are those of the package or of the project."""
    named = set(re.findall(r"`([\w./]+/[\w.]+\.py)`", page.read_text(encoding="utf-8")))
    places = (ROOT, ROOT / "src" / "napari_autofocus", page.parent)

    assert sorted(name for name in named if not any((place / name).exists() for place in places)) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_figure_is_left_open_once_it_was_measured(page: Path) -> None:
    """An open one is a question mark that ends no word."""
    text = page.read_text(encoding="utf-8")
    measured = [source for source in FIGURES.findall(text) if (ROOT / source).exists()]

    assert not measured or not re.search(r"(?<!\w)\?", text), page.name
