"""How the second shot of a slide is shifted against the first, tile by tile, and taking that out without a seam.

Each tile tells its own shift; what its neighbours contradict is not believed, and where a tile cannot tell, they speak
for it. Between the middles of the tiles the shift changes evenly.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Tile = tuple[int, int]

FURTHEST_PX = 64.0
"""Longer shifts are no shifts of two shots of one place (ours)."""
SAME_PX = 0.1
"""Shifts over a slide that differ by no more than this are one shift, and shorter ones are none (ours)."""


@dataclass(frozen=True)
class Neighbours:
    """Shifts (dy, dx) of a tile, in the middle, and the eight around it, px; row by row."""

    shifts_px: tuple[tuple[float, float], ...]

    @property
    def reach_px(self) -> int:
        """How far beyond a tile its second shot has to be read, px."""
        return math.ceil(max(max(map(abs, shift)) for shift in self.shifts_px)) + 4


def settled(found: Mapping[Tile, tuple[float, float] | None], grid: tuple[int, int]) -> FloatArray:
    """A shift for every tile, shape (rows, columns, 2), px.

    Parameters
    ----------
    found : mapping
        What tiles tell of themselves; None where they cannot.
    grid : tuple of int
        Rows and columns.
    """
    told = np.full((*grid, 2), np.nan)
    for tile, shift in found.items():
        if shift is not None and math.hypot(*shift) <= FURTHEST_PX:
            told[tile] = shift
    known = told[~np.isnan(told[..., 0])]
    if not len(known):
        return np.zeros((*grid, 2))
    middle = np.median(known, axis=0)
    settled = np.array([[_around(told, row, column, middle) for column in range(grid[1])] for row in range(grid[0])])
    if np.ptp(settled, axis=(0, 1)).max() <= SAME_PX:
        settled[:] = middle
    return settled if np.abs(settled).max() > SAME_PX else np.zeros((*grid, 2))


def _around(told: FloatArray, row: int, column: int, middle: FloatArray) -> FloatArray:
    """Median over a tile and its neighbours; over more of them where none can tell."""
    for reach in (1, 2, 4):
        near = told[max(0, row - reach) : row + reach + 1, max(0, column - reach) : column + reach + 1].reshape(-1, 2)
        known = near[~np.isnan(near[:, 0])]
        if len(known):
            return np.asarray(np.median(known, axis=0), np.float64)
    return middle


def neighbours_of(shifts: FloatArray, tile: Tile) -> Neighbours | None:
    """What a tile has to know; None where there is nothing to take out."""
    rows = np.clip(np.arange(tile[0] - 1, tile[0] + 2), 0, shifts.shape[0] - 1)
    columns = np.clip(np.arange(tile[1] - 1, tile[1] + 2), 0, shifts.shape[1] - 1)
    near = shifts[np.ix_(rows, columns)].reshape(-1, 2)
    return Neighbours(tuple((float(dy), float(dx)) for dy, dx in near)) if near.any() else None


def taken_out(
    image: npt.NDArray[Any],
    read: tuple[slice, slice],
    wanted: tuple[slice, slice],
    neighbours: Neighbours,
    tile: Tile,
    tile_px: int,
) -> npt.NDArray[np.float32]:
    """A part of the second shot as it lies on the first, neither rounded nor clipped.

    Parameters
    ----------
    image : np.ndarray, shape (Y, X) or (Y, X, 3)
        What was read of the second shot.
    read, wanted : tuple of slice
        Where on the slide the image lies, and where the part to be returned does.
    neighbours : Neighbours
        Shifts around the tile.
    tile : tuple of int
        Row and column.
    tile_px : int
        Side of a tile, px.
    """
    y, x = (np.arange(part.start, part.stop, dtype=np.float64) for part in wanted)
    shifts = np.array(neighbours.shifts_px).reshape(3, 3, 2)
    down, right = (_weights(at, number, tile_px) for at, number in zip((y, x), tile, strict=True))
    dy, dx = (down @ shifts[..., axis] @ right.T for axis in (0, 1))
    from_y = (y[:, None] + dy - read[0].start).astype(np.float32)
    from_x = (x[None] + dx - read[1].start).astype(np.float32)
    values = np.asarray(image, np.float32)
    return np.asarray(cv2.remap(values, from_x, from_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT))


def _weights(at: FloatArray, number: int, tile_px: int) -> FloatArray:
    """How much the tiles before, at and after a number count at each place, shape (N, 3)."""
    offset = np.clip((at + 0.5) / tile_px - number - 0.5, -1, 1)
    return np.stack([np.maximum(-offset, 0), 1 - np.abs(offset), np.maximum(offset, 0)], axis=1)
