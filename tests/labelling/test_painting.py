"""Importance painted over a field: stored, asked for a patch, and put together from several people."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_autofocus.errors import InputError
from napari_autofocus.labelling.painting import Painting, merged, overlaid


@st.composite
def paintings(draw: st.DrawFn) -> Painting:
    cell, rows, columns = draw(st.integers(1, 9)), draw(st.integers(1, 6)), draw(st.integers(1, 6))
    shape = (rows * cell - draw(st.integers(0, cell - 1)), columns * cell - draw(st.integers(0, cell - 1)))
    return Painting(shape, cell, draw(arrays(np.uint8, (rows, columns), elements=st.integers(0, 2))))


@given(paintings())
def test_a_painting_comes_back_from_the_store(painting: Painting) -> None:
    back = Painting.from_value(json.loads(json.dumps(painting.to_value())))
    assert (back.shape, back.cell_px) == (painting.shape, painting.cell_px)
    np.testing.assert_array_equal(back.cells, painting.cells)


@given(paintings(), st.integers(0, 20), st.integers(0, 20), st.integers(1, 20))
def test_importance_of_a_patch_is_what_covers_most_of_its_pixels(painting: Painting, y: int, x: int, size: int) -> None:
    pixels = np.kron(painting.cells, np.ones((painting.cell_px,) * 2, np.uint8))
    seen = pixels[: painting.shape[0], : painting.shape[1]][y : y + size, x : x + size]
    important, unimportant = ((seen == kind).sum() > size**2 / 2 for kind in (1, 2))
    assert painting.importance_of(y, x, size) == (1.0 if important else 0.0 if unimportant else None)


def test_a_large_empty_field_is_stored_in_a_few_bytes() -> None:
    assert len(json.dumps(Painting.empty((4000, 6000), 16).to_value())) < 100


@pytest.mark.parametrize(
    ("shape", "cell_px", "cells"),
    [
        ((10, 10), 5, np.zeros((2, 3))),
        ((10, 10), 5, np.full((2, 2), 3)),
        ((0, 10), 5, np.zeros((0, 2))),
        ((9, 9), 0, []),
    ],
)
def test_cells_that_do_not_fit_the_field_are_refused(shape: Any, cell_px: int, cells: Any) -> None:
    with pytest.raises(InputError, match="A painting"):
        Painting(shape, cell_px, cells)


@pytest.mark.parametrize(
    "value",
    [
        None,
        {},
        {"shape": [10, 10], "cell_px": 5, "runs": [[1, 3]]},
        {"shape": [10, 10], "cell_px": 5, "runs": [[1, -4], [1, 8]]},
        {"shape": [10, 10], "cell_px": 5, "runs": [[7, 4]]},
        {"shape": [10, 10], "cell_px": 0, "runs": [[1, 4]]},
        {"shape": [10], "cell_px": 5, "runs": "x"},
    ],
)
def test_a_value_that_is_no_painting_is_refused(value: Any) -> None:
    with pytest.raises(InputError, match="painting"):
        Painting.from_value(value)


def test_what_two_people_painted_holds_where_neither_contradicts() -> None:
    ann, bob = (Painting((1, 4), 1, np.array([cells])) for cells in ([1, 1, 2, 0], [1, 2, 0, 0]))
    both = merged([ann, bob])
    assert both is not None
    assert both.cells.tolist() == [[1, 0, 2, 0]]
    shown = overlaid([ann, bob])
    assert shown is not None
    assert shown.cells.tolist() == [[1, 2, 2, 0]]
    assert merged([]) is None
    assert overlaid([]) is None


def test_paintings_with_other_cells_cannot_be_put_together_and_the_last_one_counts() -> None:
    fine, coarse = Painting.empty((4, 4), 1), Painting((4, 4), 2, np.ones((2, 2)))
    found = merged([fine, coarse])
    assert found is not None
    assert (found.cell_px, found.cells.tolist()) == (2, [[1, 1], [1, 1]])
