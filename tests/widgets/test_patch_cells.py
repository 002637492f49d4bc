from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_autofocus.focus.estimate import PatchPrediction
from napari_autofocus.focus.patches import PatchGrid
from napari_autofocus.widgets.overlay.patch_cells import PatchCells


def patches_of(grid: PatchGrid, importance: np.ndarray) -> list[PatchPrediction]:
    return [
        PatchPrediction(y, x, grid.size, float(value)) for (y, x), value in zip(grid, importance.ravel(), strict=True)
    ]


@given(st.integers(1, 4), st.integers(1, 4), st.integers(2, 5), st.integers(2, 5), st.integers(0, 2**32 - 1))
def test_cells_show_what_every_pixel_of_them_would(cell: int, across: int, rows: int, columns: int, seed: int) -> None:
    """Each pixel of the field has the mean of the patches over it, as laid back by the grid itself."""
    size, step = cell * across, cell
    shape = (rows - 1) * step + size + 3, (columns - 1) * step + size + 1
    grid = PatchGrid(shape, size, step)
    values = np.random.default_rng(seed).random(grid.shape)
    patches = patches_of(grid, values)
    cells = PatchCells.of(patches)
    small = cells.mean([patch.importance for patch in patches])
    (top, left), side = cells.corner_px, cells.cell_px
    large = np.full(shape, np.nan, np.float32)
    blown_up = np.kron(small, np.ones((side, side)))
    large[top : top + blown_up.shape[0], left : left + blown_up.shape[1]] = blown_up
    np.testing.assert_allclose(large, grid.put_back(values), atol=1e-5)


def test_a_patch_without_a_value_leaves_its_own_cells_empty() -> None:
    patches = [PatchPrediction(0, 0, 4, 0.5), PatchPrediction(0, 2, 4, 0.5), PatchPrediction(0, 4, 4, 0.5)]
    shown = PatchCells.of(patches).mean([1.0, None, None])
    np.testing.assert_array_equal(shown[0], [1, 1, np.nan, np.nan])


def test_the_first_cell_lies_where_the_first_patch_does() -> None:
    cells = PatchCells.of([PatchPrediction(6, 10, 4, 0.5), PatchPrediction(6, 12, 4, 0.5)])
    assert (cells.cell_px, cells.corner_px, cells.centre_px) == (2, (6, 10), (6.5, 10.5))
    assert cells.shape == (2, 3)


def test_a_single_patch_is_one_cell() -> None:
    cells = PatchCells.of([PatchPrediction(0, 0, 32, 0.5)])
    assert (cells.shape, cells.cell_px) == ((1, 1), 32)
    assert cells.mean([0.25]) == pytest.approx(0.25)
