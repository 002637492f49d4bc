"""Tiles laid out by the stage, corrected by their overlaps, and blended without a seam."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_autofocus.errors import InputError
from napari_autofocus.slide.stitching import Mosaic, blended, corrected, laid_out, serpentine

SHAPE = (60, 80)


def structure(shape: tuple[int, int]) -> np.ndarray:
    noise = np.random.default_rng(5).normal(size=shape)
    return np.clip(128 + 400 * cv2.GaussianBlur(noise, (0, 0), 3), 0, 255).astype(np.uint8)


def test_an_area_is_scanned_back_and_forth_with_overlap() -> None:
    places = serpentine((10.0, 20.0), 3, 2, (50.0, 100.0), 0.1)
    assert places == [(-80.0, -2.5), (10.0, -2.5), (100.0, -2.5), (100.0, 42.5), (10.0, 42.5), (-80.0, 42.5)]
    with pytest.raises(InputError, match="one column"):
        serpentine((0, 0), 0, 2, (50, 100), 0.1)
    with pytest.raises(InputError, match="below 1"):
        serpentine((0, 0), 1, 2, (50, 100), 1.0)


@settings(max_examples=25, deadline=None)
@given(columns=st.integers(1, 4), rows=st.integers(1, 3), overlap=st.floats(0.0, 0.5), mirror=st.booleans())
def test_cut_and_stitched_is_the_whole(columns: int, rows: int, overlap: float, mirror: bool) -> None:
    places = serpentine((0.0, 0.0), columns, rows, (SHAPE[0] * 0.5, SHAPE[1] * 0.5), overlap)
    mosaic = laid_out(places, SHAPE, 0.5, mirrored=(mirror, False))
    whole = structure(mosaic.shape)
    tiles = [whole[y : y + SHAPE[0], x : x + SHAPE[1]] for y, x in mosaic.origins_px]
    height, width = mosaic.shape
    top = blended(mosaic, slice(0, height // 2), slice(0, width), tiles.__getitem__)
    bottom = blended(mosaic, slice(height // 2, height), slice(0, width), tiles.__getitem__)
    assert top is not None
    assert bottom is not None
    np.testing.assert_array_equal(np.vstack([top, bottom]), whole)
    # The first place of the area lies at the left, or at the right where the camera sees the stage mirrored.
    assert (mosaic.origins_px[0, 1] == 0) == (not mirror or columns == 1)


def test_parts_that_tiles_share_show_the_same() -> None:
    mosaic = laid_out(serpentine((0, 0), 3, 3, (30, 40), 0.4), SHAPE, 0.5)
    whole = structure(mosaic.shape)
    pairs = list(mosaic.pairs())
    assert len(pairs) == 12
    for first, second in pairs:
        cut = [whole[y : y + 60, x : x + 80] for y, x in mosaic.origins_px[[first, second]]]
        one, other = mosaic.shared((first, second))
        np.testing.assert_array_equal(cut[0][one], cut[1][other])


def test_errors_of_the_stage_are_put_right_and_a_lie_is_not_believed() -> None:
    rng = np.random.default_rng(2)
    true = laid_out(serpentine((0, 0), 4, 4, (30, 40), 0.45), SHAPE, 0.5).origins_px
    errors = rng.integers(-4, 5, true.shape)
    stage = Mosaic(true + errors, SHAPE)
    found = {(i, j): tuple((errors[j] - errors[i]).astype(float)) for i, j in stage.pairs()}
    liar = next(iter(found))
    found[liar] = (18.0, -15.0)
    mended = corrected(stage, found).origins_px
    offsets = mended - true
    assert np.abs(offsets - np.median(offsets, axis=0)).max() <= 1


def test_without_evidence_the_stage_is_believed() -> None:
    mosaic = laid_out([(0.0, 0.0), (30.0, 1.0)], SHAPE, 0.5)
    np.testing.assert_array_equal(corrected(mosaic, {}).origins_px, mosaic.origins_px)
    np.testing.assert_array_equal(corrected(mosaic, {(0, 1): (90.0, 0.0)}).origins_px, mosaic.origins_px)


def test_a_step_between_tiles_becomes_a_ramp() -> None:
    mosaic = Mosaic(np.array([[0, 0], [0, 40]]), SHAPE)
    tiles = [np.full((*SHAPE, 3), level, np.uint8) for level in (100, 140)]
    image = blended(mosaic, slice(0, 60), slice(0, 120), tiles.__getitem__)
    assert image is not None
    steps = np.diff(image[30, :, 0].astype(int))
    assert (image[30, 0, 0], image[30, -1, 0]) == (100, 140)
    assert steps.min() >= 0
    assert steps.max() <= 2


def test_where_no_tile_reaches_there_is_nothing() -> None:
    mosaic = Mosaic(np.array([[0, 0], [100, 200]]), SHAPE)
    assert mosaic.shape == (160, 280)
    assert blended(mosaic, slice(0, 50), slice(120, 180), lambda number: np.ones(SHAPE)) is None
    corner = blended(mosaic, slice(0, 160), slice(0, 280), lambda number: np.ones(SHAPE, np.uint16))
    assert corner is not None
    assert corner.sum() == 2 * 60 * 80
