"""Frames made small: what stage one sees is the mean of what it stands for, whatever the size."""

from __future__ import annotations

import numpy as np
import pytest

from napari_autofocus.focus.patches import PatchGrid
from napari_autofocus.models.seeing.overview import overview_of


@pytest.mark.parametrize("reduction", [1, 2, 4, 6, 8])
@pytest.mark.parametrize("colours", [(), (3,)])
def test_overview_is_the_mean_of_squares(reduction: int, colours: tuple[int, ...]) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (130, 199, *colours), dtype=np.uint8)
    grid = PatchGrid((130, 199), 48, 24)
    (y, x), (rows, columns) = grid.origin, grid.shape
    height, width = 24 * (rows + 1), 24 * (columns + 1)
    squares = frame[y : y + height, x : x + width].reshape(
        height // reduction, reduction, width // reduction, reduction, *colours
    )
    found = overview_of(frame, grid, reduction)
    assert found.dtype == np.uint8
    assert np.abs(found - squares.mean(axis=(1, 3))).max() <= 1.5


def test_overview_of_light_is_exact() -> None:
    frame = np.random.default_rng(1).random((64, 64), dtype=np.float32)
    found = overview_of(frame, PatchGrid((64, 64), 32, 16), 8)
    np.testing.assert_allclose(found, frame.reshape(8, 8, 8, 8).mean(axis=(1, 3)), atol=1e-6)
