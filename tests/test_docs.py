"""What the README and the docs link to and import is there, and figures are filled in."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pytest

from documented import PAGES, ROOT, blocks

LINK = re.compile(r"\]\(([^)#\s]+)")
FIGURES = re.compile(r"<!-- figures: (\S+) -->")


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
    """Source files in tables and text, as `focus/deciding/selection.py`, are those of the package or of the project."""
    named = set(re.findall(r"`([\w./]+/[\w.]+\.py)`", page.read_text(encoding="utf-8")))
    places = (ROOT, ROOT / "src" / "napari_autofocus", page.parent)

    assert sorted(name for name in named if not any((place / name).exists() for place in places)) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_figure_is_left_open_once_it_was_measured(page: Path) -> None:
    """An open one is a question mark that ends no word."""
    text = page.read_text(encoding="utf-8")
    measured = [source for source in FIGURES.findall(text) if (ROOT / source).exists()]

    assert not measured or not re.search(r"(?<!\w)\?", text), page.name
