"""The page of a calibration stands by itself, and its numbers are those of the record."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from made_calibration import record
from napari_autofocus.errors import InputError
from napari_autofocus.models.metrics import accuracy
from napari_autofocus.workflows.calibration.record import CalibrationRecord, read_record
from napari_autofocus.workflows.calibration.report import page_of, write_report
from napari_autofocus.workflows.reports.svg_plots import ticks

EMPTY = {"meta", "line", "circle", "polygon", "polyline", "rect", "br"}


class Page(HTMLParser):
    """Reads a page, and remembers what a test asks for."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []
        self.cells: list[str] = []
        self.ids: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in EMPTY:
            self.open.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "data", "srcset", "action", "xlink:href"):
                self.links.append(value or "")
            if name == "id":
                self.ids.append(value or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("td", "th"):
            self.cells.append(data)


@pytest.fixture(scope="module")
def made() -> CalibrationRecord:
    return record()


@pytest.fixture(scope="module")
def page(made: CalibrationRecord) -> str:
    return page_of(made, Path("/calibrations/mine"))


def test_the_page_is_whole_and_fetches_nothing(page: str) -> None:
    read = Page(page)
    assert read.open == []
    assert read.links == []
    assert not re.search(r"https?:|url\((?!#)|@import|<script", page)
    assert len(set(read.ids)) == len(read.ids)


def test_every_figure_is_there_with_every_frame(page: str, made: CalibrationRecord) -> None:
    assert made.taught is not None
    assert made.before is not None
    read = Page(page)
    assert read.tags.count("svg") == read.tags.count("figure") == 5
    frames = len(made.taught.held_out.results) + len(made.before.results)
    curves, contents, proofs = 20, 4, 2 * len(made.proofs)
    assert read.tags.count("circle") == frames + curves + contents + proofs


def test_the_numbers_are_the_records(page: str, made: CalibrationRecord) -> None:
    cells = Page(page).cells
    assert made.taught is not None
    assert made.before is not None
    for evaluation in (made.before, made.taught.held_out):
        found = accuracy(evaluation.results, evaluation.dof_um)
        assert f"{found.mae_um:.2f} µm" in cells
        assert f"{100 * (found.direction_success or 0):.1f} %" in cells
    for proof in made.proofs:
        assert f"{proof.start_um:+.2f}".replace("-", "−") in cells
    assert made.verdict is not None
    head, _, sentence = made.verdict.sentence.partition(": ")
    assert f"<strong>{head}:</strong> {sentence}" in page


def test_what_was_set_aside_is_told_with_its_reason_and_harmless(page: str) -> None:
    assert "Nothing to focus on &lt;there&gt;." in page


@pytest.mark.parametrize("changes", [{"before": None}, {"proofs": ()}, {"installed": None}, {"passed_over": ()}])
def test_a_page_can_be_made_of_less(changes: dict[str, object]) -> None:
    assert Page(page_of(record(**changes), Path("mine"))).open == []


def test_a_record_comes_back_unchanged_and_a_page_beside_it(tmp_path: Path, made: CalibrationRecord) -> None:
    made.write(tmp_path)
    assert read_record(tmp_path) == made
    assert write_report(made, tmp_path).read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["calibration.html", "calibration.json"]


def test_an_unfinished_record_comes_back_unchanged(tmp_path: Path, made: CalibrationRecord) -> None:
    begun = replace(made, taught=None, before=None, proofs=(), verdict=None, finished="", installed=None)
    begun.write(tmp_path)
    assert read_record(tmp_path) == begun


def test_a_damaged_record_is_refused(tmp_path: Path) -> None:
    (tmp_path / "calibration.json").write_text('{"format": 1, "plan": 3}')
    with pytest.raises(InputError, match="is not the record of a calibration"):
        read_record(tmp_path)


@pytest.mark.parametrize(("low", "high"), [(-10.0, 10.0), (0.0, 0.37), (-28.5, 28.5), (0.0, 1234.0), (2.6, -0.6)])
def test_ticks_are_few_round_numbers_inside(low: float, high: float) -> None:
    found = ticks(low, high)
    assert 2 <= len(found) <= 8
    assert all(min(low, high) <= tick <= max(low, high) for tick in found)
