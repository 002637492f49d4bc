"""The page of evidence says what the stored results say; sections come with results, and stale figures are found."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import pytest

from results_of_benchmarks import all_results

ROOT = Path(__file__).parents[1]
DOCS, RESULTS = ROOT / "docs", ROOT / "benchmarks" / "results"


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    """``docs/make_evidence.py``."""
    sys.path.insert(0, str(DOCS))
    try:
        import make_evidence
    finally:
        sys.path.remove(str(DOCS))
    return make_evidence


@pytest.fixture
def unpainted(maker: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are files with nothing but their digest: drawing takes long."""

    def draw(drawing: Any, folder: Path) -> None:
        (folder / drawing.file).write_text(f"data {drawing.digest}")

    monkeypatch.setattr(maker.Drawing, "draw", draw)


@pytest.fixture
def place(tmp_path: Path) -> tuple[Path, Path]:
    """A folder of docs with the words of the page, and one of made-up results."""
    docs, results = tmp_path / "docs", tmp_path / "results"
    (docs / "images").mkdir(parents=True)
    results.mkdir()
    (docs / "evidence.txt").write_text((DOCS / "evidence.txt").read_text(encoding="utf-8"), encoding="utf-8")
    for name, result in all_results().items():
        write(results, name, result)
    return docs, results


def write(results: Path, name: str, result: dict[str, Any]) -> None:
    (results / f"{name}.json").write_text(json.dumps(result))


def sections(text: str) -> list[str]:
    return [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")]


def test_the_page_says_what_the_stored_results_say(maker: ModuleType) -> None:
    assert maker.stale(DOCS, RESULTS) == []


def test_every_section_and_figure_comes_with_its_results(maker: ModuleType, place: tuple[Path, Path]) -> None:
    docs, results = place
    maker.make(docs, results)
    text = (docs / "evidence.md").read_text()
    for heading in ("How good each model is", "Where each method breaks", "Which network", "How many patches"):
        assert heading in sections(text)
    assert "@" not in text
    assert maker.stale(docs, results) == []
    for path in (docs / "images").glob("*.svg"):
        assert f"images/{path.name}" in text
        assert ElementTree.parse(path).getroot().tag.endswith("svg")


@pytest.mark.usefixtures("unpainted")
def test_a_section_without_results_is_left_out_with_its_figures(maker: ModuleType, place: tuple[Path, Path]) -> None:
    docs, results = place
    maker.make(docs, results)
    (results / "densities.json").unlink()
    assert maker.stale(docs, results)
    maker.make(docs, results)
    assert "Where each method breaks" not in (docs / "evidence.md").read_text()
    assert not (docs / "images" / "evidence_densities.svg").exists()
    assert maker.stale(docs, results) == []


@pytest.mark.usefixtures("unpainted")
def test_with_no_results_at_all_the_words_stand_alone(maker: ModuleType, place: tuple[Path, Path]) -> None:
    docs, results = place
    for path in results.glob("*.json"):
        path.unlink()
    maker.make(docs, results)
    assert sections((docs / "evidence.md").read_text()) == []


@pytest.mark.usefixtures("unpainted")
def test_a_figure_of_other_results_is_found_and_drawn_anew(maker: ModuleType, place: tuple[Path, Path]) -> None:
    docs, results = place
    assert "evidence_models.svg" in maker.make(docs, results)
    assert maker.make(docs, results) == []
    changed = all_results()["single_shot"]
    changed["rows"]["nominal dense"]["by_defocus"][0]["mae_um"] = 0.4
    write(results, "single_shot", changed)
    assert maker.stale(docs, results) == ["evidence_models.svg is not of these results"]
    assert maker.make(docs, results) == ["evidence_models.svg"]


@pytest.mark.usefixtures("unpainted")
def test_a_changed_figure_in_a_table_is_found(maker: ModuleType, place: tuple[Path, Path]) -> None:
    docs, results = place
    maker.make(docs, results)
    page = docs / "evidence.md"
    page.write_text(page.read_text().replace("0.060 ±", "0.050 ±"))
    assert maker.stale(docs, results) == ["evidence.md is not what evidence.txt and the results give"]


@pytest.mark.usefixtures("unpainted")
def test_what_fell_short_is_told_in_bold(maker: ModuleType, place: tuple[Path, Path]) -> None:
    docs, results = place
    maker.make(docs, results)
    text = (docs / "evidence.md").read_text()
    assert "| `brightfield-20x`, extremely sparse: mean error, µm | at most 0.150 | **0.260** | **no** |" in text
    assert "| `brightfield-20x`, dense: direction right | at least 99.8 % | > 99.9 % | yes |" in text


@pytest.mark.usefixtures("unpainted")
def test_what_a_model_withstands_is_told_for_each_side(maker: ModuleType, place: tuple[Path, Path]) -> None:
    docs, results = place
    maker.make(docs, results)
    text = (docs / "evidence.md").read_text()
    assert "| JPEG file, quality | 75 | 30 | 0.300 | 10.0 % | 0.0 % | 0.900 |" in text
    assert "| exposure, of the usual one, less | 0.5 (all) | 0.5 |" in text
    assert "| exposure, of the usual one, more | none of them (2 is 1.90 times) | 2 | – |" in text
    assert text.index("After 900,000 patches") < text.index("After 600,000 patches")


@pytest.mark.usefixtures("unpainted")
def test_who_wins_is_said_only_where_the_interval_says_it(maker: ModuleType, place: tuple[Path, Path]) -> None:
    docs, results = place
    maker.make(docs, results)
    text = (docs / "evidence.md").read_text()
    assert "end to end, head / weighted median: better in 1, worse in 0 of 2 cases" in text
    assert "| end to end, head / weighted median | **0.050** | 0.101 |" in text


@pytest.mark.usefixtures("unpainted")
def test_networks_that_were_not_taught_yet_are_told_by_their_cost(maker: ModuleType, place: tuple[Path, Path]) -> None:
    docs, results = place
    write(results, "backbones", {**all_results()["backbones"], "rows": []})
    maker.make(docs, results)
    text = (docs / "evidence.md").read_text()
    assert "| `resnet50` | 2.50 | 19 | 34 | 250 |" in text
    assert "how fast each learns" not in text
    assert not (docs / "images" / "evidence_backbones.svg").exists()


@pytest.mark.usefixtures("unpainted")
def test_tuning_is_held_against_the_recipe_at_equal_length_and_at_equal_cost(
    maker: ModuleType, place: tuple[Path, Path]
) -> None:
    docs, results = place
    maker.make(docs, results)
    text = (docs / "evidence.md").read_text()
    assert "are **better** than the recipe's (1.60 against 2.10 µm)" in text
    assert "**teaching with the recipe's settings for as long** gives the smaller error (1.50, 1.00 µm)" in text


@pytest.mark.usefixtures("unpainted")
def test_the_check_on_the_command_line_fails_where_the_page_is_stale(
    maker: ModuleType, place: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    docs, results = place
    monkeypatch.setattr(maker, "DOCS", docs)
    monkeypatch.setattr(maker, "RESULTS", results)
    assert maker.main(["--check"]) == 1
    assert "evidence.md is not what evidence.txt and the results give: run python docs/make_evidence.py" in (
        capsys.readouterr().err
    )
    assert maker.main([]) == 0
    assert maker.main(["--check"]) == 0
