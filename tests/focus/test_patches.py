"""Where patches lie, and that cutting, adding up and putting back agree with each other."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from napari_autofocus.errors import InputError
from napari_autofocus.focus.patches import PatchGrid


@st.composite
def grids(draw: st.DrawFn) -> PatchGrid:
    """Any grid on a small field: touching, overlapping or apart."""
    height, width = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    size = draw(st.integers(1, min(height, width)))
    return PatchGrid((height, width), size, draw(st.none() | st.integers(1, 30)))


def field_of(grid: PatchGrid, *channels: int) -> npt.NDArray[Any]:
    return np.random.default_rng(0).integers(0, 256, (*grid.field_shape, *channels), dtype=np.uint8)


def test_grid_of_touching_patches_is_centred_on_the_field() -> None:
    grid = PatchGrid((1024, 1224), 224)
    assert (grid.shape, len(grid), grid.origin) == ((4, 5), 20, (64, 52))
    assert list(grid)[:2] == [(64, 52), (64, 276)]
    assert grid.slices(19) == (slice(736, 960), slice(948, 1172))


def test_grid_of_overlapping_patches() -> None:
    grid = PatchGrid((10, 12), 4, 2)
    assert (grid.shape, grid.origin) == ((4, 5), (0, 0))
    assert list(grid)[-1] == (6, 8)


@given(grids())
def test_patches_lie_inside_the_field_and_are_centred(grid: PatchGrid) -> None:
    corners = np.array(list(grid))
    assert len(corners) == len(grid) == np.prod(grid.shape)
    before, after = corners.min(axis=0), np.array(grid.field_shape) - corners.max(axis=0) - grid.size
    assert np.all(before >= 0)
    assert np.all((after - before == 0) | (after - before == 1))
    assert np.all(before + after < grid.step)


@given(grids())
def test_slices_follow_the_corners(grid: PatchGrid) -> None:
    for index, (y, x) in enumerate(grid):
        assert grid.slices(index) == (slice(y, y + grid.size), slice(x, x + grid.size))


@given(grids(), st.sampled_from([(), (1,), (3,)]))
def test_cut_gives_what_the_slices_cover(grid: PatchGrid, channels: tuple[int, ...]) -> None:
    image = field_of(grid, *channels)
    patches = grid.cut(image)
    assert patches.shape == (*grid.shape, grid.size, grid.size, *channels)
    flat = patches.reshape(len(grid), grid.size, grid.size, *channels)
    for index in range(len(grid)):
        np.testing.assert_array_equal(flat[index], image[grid.slices(index)])


def test_cut_is_a_read_only_view() -> None:
    image = np.zeros((8, 8), np.uint8)
    patches = PatchGrid((8, 8), 4).cut(image)
    assert np.shares_memory(patches, image)
    assert not patches.flags.writeable


@given(grids(), st.sampled_from([np.uint8, np.uint16, np.int16, np.float32, np.float64, np.bool_]))
def test_block_sum_adds_up_each_patch(grid: PatchGrid, dtype: type) -> None:
    image = field_of(grid).astype(dtype)
    expected = [image[grid.slices(i)].sum(dtype=np.float64) for i in range(len(grid))]
    found = grid.block_sum(image)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found.ravel(), expected)


@given(grids(), st.integers(0, 3), st.integers(0, 3))
def test_block_sum_of_differences_takes_those_inside_a_patch(grid: PatchGrid, down: int, right: int) -> None:
    assume(max(down, right) < grid.size)
    image = field_of(grid).astype(np.float64)
    height, width = grid.field_shape
    difference = image[down:, right:] - image[: height - down, : width - right]
    patches = [image[grid.slices(i)] for i in range(len(grid))]
    n = grid.size
    expected = [(patch[down:, right:] - patch[: n - down, : n - right]).sum() for patch in patches]
    np.testing.assert_array_equal(grid.block_sum(difference).ravel(), expected)


def test_block_sum_of_a_large_bright_field_is_exact() -> None:
    grid = PatchGrid((2048, 2048), 1024)
    bright = np.full(grid.field_shape, 65535, np.uint16)
    assert np.all(grid.block_sum(bright) == 1024 * 1024 * 65535)
    assert np.all(grid.block_sum(bright.astype(np.float32)) == 1024 * 1024 * 65535)


@settings(max_examples=60)
@given(grids())
def test_put_back_is_the_mean_of_the_covering_patches(grid: PatchGrid) -> None:
    values = np.random.default_rng(1).normal(size=grid.shape)
    total, count = np.zeros(grid.field_shape), np.zeros(grid.field_shape)
    for index, value in enumerate(values.flat):
        total[grid.slices(index)] += value
        count[grid.slices(index)] += 1
    field = grid.put_back(values, fill=-7)
    assert field.dtype == np.float32
    np.testing.assert_allclose(field[count > 0], (total / np.maximum(count, 1))[count > 0], atol=1e-5)
    assert np.all(field[count == 0] == -7)


def test_put_back_leaves_patches_without_a_value_empty() -> None:
    field = PatchGrid((4, 8), 4).put_back(np.array([[np.nan, 2.0]]))
    assert np.isnan(field[:, :4]).all()
    assert np.all(field[:, 4:] == 2)


def test_put_back_without_a_value_does_not_spoil_its_neighbour() -> None:
    field = PatchGrid((4, 6), 4, 2).put_back(np.array([[np.nan, 3.0]]))
    np.testing.assert_array_equal(field[0], [np.nan, np.nan, 3, 3, 3, 3])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((10, 10), 0), "at least 1 px; found 0 and 0"),
        (((10, 10), 4, 0), "at least 1 px; found 4 and 0"),
        (((10, 10), 4, -2), "at least 1 px; found 4 and -2"),
        (((10, 3), 4), "10 x 3 px holds no patch of 4 px; choose a patch of at most 3 px"),
    ],
)
def test_impossible_grid_is_refused(arguments: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        PatchGrid(*arguments)


WRONG = [("cut", (9, 10)), ("put_back", (9, 10)), ("check", (9, 10)), ("block_sum", (11, 10)), ("block_sum", (7, 10))]


@pytest.mark.parametrize(("method", "shape"), [*WRONG, ("cut", (10, 11)), ("block_sum", (10,)), ("put_back", (9,))])
def test_array_of_another_shape_is_refused(method: str, shape: tuple[int, ...]) -> None:
    grid = PatchGrid((10, 10), 3)
    with pytest.raises(InputError, match=r"belongs to a field of \(10, 10\)|has \(3, 3\) patches"):
        getattr(grid, method)(np.zeros(shape))


@pytest.mark.parametrize("index", [-1, 9])
def test_patch_outside_the_grid_is_refused(index: int) -> None:
    with pytest.raises(InputError, match="the grid has patches 0 to 8"):
        PatchGrid((10, 10), 3).slices(index)
