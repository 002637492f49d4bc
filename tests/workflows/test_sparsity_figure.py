"""The picture for a lecture: a column for each field, words that keep apart, files that have content."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from drawn_words import misplaced, said
from made_estimates import empty_estimate, made_estimate, made_patches
from napari_autofocus.errors import InputError
from napari_autofocus.io.frames import Frame
from napari_autofocus.optics import Objective
from napari_autofocus.workflows.sparse.answers import reach_um, words_of
from napari_autofocus.workflows.sparse.figure import draw_sparsity, save_sparsity_figure
from napari_autofocus.workflows.sparse.records import EVERY_PATCH, HILL_CLIMBING, WHOLE_IMAGE, Answer, SparsityField

SHAPE = (512, 612)
LENS = Objective.parse("20x/0.75")
DENSITIES = ("dense", "sparse", "extremely-sparse", "empty")


def field(density: str, true_um: float = 6.0, shape: tuple[int, int] = SHAPE) -> SparsityField:
    image = np.random.default_rng(1).integers(0, 255, (*shape, 3), dtype=np.uint8)
    empty = density == "empty"
    read = made_patches(shape, true_um, every=5, size=128)
    estimate = empty_estimate(shape) if empty else made_estimate(shape, true_um, patches=read)
    error = None if empty else -5.0
    rivals = (
        Answer(EVERY_PATCH, true_um - 5.0, error, 1, "answered", ""),
        Answer(WHOLE_IMAGE, true_um - 9.0, None if empty else -9.0, 1, "answered", ""),
        Answer(HILL_CLIMBING, None, None, 16, "reverted", ""),
    )
    share = {"dense": 0.93, "sparse": 0.17, "extremely-sparse": 0.0073}.get(density, 0.0)
    frame = Frame(image, LENS, 0.325)
    return SparsityField(density, "cytology", share, 0.0, 0.0, frame, true_um, 1.0, estimate, rivals)


def series(true_um: float = 6.0) -> list[SparsityField]:
    return [field(density, true_um) for density in DENSITIES]


@pytest.mark.parametrize("true_um", [6.0, -6.0, 0.4])
def test_words_neither_overlap_nor_leave_the_page(true_um: float) -> None:
    assert misplaced(draw_sparsity(series(true_um))) == ([], [])


def test_every_density_has_a_column_with_its_share() -> None:
    words = said(draw_sparsity(series()))

    assert [name for name in ("Dense", "Sparse", "Extremely sparse", "Empty") if name not in words] == []
    assert "Pap-stained cells, 93 % of the area" in words
    assert "Pap-stained cells, 0.7 % of the area" in words
    assert "Bare glass" in words


def test_what_a_rival_is_not_is_said() -> None:
    assert "what it was not trained for" in " ".join(said(draw_sparsity(series()[:1])).split())


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer("", 5.9, -0.1, 1, "flat", ""), "−0.10 · 1 frame"),
        (Answer("", 6.2, 0.2, 14, "focused", ""), "+0.20 · 14 frames"),
        (Answer("", -0.6, None, 1, "answered", ""), "claims −0.6"),
        (Answer("", None, None, 1, "no_content", ""), "refuses: no content · 1 frame"),
        (Answer("", None, None, 16, "reverted", ""), "gives up, goes back · 16 frames"),
        (Answer("", None, None, 1, "out_of_range", ""), "out of range · 1 frame"),
    ],
)
def test_an_answer_in_a_few_words(answer: Answer, words: str) -> None:
    assert words_of(answer) == words


def test_all_columns_have_one_scale_that_holds_every_answer() -> None:
    low, high = reach_um(series())

    assert low < -3.0
    assert high > 7.0


def test_a_series_that_is_not_complete_can_be_drawn() -> None:
    unfinished = replace(field("sparse"), rivals=())

    assert misplaced(draw_sparsity([unfinished])) == ([], [])


def test_fields_of_different_shapes_are_refused() -> None:
    with pytest.raises(InputError, match="all of one shape"):
        draw_sparsity([field("dense"), field("sparse", shape=(256, 256))])


def test_files_are_written_and_the_picture_has_content(tmp_path: Path) -> None:
    png, svg = save_sparsity_figure(series()[:2], tmp_path / "new", formats=("png", "svg"))

    picture = np.asarray(Image.open(png).convert("L"))
    assert picture.shape[1] > 2500
    assert picture.std() > 20
    assert "</svg>" in svg.read_text(encoding="utf-8")


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="gif"):
        save_sparsity_figure(series(), tmp_path, formats=("gif",))
