"""Small boxes of pixels around points of the slide, worked on many at a time and put back into an image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_autofocus.simulation.view import View

FloatArray = npt.NDArray[np.float64]
FloatImage = npt.NDArray[np.float32]
FloatStack = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

# Boxes of at most this many pixels across are worked on together, so many pixels at a time (what fits a cache).
_TOGETHER_PX = 96
_STACK_PIXELS = 300_000
# Up to here, putting all boxes back by index is quicker than one after the other.
_BY_INDEX_PX = 17


@dataclass(frozen=True, eq=False)
class Boxes:
    """K boxes of equal size.

    Parameters
    ----------
    index : np.ndarray, shape (K,)
        Which points they stand around.
    top, left : np.ndarray, shape (K,)
        First row and column of each box; may lie outside the view.
    dx_um, dy_um : np.ndarray, shape (K, 1, W) and (K, H, 1)
        Where the pixels lie from their point, µm.
    """

    index: IntArray
    top: IntArray
    left: IntArray
    dx_um: FloatStack
    dy_um: FloatStack

    def pick(self, values: FloatArray) -> FloatStack:
        """``values``, one for each point, of these boxes, ready to multiply a stack."""
        return column(values[self.index])

    def add(self, canvas: FloatImage, stack: FloatStack) -> None:
        """Add each box of ``stack``, shape (K, H, W), to ``canvas``, shape (Y, X)."""
        if max(stack.shape[1:]) <= _BY_INDEX_PX:
            np.add.at(canvas.reshape(-1), *self._flat(canvas.shape, stack))
            return
        for box, part in self._parts(canvas.shape, stack):
            canvas[box] += part

    def raise_to(self, canvas: FloatImage, stack: FloatStack) -> None:
        """Let ``canvas`` be at least each box of ``stack``."""
        if max(stack.shape[1:]) <= _BY_INDEX_PX:
            np.maximum.at(canvas.reshape(-1), *self._flat(canvas.shape, stack))
            return
        for box, part in self._parts(canvas.shape, stack):
            np.maximum(canvas[box], part, out=canvas[box])

    def _flat(self, shape: tuple[int, ...], stack: FloatStack) -> tuple[IntArray, npt.NDArray[np.float32]]:
        """Index into the flattened canvas, and value, of all pixels that lie on it."""
        rows = self.top[:, None, None] + np.arange(stack.shape[1])[:, None]
        columns = self.left[:, None, None] + np.arange(stack.shape[2])
        on_canvas = (rows >= 0) & (rows < shape[0]) & (columns >= 0) & (columns < shape[1])
        return (rows * shape[1] + columns)[on_canvas], stack[on_canvas]

    def _parts(self, shape: tuple[int, ...], stack: FloatStack) -> Iterator[tuple[tuple[slice, slice], FloatImage]]:
        height, width = stack.shape[1:]
        for top, left, image in zip(self.top.tolist(), self.left.tolist(), stack, strict=True):
            y0, x0, y1, x1 = max(top, 0), max(left, 0), min(top + height, shape[0]), min(left + width, shape[1])
            if y0 < y1 and x0 < x1:
                yield (slice(y0, y1), slice(x0, x1)), image[y0 - top : y1 - top, x0 - left : x1 - left]


def boxes(view: View, x_um: FloatArray, y_um: FloatArray, reach_um: FloatArray) -> Iterator[Boxes]:
    """Boxes of at least ``reach_um`` to each side of points, those of like size together; points far outside left out.

    Parameters
    ----------
    x_um, y_um, reach_um : np.ndarray, shape (N,)
        Points on the slide and how far to reach from them, µm.
    """
    columns = (x_um - view.columns_um[0]) / view.pixel_size_um
    rows = (y_um - view.rows_um[0]) / view.pixel_size_um
    half = np.ceil(reach_um / view.pixel_size_um).astype(np.int64) + 1
    seen = (columns > -half) & (columns < view.shape[1] + half) & (rows > -half) & (rows < view.shape[0] + half)
    for index, size in _groups(np.flatnonzero(seen), half):
        top, height = _span(rows[index], size, view.shape[0])
        left, width = _span(columns[index], size, view.shape[1])
        if height > 0 and width > 0:
            dy_um = (top[:, None] + np.arange(height) - rows[index, None]) * view.pixel_size_um
            dx_um = (left[:, None] + np.arange(width) - columns[index, None]) * view.pixel_size_um
            yield Boxes(index, top, left, dx_um[:, None, :].astype(np.float32), dy_um[:, :, None].astype(np.float32))


def column(values: FloatArray) -> FloatStack:
    """One number for each box, shape (K, 1, 1)."""
    return values.astype(np.float32).reshape(-1, 1, 1)


def _span(centre: FloatArray, half: int, limit: int) -> tuple[IntArray, int]:
    """First pixel and length of the boxes along one axis; a box that stands alone is cut to the view."""
    first = np.round(centre).astype(np.int64) - half
    if len(first) > 1:
        return first, 2 * half + 1
    last = min(int(first[0]) + 2 * half + 1, limit)
    first = np.maximum(first, 0)
    return first, last - int(first[0])


def _groups(index: IntArray, half: IntArray) -> Iterator[tuple[IntArray, int]]:
    """Points with boxes of like size together, and the half width of their box, px; those with large boxes alone."""
    order = index[np.argsort(half[index], kind="stable")]
    start = 0
    while start < len(order):
        size = int(half[order[start]])
        limit = 1 if 2 * size > _TOGETHER_PX else max(1, _STACK_PIXELS // (2 * size + 3) ** 2)
        alike = order[start : start + limit]
        alike = alike[half[alike] <= size + 1]
        yield alike, int(half[alike[-1]])
        start += len(alike)
