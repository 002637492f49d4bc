"""Every snippet of Python in README and docs runs as it stands, those of a page one after the other."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from documented import snippets
from napari_autofocus.focus.estimate import ImageOptics
from napari_autofocus.io import open_stack
from napari_autofocus.optics import Objective
from napari_autofocus.slide.focus_map import FocusPoint
from rigs import RigMaker
from surveyed_slide import make_slide, serpentine

Given = dict[str, Any]
ELSEWHERE = {
    "mda.md": "tests/workflows/test_mda_docs.py",
    "tunable_lens.md": "the demo devices have no lens; tests/microscope/test_lens_drive.py",
}
"""Pages whose snippets are not run here, and what runs them or why nothing does."""

SMALLER = {"3, 3, 400.0": "1, 1, 400.0", "range_um=10": "range_um=3", "(90, 130)": "(-50, 50)", "count=4": "count=0"}
"""What is said instead, so that it is quick and finds the demo devices where they are."""

OPTICS = ImageOptics(Objective.parse("20x/0.75").with_pixel_size(0.325))
PAGES = {page: codes for page, codes in snippets().items() if page not in ELSEWHERE}


@pytest.fixture
def kitchen(pantry: Path, tmp_path: Path) -> Path:
    """A copy of all files, which a page may add to."""
    return Path(shutil.copytree(pantry, tmp_path / "kitchen", symlinks=True))


@pytest.fixture
def given(make_rig: RigMaker, request: pytest.FixtureRequest) -> Callable[[str], Given]:
    """What the text around the snippets of a page speaks of."""

    def around(page: str) -> Given:
        if page == "focus_map.md":
            return a_survey(make_rig)
        if page == "one_owner.md":
            return {"core": request.getfixturevalue("demo_core")}
        if page == "two_shot.md":
            stack = open_stack(Path("my_stack.ome.tif"))
            return {"first": stack.plane(4), "second": stack.plane(8), "optics": OPTICS}
        return {}

    return around


def a_survey(make_rig: RigMaker) -> Given:
    """A microscope over a tilted slide, places to look at, and points that were found."""
    slide = make_slide(make_rig)
    x, y = np.meshgrid(np.arange(4) * 1000.0, np.arange(4) * 1000.0)
    points = [FocusPoint(float(a), float(b), 0.001 * float(a)) for a, b in zip(x.flat, y.flat, strict=True)]
    known = {"microscope": slide.rig.microscope, "predictor": slide.predictor, "optics": OPTICS}
    return {**known, "places": serpentine(2, 2), "points": points, "x": x, "y": y, "path": Path("found.csv")}


@pytest.mark.parametrize("page", PAGES)
def test_the_snippets_of_a_page_run(page: str, kitchen: Path, given: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    if page == "acquire.md":
        shutil.rmtree(kitchen / "stacks")  # its snippet makes them
    monkeypatch.chdir(kitchen)
    known = {"__name__": "__main__", **given(page)}
    for code in PAGES[page]:
        for said, instead in SMALLER.items():
            code = code.replace(said, instead)
        exec(compile(code, page, "exec"), known)


def test_no_exception_is_stale() -> None:
    assert set(ELSEWHERE) <= set(snippets())
