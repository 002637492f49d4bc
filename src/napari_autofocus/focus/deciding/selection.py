"""Which patches of a field are worth reading: the most important ones that do not show the same content twice.

Knows the importance of each patch, not where it came from; the numbers are in ``SelectionSettings``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError
from napari_autofocus.focus.patches import PatchGrid

BoolArray = npt.NDArray[np.bool_]

HALF_INSIDE = 0.5
"""Share of a patch that has to lie in a region for the patch to count as inside it (ours)."""


@dataclass(frozen=True)
class SelectionSettings:
    """How many patches are read at most, and which are not worth reading. All three numbers are ours.

    Parameters
    ----------
    most_patches : int
        Patches of one field that are read at full resolution, at most.
    least_importance : float
        Content importance, in [0, 1], below which a patch is never read.
    largest_overlap : float
        Share of its area, in [0, 1], that a chosen patch may have in common with another chosen one.

    Raises
    ------
    InputError
        If a number lies outside its range.
    """

    most_patches: int = 32
    least_importance: float = 0.3
    largest_overlap: float = 0.25

    def __post_init__(self) -> None:
        if self.most_patches < 1:
            raise InputError(f"At least one patch must be read; found most_patches = {self.most_patches}.")
        for name in ("least_importance", "largest_overlap"):
            value = getattr(self, name)
            if not (math.isfinite(value) and 0 <= value <= 1):
                raise InputError(f"{name} is a share between 0 and 1; found {value}.")


def choose_patches(
    importance: npt.NDArray[Any],
    grid: PatchGrid,
    settings: SelectionSettings | None = None,
    *,
    allowed: BoolArray | None = None,
) -> tuple[int, ...]:
    """Pick the patches to read, greedily from the most important one down.

    Parameters
    ----------
    importance : np.ndarray, shape (rows, columns)
        Content importance of each patch of the grid; a patch of importance NaN is never chosen.
    grid : PatchGrid
        Where the patches lie.
    settings : SelectionSettings, optional
        Otherwise the defaults.
    allowed : np.ndarray, shape (rows, columns), bool, optional
        Patches that may be chosen, for instance those :func:`patches_inside` a region.

    Returns
    -------
    tuple of int
        Indices of the grid's patches by falling importance; of equally important ones the first of the grid. Empty
        where no patch is important enough.

    Raises
    ------
    InputError
        If ``importance`` or ``allowed`` does not have the grid's shape.
    """
    settings = settings or SelectionSettings()
    for name, given in (("importance", importance), ("allowed", allowed)):
        if given is not None and given.shape != grid.shape:
            raise InputError(f"The grid has {grid.shape} patches, but {name} was given for {given.shape}.")
    candidate = importance >= settings.least_importance  # NaN is never greater
    if allowed is not None:
        candidate &= allowed
    too_close = _too_close(grid, settings.largest_overlap)
    half_y, half_x = (side // 2 for side in too_close.shape)
    rows, columns = grid.shape
    # A border as wide as the neighbourhood spares every window its clipping.
    score = np.full((rows + 2 * half_y, columns + 2 * half_x), -np.inf)
    score[half_y : half_y + rows, half_x : half_x + columns] = np.where(candidate, importance, -np.inf)
    flat = score.reshape(-1)
    chosen: list[int] = []
    while len(chosen) < settings.most_patches:
        best = int(flat.argmax())
        if flat[best] == -np.inf:
            break
        row, column = best // score.shape[1] - half_y, best % score.shape[1] - half_x
        chosen.append(row * columns + column)
        window = score[row : row + too_close.shape[0], column : column + too_close.shape[1]]
        window[too_close] = -np.inf
    return tuple(chosen)


def patches_inside(region: BoolArray, grid: PatchGrid) -> BoolArray:
    """Which patches lie inside a region, with at least half of their area.

    Parameters
    ----------
    region : np.ndarray, shape (Y, X), bool
        The part of the field that counts.

    Returns
    -------
    np.ndarray, shape (rows, columns), bool

    Raises
    ------
    InputError
        If the region is not a boolean image of the grid's field.
    """
    if region.dtype != np.bool_:
        raise InputError(f"A region is a boolean image, True inside; found {region.dtype}.")
    grid.check(region)
    return np.asarray(grid.block_sum(region) >= HALF_INSIDE * grid.size**2)


def _too_close(grid: PatchGrid, largest_overlap: float) -> BoolArray:
    """For each distance in patches, whether two patches that far apart share too much; always true in the middle."""
    reach = -(-grid.size // grid.step) - 1
    shared = np.maximum(grid.size - grid.step * np.abs(np.arange(-reach, reach + 1)), 0)
    too_close = np.outer(shared, shared) > largest_overlap * grid.size**2
    too_close[reach, reach] = True
    return np.asarray(too_close)
