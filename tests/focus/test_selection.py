"""Which patches are read: the most important ones, none twice, however the grid lies."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_autofocus.errors import InputError
from napari_autofocus.focus.deciding.selection import SelectionSettings, choose_patches, patches_inside
from napari_autofocus.focus.patches import PatchGrid

HALF = PatchGrid((640, 768), 128, 64)


def by_hand(importance: npt.NDArray[Any], grid: PatchGrid, limits: SelectionSettings) -> tuple[int, ...]:
    """The rule as its words say it, patch by patch."""
    corners, chosen = list(grid), list[int]()

    def shared(one: int, other: int) -> int:
        (y, x), (v, u) = corners[one], corners[other]
        return max(grid.size - abs(y - v), 0) * max(grid.size - abs(x - u), 0)

    for index in np.argsort(-importance.ravel(), kind="stable"):
        clear = all(shared(int(index), other) <= limits.largest_overlap * grid.size**2 for other in chosen)
        if importance.flat[index] >= limits.least_importance and clear and len(chosen) < limits.most_patches:
            chosen.append(int(index))
    return tuple(chosen)


@st.composite
def grids(draw: st.DrawFn) -> PatchGrid:
    size = draw(st.integers(2, 8))
    shape = draw(st.integers(size, 20)), draw(st.integers(size, 20))
    return PatchGrid(shape, size, draw(st.integers(1, 10)))


@settings(deadline=None, max_examples=60)
@given(grids(), st.integers(0, 99), st.integers(1, 20), st.floats(0, 1), st.floats(0, 1))
def test_choice_follows_the_rule(grid: PatchGrid, seed: int, most: int, least: float, overlap: float) -> None:
    # Few levels of importance, so that ties are common.
    importance = np.random.default_rng(seed).integers(0, 6, grid.shape) / 5
    limits = SelectionSettings(most, least, overlap)
    assert choose_patches(importance, grid, limits) == by_hand(importance, grid, limits)


def test_most_important_patches_come_first() -> None:
    importance = np.zeros(HALF.shape)
    importance[2, 2], importance[6, 8], importance[0, 9] = 0.5, 0.9, 0.7
    columns = HALF.shape[1]
    assert choose_patches(importance, HALF) == (6 * columns + 8, 9, 2 * columns + 2)


def test_half_overlapping_neighbour_is_skipped_and_the_diagonal_one_kept() -> None:
    importance = np.zeros(HALF.shape)
    importance[4, 4], importance[4, 5], importance[5, 5] = 0.9, 0.8, 0.7
    columns = HALF.shape[1]
    assert choose_patches(importance, HALF) == (4 * columns + 4, 5 * columns + 5)


def test_equal_importance_is_settled_by_place() -> None:
    chosen = choose_patches(np.ones(HALF.shape), HALF, SelectionSettings(largest_overlap=0.0))
    assert chosen[:3] == (0, 2, 4)


def test_at_most_so_many_patches() -> None:
    assert len(choose_patches(np.ones(HALF.shape), HALF, SelectionSettings(most_patches=5))) == 5


def test_nothing_important_is_an_empty_choice() -> None:
    assert choose_patches(np.full(HALF.shape, 0.29), HALF) == ()
    assert choose_patches(np.full(HALF.shape, np.nan), HALF) == ()


def test_only_allowed_patches_are_chosen() -> None:
    allowed = np.zeros(HALF.shape, np.bool_)
    allowed[3, 4] = True
    assert choose_patches(np.ones(HALF.shape), HALF, allowed=allowed) == (3 * HALF.shape[1] + 4,)


def test_importance_is_left_as_it_was() -> None:
    importance = np.ones(HALF.shape, np.float32)
    choose_patches(importance, HALF)
    assert (importance == 1).all()


def test_patches_inside_a_region_lie_there_with_half_their_area() -> None:
    region = np.zeros(HALF.field_shape, np.bool_)
    region[:, :256] = True
    inside = patches_inside(region, HALF)
    assert inside[:, :4].all()  # the fourth begins at 192 px and lies half inside
    assert not inside[:, 4:].any()


@pytest.mark.parametrize("region", [np.ones((9, 9), np.bool_), np.ones(HALF.field_shape, np.uint8)])
def test_region_of_another_field_or_kind_is_refused(region: npt.NDArray[Any]) -> None:
    with pytest.raises(InputError, match=r"belongs to a field|boolean image"):
        patches_inside(region, HALF)


def test_values_of_another_grid_are_refused() -> None:
    with pytest.raises(InputError, match="importance was given for"):
        choose_patches(np.ones((2, 2)), HALF)
    with pytest.raises(InputError, match="allowed was given for"):
        choose_patches(np.ones(HALF.shape), HALF, allowed=np.ones((2, 2), np.bool_))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((0,), "At least one patch"), ((4, 1.2), "least_importance is a share"), ((4, 0.3, -0.1), "largest_overlap is")],
)
def test_impossible_settings_are_refused(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        SelectionSettings(*arguments)
