"""Tiles with overlaps: they cover the image, their weights add up to one, and answers are joined as they are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_autofocus.errors import InputError
from napari_autofocus.models.refocus.tiles import Joined, padded, spans

SIZES = {"size": st.integers(1, 700), "tile_px": st.integers(64, 300), "overlap_px": st.integers(0, 24)}


@given(**SIZES)
@settings(deadline=None, max_examples=60)
def test_weights_of_all_tiles_add_up_to_one_everywhere(size: int, tile_px: int, overlap_px: int) -> None:
    total = np.zeros(size)
    for span in spans(size, tile_px, overlap_px, 16):
        assert span.stop - span.start <= tile_px
        assert span.start % 16 == 0
        total[span.part] += span.weights
    assert np.allclose(total, 1, atol=1e-6)


@given(**SIZES)
@settings(deadline=None, max_examples=60)
def test_what_a_border_disturbs_does_not_count(size: int, tile_px: int, overlap_px: int) -> None:
    for span in spans(size, tile_px, overlap_px, 16):
        quiet = overlap_px // 2
        assert span.start == 0 or not span.weights[:quiet].any()
        assert span.stop == size or not span.weights[len(span.weights) - quiet :].any()


def test_an_image_that_fits_is_one_tile() -> None:
    (only,) = spans(500, 512, 48, 16)
    assert (only.start, only.stop) == (0, 500)


def test_tiles_without_room_between_their_overlaps_are_refused() -> None:
    with pytest.raises(InputError, match="112 px or more"):
        spans(1000, 96, 48, 16)


def test_joined_answers_that_agree_give_the_image() -> None:
    image = np.random.default_rng(0).random((2, 300, 210), np.float32)
    rows, columns = spans(300, 112, 20, 16), spans(210, 112, 20, 16)
    joined, found = Joined(rows, columns, 2), np.full_like(image, np.nan)
    for row, column in np.ndindex(len(rows), len(columns)):
        joined.add(row, column, image[:, rows[row].part, columns[column].part])
        if column == len(columns) - 1:
            where, ready = joined.finished(row)
            found[:, where] = ready
    assert np.allclose(found, image, atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 17, 31), (6, 32, 16), (2, 5, 200)])
def test_padding_fills_whole_strides_and_keeps_the_image(shape: tuple[int, int, int]) -> None:
    values = np.random.default_rng(0).random(shape, np.float32)
    found = padded(values, 16)
    assert found.shape[1] % 16 == found.shape[2] % 16 == 0
    assert np.array_equal(found[:, : shape[1], : shape[2]], values)
