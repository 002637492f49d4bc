"""Any array is either read as a frame or refused in words; what is read keeps its light and its place."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from napari_autofocus.errors import InputError
from napari_autofocus.focus.patches import PatchGrid
from napari_autofocus.models.seeing.frame import ModelFrame

GRID_SIZE, GRID_STEP, REDUCTION = 16, 8, 4

_anything = st.one_of(arrays.scalar_dtypes(), arrays.integer_dtypes(), arrays.floating_dtypes()).flatmap(
    lambda dtype: arrays.arrays(dtype, arrays.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=5))
)


@given(image=_anything)
@settings(max_examples=200, deadline=None)
def test_any_array_is_read_or_refused_in_one_sentence(image: np.ndarray) -> None:
    try:
        frame = ModelFrame.of(image)
    except InputError as error:
        sentence = str(error)
    else:
        sentence = "."
        assert frame.pixels.shape[:2] == image.shape[:2]
        assert np.isfinite(frame.pixels).all()
    assert sentence.endswith(".")
    assert "\n" not in sentence


@given(
    shape=st.tuples(st.integers(16, 70), st.integers(16, 70)),
    colour=st.booleans(),
    dtype=st.sampled_from([np.uint8, np.uint16, np.float32, np.float64]),
)
@settings(max_examples=40, deadline=None)
def test_overview_and_patches_show_the_same_light(shape: tuple[int, int], colour: bool, dtype: Any) -> None:
    """Each patch's mean is that of the pixels of the overview that stand for it."""
    full = 1.0 if np.dtype(dtype).kind == "f" else float(np.iinfo(dtype).max)
    light = np.random.default_rng(5).random((*shape, 3) if colour else shape)
    frame = ModelFrame.of((light * full).astype(dtype))
    grid, channels = PatchGrid(shape, GRID_SIZE, GRID_STEP), 3 if colour else 1
    patches = frame.patches(grid, range(len(grid)), channels)
    overview = frame.overview(grid, REDUCTION, channels)
    assert patches.shape == (len(grid), channels, GRID_SIZE, GRID_SIZE)
    assert patches.dtype == overview.dtype == np.float32
    assert 0 <= patches.min() <= patches.max() <= 1
    windows = np.lib.stride_tricks.sliding_window_view(overview[0], (4, 4), axis=(1, 2))[:, ::2, ::2]
    assert windows.shape[1:3] == grid.shape
    means = windows.mean(axis=(3, 4)).reshape(channels, -1).T
    assert patches.mean(axis=(2, 3)) == pytest.approx(means, abs=1 / 255)


def test_colours_keep_their_order() -> None:
    image = np.zeros((16, 16, 3), np.uint8)
    image[...] = (255, 51, 0)
    found = ModelFrame.of(image).patches(PatchGrid((16, 16), 16), [0], 3)
    assert found[0, :, 3, 5] == pytest.approx([1.0, 0.2, 0.0])


def test_a_frame_is_not_copied() -> None:
    image = np.zeros((16, 16, 3), np.uint8)
    assert ModelFrame.of(image).pixels is image
