"""Tiles of a slide laid side by side: by where the stage stood, corrected by what neighbours both show, and blended.

Tiles are placed on whole pixels and never resampled; x grows with the column and y with the row, unless the camera sees
the stage mirrored.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.linalg import lsqr

from napari_autofocus.errors import InputError

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
Image = npt.NDArray[Any]
Place = tuple[float, float]
Part = tuple[slice, slice]
Pair = tuple[int, int]

FURTHEST_PX = 24.0
"""Neighbours that seem shifted by more are not believed: a stage errs by less (ours)."""
_HOLD = 0.05
"""Weight of the stage's own word against that of a pair of neighbours."""
_AGREE_PX = 0.5
"""Pairs that contradict the others by more count for less, the less the more they do."""
_ROUNDS = 12
_LEAST_OVERLAP_PX = 16


@dataclass(frozen=True, eq=False)
class Mosaic:
    """Where tiles lie in one large image.

    Parameters
    ----------
    origins_px : np.ndarray, shape (N, 2)
        Row and column of each tile's upper left pixel, from 0.
    tile_shape : tuple of int
        Height and width of a tile, px.
    """

    origins_px: IntArray
    tile_shape: tuple[int, int]

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the large image, px."""
        height, width = self.origins_px.max(axis=0) + self.tile_shape
        return int(height), int(width)

    def pairs(self) -> Iterator[Pair]:
        """Numbers of tiles that overlap along a side."""
        height, width = self.tile_shape
        order = np.argsort(self.origins_px[:, 0], kind="stable")
        for position, first in enumerate(order):
            for second in order[position + 1 :]:
                down, right = self.origins_px[second] - self.origins_px[first]
                if down >= height - _LEAST_OVERLAP_PX:
                    break
                shared = height - abs(down), width - abs(right)
                beside = shared[0] > height / 2 or shared[1] > width / 2
                if min(shared) >= _LEAST_OVERLAP_PX and beside:
                    yield (int(min(first, second)), int(max(first, second)))

    def shared(self, pair: Pair) -> tuple[Part, Part]:
        """What two overlapping tiles both show: rows and columns in the one and in the other."""
        starts = self.origins_px[pair[1]] - self.origins_px[pair[0]]
        sides = [
            (
                slice(max(0, int(start)), size + min(0, int(start))),
                slice(max(0, -int(start)), size - max(0, int(start))),
            )
            for start, size in zip(starts, self.tile_shape, strict=True)
        ]
        return (sides[0][0], sides[1][0]), (sides[0][1], sides[1][1])

    def tiles_in(self, rows: slice, columns: slice) -> list[int]:
        """Numbers of the tiles that reach into a rectangle."""
        low, high = np.array([rows.start, columns.start]), np.array([rows.stop, columns.stop])
        inside = (self.origins_px < high) & (self.origins_px + self.tile_shape > low)
        return [int(number) for number in np.flatnonzero(inside.all(axis=1))]


def serpentine(centre: Place, columns: int, rows: int, field_um: tuple[float, float], overlap: float) -> list[Place]:
    """Centres of tiles over an area, row by row, every second row backwards.

    Parameters
    ----------
    centre : tuple of float
        Of the area (x, y), µm.
    columns, rows : int
        Tiles across and down.
    field_um : tuple of float
        Height and width of a tile, µm.
    overlap : float
        Share of a tile's side that it shares with the next, from 0 to below 1.

    Raises
    ------
    InputError
        If a value makes no sense.
    """
    if min(columns, rows) < 1:
        raise InputError(f"An area has one column and one row of tiles or more; found {columns} x {rows}.")
    if not 0 <= overlap < 1 or not all(0 < side < math.inf for side in field_um):
        raise InputError(
            f"Tiles have a size in µm and share from 0 to below 1 of a side; found {field_um[1]:g} x {field_um[0]:g} µm"
            f" and {overlap:g}."
        )
    height_um, width_um = (side * (1 - overlap) for side in field_um)
    x_um = centre[0] + (np.arange(columns) - (columns - 1) / 2) * width_um
    y_um = centre[1] + (np.arange(rows) - (rows - 1) / 2) * height_um
    return [(float(x), float(y)) for row, y in enumerate(y_um) for x in (x_um if row % 2 == 0 else x_um[::-1])]


def laid_out(
    centres_um: Sequence[Place],
    tile_shape: tuple[int, int],
    pixel_size_um: float,
    *,
    mirrored: tuple[bool, bool] = (False, False),
) -> Mosaic:
    """Tiles by the word of the stage.

    Parameters
    ----------
    centres_um : sequence of (x, y)
        Where the stage stood for each tile, µm.
    tile_shape : tuple of int
        Height and width of a tile, px.
    pixel_size_um : float
        Size of a pixel in the sample, µm.
    mirrored : tuple of bool
        Whether columns grow against x, and rows against y.

    Raises
    ------
    InputError
        If there is no tile, or a position is not finite.
    """
    places = np.asarray(centres_um, np.float64).reshape(-1, 2)
    if not len(places) or not np.isfinite(places).all() or not pixel_size_um > 0:
        raise InputError(f"Tiles are laid out by finite stage positions and a pixel size; found {len(places)} tiles.")
    signs = np.array([-1.0 if turned else 1.0 for turned in mirrored])
    row_column = (places * signs)[:, ::-1] / pixel_size_um
    return _from_zero(np.rint(row_column - row_column.min(axis=0)).astype(np.int64), tile_shape)


def corrected(mosaic: Mosaic, found: Mapping[Pair, tuple[float, float]]) -> Mosaic:
    """Tiles moved so that neighbours show the same at the same place, as little as need be.

    Parameters
    ----------
    mosaic : Mosaic
        By the word of the stage.
    found : mapping
        For pairs that can tell: how far (down, right) the second tile's part of what they share is shifted against the
        first's, px.
    """
    count = len(mosaic.origins_px)
    known = {pair: shift for pair, shift in found.items() if math.hypot(*shift) <= FURTHEST_PX}
    if not known:
        return mosaic
    pairs, wanted = np.array([*known]), -np.array([*known.values()], np.float64)
    likely = 1 / np.maximum(np.abs(wanted).max(axis=1), 1.0)  # the stage errs by little more often than by much
    weights = likely
    for _ in range(_ROUNDS):  # least absolute instead of least squared errors: a pair that lies is outvoted
        corrections = _least_squares(pairs, wanted, weights, count)
        errors = np.abs(corrections[pairs[:, 1]] - corrections[pairs[:, 0]] - wanted).max(axis=1)
        weights = likely / np.maximum(errors, _AGREE_PX)
    return _from_zero(mosaic.origins_px + np.rint(corrections).astype(np.int64), mosaic.tile_shape)


def _least_squares(pairs: IntArray, wanted: FloatArray, weights: FloatArray, count: int) -> FloatArray:
    """Corrections of all tiles (N, 2), px, of which each pair wants a difference and the stage wants none."""
    equation = np.arange(len(pairs))
    rows = np.concatenate([equation, equation, len(pairs) + np.arange(count)])
    columns = np.concatenate([pairs[:, 1], pairs[:, 0], np.arange(count)])
    roots = np.sqrt(weights)
    values = np.concatenate([roots, -roots, np.full(count, _HOLD)])
    system = coo_array((values, (rows, columns)), shape=(len(pairs) + count, count)).tocsr()
    sides = roots[:, None] * wanted
    return np.stack([lsqr(system, np.append(sides[:, axis], np.zeros(count)))[0] for axis in (0, 1)], axis=1)


def _from_zero(origins_px: IntArray, tile_shape: tuple[int, int]) -> Mosaic:
    return Mosaic(origins_px - origins_px.min(axis=0), tile_shape)


def blended(mosaic: Mosaic, rows: slice, columns: slice, read: Callable[[int], Image]) -> Image | None:
    """A rectangle of the large image; where tiles overlap one fades into the other.

    Parameters
    ----------
    mosaic : Mosaic
        Where tiles lie.
    rows, columns : slice
        Of the large image.
    read : callable
        Gives tile by number, shape (Y, X) or (Y, X, 3).

    Returns
    -------
    np.ndarray or None
        Of the tiles' type, zero where no tile reaches; None where none reaches at all.
    """
    total: FloatArray | None = None
    weights = np.zeros((rows.stop - rows.start, columns.stop - columns.start), np.float32)
    dtype: np.dtype[Any] = np.dtype(np.uint8)
    fades = [_fade(size) for size in mosaic.tile_shape]
    for number in mosaic.tiles_in(rows, columns):
        image, (y, x) = read(number), mosaic.origins_px[number]
        own, there = zip(
            _common(int(y), mosaic.tile_shape[0], rows), _common(int(x), mosaic.tile_shape[1], columns), strict=True
        )
        if total is None:
            dtype = image.dtype
            total = np.zeros((*weights.shape, *image.shape[2:]), np.float32)
        assert total is not None
        weight = np.outer(fades[0][own[0]], fades[1][own[1]]).astype(np.float32)
        total[there] += (weight if image.ndim == 2 else weight[..., None]) * image[own]
        weights[there] += weight
    if total is None:
        return None
    mean = total / np.maximum(weights, 1e-12).reshape(*weights.shape, *(1 for _ in total.shape[2:]))
    return (np.rint(mean) if dtype.kind in "ui" else mean).astype(dtype)


def _common(origin: int, size: int, part: slice) -> tuple[slice, slice]:
    """What a tile and a part of the large image share along a side: in the tile, and in the part."""
    start, stop = max(origin, part.start), min(origin + size, part.stop)
    return slice(start - origin, stop - origin), slice(start - part.start, stop - part.start)


def _fade(size: int) -> FloatArray:
    """Weights along a side: they fall towards both ends, evenly, so that what overlaps changes evenly."""
    at = np.arange(size) + 0.5
    return np.asarray(np.minimum(at, size - at) / size, np.float64)
