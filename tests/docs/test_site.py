"""The site is built strictly, needs no network, and shows what the source says."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

from documented import ROOT
from napari_autofocus.cli import COMMANDS, load_command

DOCS = ROOT / "docs"
FETCHED = re.compile(r"<(?:script|img|link|iframe)\b[^>]*\b(?:src|href)=\"(?:https?:)?//[^\"]+\"")
RAW = re.compile(r"<p>(?:(?!</p>).)*?\n *(?:- |\* |\d+\. |\|)", re.S)
"""A list or a table that came out as plain text."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if importlib.util.find_spec("mkdocs") is None:
        pytest.skip("mkdocs is not installed; pip install -c constraints.txt -e '.[docs]'")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def from_docs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripts of the docs can be imported."""
    monkeypatch.syspath_prepend(str(DOCS))


def text(site: Path, page: str) -> str:
    return (site / page).read_text(encoding="utf-8")


def test_the_site_is_built_with_all_its_pages(site: Path) -> None:
    pages = {path.stem for path in DOCS.glob("*.md")} | {"commands", "notebook"}

    assert {page for page in pages if not (site / f"{page}.html").exists()} == set()


def test_nothing_is_fetched_to_read_it(site: Path) -> None:
    found = {page.name: FETCHED.findall(page.read_text(encoding="utf-8")) for page in site.glob("*.html")}

    assert {page: urls for page, urls in found.items() if urls} == {}
    assert "cdnjs" not in text(site, "notebook.html")


def test_no_list_and_no_table_came_out_as_plain_text(site: Path) -> None:
    assert [page.name for page in site.glob("*.html") if RAW.search(page.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_the_page_of_commands_has_every_option(site: Path, name: str) -> None:
    page = text(site, "commands.html")
    section = page[page.index(f'<h2 id="{name}"') :].partition("<h2 ")[2].partition("<h2 ")[0]
    options = [option for each in load_command(name).params for option in each.opts if option.startswith("-")]

    assert [option for option in options if f"<code>{option}</code>" not in section] == []


@pytest.mark.parametrize(
    ("page", "name"),
    [
        ("api_focus", "napari_autofocus.focus.estimate.refocus_z_um"),
        ("api_models", "napari_autofocus.models.predictor.load_model"),
        ("api_microscope", "napari_autofocus.microscope.protocol.Microscope"),
        ("api_routines", "napari_autofocus.routines.refocus.refocus"),
        ("api_workflows", "napari_autofocus.workflows.mda.acquiring.acquire_with_autofocus"),
        ("api_slide", "napari_autofocus.slide.focus_map.fit_focus_map"),
        ("api_files", "napari_autofocus.io.positions.read_positions"),
    ],
)
def test_the_reference_is_made_of_docstrings(site: Path, page: str, name: str) -> None:
    assert f'id="{name}"' in text(site, f"{page}.html")


def sign_maker() -> ModuleType:
    import figure_sign

    return figure_sign


@pytest.mark.usefixtures("from_docs")
def test_the_drawing_of_the_sign_says_what_the_program_does() -> None:
    maker = sign_maker()

    assert maker.IMAGE.read_text(encoding="utf-8") == maker.drawing(), "run python docs/figure_sign.py"
    assert [maker.move_um(4.0, direction) for direction in (1, -1)] == [-4.0, 4.0]
    assert [maker.z_um(4.0, direction) for direction in (1, -1)] == [104.0, 96.0]


def test_figures_are_small_and_have_a_script() -> None:
    scripts = "".join(path.read_text(encoding="utf-8") for path in DOCS.glob("figure_*.py"))
    shown = set(re.findall(r"images/([\w.]+)", (DOCS / "how_it_works.md").read_text(encoding="utf-8")))

    assert {name for name in shown if f'"{name}"' not in scripts} == set()
    assert {name for name in shown if (DOCS / "images" / name).stat().st_size > 300_000} == set()
    for name in sorted(each for each in shown if each.endswith(".svg")):
        assert ElementTree.parse(DOCS / "images" / name).getroot().tag.endswith("svg")
