"""What every focus measure is given (a region) and what it is (a named function with a polarity and a source)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError
from napari_autofocus.focus.patches import PatchGrid

Image = npt.NDArray[Any]
BoolImage = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]

_LARGE_PATCH_PX = 96 * 96
"""Side times stride, px, from which a call for each patch is faster than sums over rows of patches."""


class Sum(NamedTuple):
    """A sum over the region, or over each patch, and how many terms it has; shapes () or (rows, columns)."""

    total: FloatArray
    terms: FloatArray

    def __add__(self, other: Sum) -> Sum:  # type: ignore[override]
        return Sum(self.total + other.total, self.terms + other.terms)

    @property
    def mean(self) -> FloatArray:
        """Total over number of terms; NaN where no term was left."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(self.total / self.terms, np.float64)


@dataclass(frozen=True, eq=False)
class Region:
    """The pixels to measure, which of them count, and the patches to measure one by one.

    Parameters
    ----------
    grey : np.ndarray, shape (Y, X)
        u8, u16, float32 or float64, counts.
    valid : np.ndarray, shape (Y, X), bool, or None
        False where a pixel is to be left out; None where all count.
    grid : PatchGrid or None
        None to measure all pixels together.
    """

    grey: Image
    valid: BoolImage | None = None
    grid: PatchGrid | None = None

    def squared_differences(self, down: int, right: int) -> Sum:
        """Σ [s(i + down, j + right) − s(i, j)]², one of the steps being 0, counts²; exact for integer images."""
        footprint = np.zeros((down + 1, right + 1), np.bool_)
        footprint[0, 0] = footprint[-1, -1] = True
        return self.squares_apart((down, right), footprint)

    def squares_apart(self, apart: tuple[int, int], footprint: BoolImage) -> Sum:
        """Σ [s(i + down, j + right) − s(i, j)]² over the footprints that lie wholly inside, as :meth:`sum`.

        Parameters
        ----------
        apart : tuple of int
            (down, right), px.
        footprint : np.ndarray, shape (h, w), bool
            True at the pixels that have to count.
        """
        self._require(*footprint.shape)
        if self.grid is None:
            usable = None if self.valid is None else self._usable(footprint).view(np.uint8)
            terms = self._area(footprint) if usable is None else cv2.countNonZero(usable)
            total = cv2.norm(*_pair(self.grey, apart, footprint), cv2.NORM_L2SQR, usable)
            return Sum(np.asarray(total), np.asarray(terms, np.float64))
        if self.valid is None and self.grid.size * self.grid.step >= _LARGE_PATCH_PX:
            return Sum(self._apart_by_patch(self.grid, apart, footprint), np.asarray(self._area(footprint), np.float64))
        return self.sum(_squared_difference(*_pair(self.grey, apart, footprint)), footprint)

    def _apart_by_patch(self, grid: PatchGrid, apart: tuple[int, int], footprint: BoolImage) -> FloatArray:
        """A call for each patch: its squares are added up as they are read, and never written."""
        width = grid.size - footprint.shape[1] + 1
        totals = np.empty(grid.shape)
        for row, y in enumerate(grid.row_starts):
            first, second = _pair(self.grey[y : y + grid.size], apart, footprint)
            totals[row] = [
                cv2.norm(first[:, x : x + width], second[:, x : x + width], cv2.NORM_L2SQR) for x in grid.column_starts
            ]
        return totals

    def sum(self, values: Image, footprint: BoolImage) -> Sum:
        """Sum of a quantity computed from the pixels under a footprint, where all of those pixels count.

        Parameters
        ----------
        values : np.ndarray, shape (Y − h + 1, X − w + 1)
            The quantity, at the row and column of its footprint's upper left corner.
        footprint : np.ndarray, shape (h, w), bool
            True at the pixels that the quantity depends on.
        """
        self._require(*footprint.shape)
        if self.valid is None:
            return Sum(self._add(values), np.asarray(self._area(footprint), np.float64))
        usable = self._usable(footprint)
        return Sum(self._add(cv2.copyTo(values, usable.view(np.uint8))), self._add(usable))

    def sum_of_squares(self, values: Image, footprint: BoolImage) -> Sum:
        """Sum of the squares of a quantity, as :meth:`sum`; exact for whole numbers of up to 16 bits."""
        return self._norm(values, footprint, cv2.NORM_L2SQR, _square)

    def sum_of_absolutes(self, values: Image, footprint: BoolImage) -> Sum:
        """Sum of the absolute values of a quantity, as :meth:`sum`."""
        return self._norm(values, footprint, cv2.NORM_L1, np.abs)

    def _norm(self, values: Image, footprint: BoolImage, kind: int, of_each: Callable[[Image], Image]) -> Sum:
        """A whole image is added up by OpenCV as it is read; for patches each pixel's term is needed."""
        if self.grid is not None:
            return self.sum(of_each(values), footprint)
        self._require(*footprint.shape)
        usable = None if self.valid is None else self._usable(footprint).view(np.uint8)
        terms = self._area(footprint) if usable is None else cv2.countNonZero(usable)
        total = cv2.norm(values, kind, usable)
        if values.dtype.kind in "iu":  # a whole number; OpenCV may have taken its root and squared that again
            total = round(total)
        return Sum(np.asarray(total, np.float64), np.asarray(terms, np.float64))

    def each(self, measure: Callable[[Image, BoolImage | None], FloatArray]) -> FloatArray:
        """Apply a function of whole images to the region, or to each patch.

        Parameters
        ----------
        measure : callable
            Takes pixels and validity, both of shape (…, Y, X), and returns one value for each image, shape (…).
        """
        if self.grid is None:
            return np.asarray(measure(self.grey, self.valid), np.float64)
        grey = self.grid.cut(self.grey)
        if self.valid is None:
            return np.stack([measure(row, None) for row in grey])
        return np.stack([measure(row, usable) for row, usable in zip(grey, self.grid.cut(self.valid), strict=True)])

    @property
    def _height(self) -> int:
        return int(self.grey.shape[0])

    @property
    def _width(self) -> int:
        return int(self.grey.shape[1])

    def _require(self, height: int, width: int) -> None:
        given = self.grey.shape if self.grid is None else (self.grid.size, self.grid.size)
        if given[0] < height or given[1] < width:
            raise InputError(f"This measure needs at least {height} x {width} px; found {given[0]} x {given[1]} px.")

    def _area(self, footprint: BoolImage) -> int:
        """How many footprints lie inside the region, or inside each patch."""
        height, width = self.grey.shape if self.grid is None else (self.grid.size, self.grid.size)
        return int((height - footprint.shape[0] + 1) * (width - footprint.shape[1] + 1))

    def _usable(self, footprint: BoolImage) -> BoolImage:
        """Where every pixel under the footprint counts, shape (Y − h + 1, X − w + 1)."""
        assert self.valid is not None
        height, width = self._height - footprint.shape[0] + 1, self._width - footprint.shape[1] + 1
        usable = np.ones((height, width), np.bool_)
        for y, x in np.argwhere(footprint):
            usable &= self.valid[y : y + height, x : x + width]
        return usable

    def _add(self, values: Image) -> FloatArray:
        if self.grid is not None:
            return self.grid.block_sum(values)
        return np.asarray(cv2.sumElems(values.view(np.uint8) if values.dtype == np.bool_ else values)[0], np.float64)


@dataclass(frozen=True)
class Measure:
    """A focus measure: how it is called, which way it points, where it comes from.

    Parameters
    ----------
    name : str
        Key in ``MEASURES``.
    title : str
        For menus and plots.
    polarity : {'maximum', 'minimum'}
        Which extreme an amplitude object reaches in focus.
    unit : str
        Of the value: ``counts²``, ``counts``, ``bit`` or ``1``.
    gain : float
        Exponent of a gain: an image g times as bright measures g**gain times as much.
    citation : str
        Author, year and equation.
    function : callable
        From a region to its value, or to one value for each patch.
    """

    name: str
    title: str
    polarity: Literal["maximum", "minimum"]
    unit: str
    gain: float
    citation: str
    function: Callable[[Region], FloatArray]


def _pair(grey: Image, apart: tuple[int, int], footprint: BoolImage) -> tuple[Image, Image]:
    """The first and the second pixel of each pair ``apart``, both of shape (Y − h + 1, X − w + 1)."""
    (down, right), (height, width) = apart, footprint.shape
    rows, columns = grey.shape[0] - height + 1, grey.shape[1] - width + 1
    return grey[:rows, :columns], grey[down : down + rows, right : right + columns]


def _square(values: Image) -> Image:
    wide = values.astype(np.float32) if values.dtype == np.int16 else values
    return np.asarray(np.multiply(wide, wide))


def _squared_difference(first: Image, second: Image) -> Image:
    """(second − first)², exact for u8, to 1e-7 for u16."""
    difference = cv2.absdiff(first, second)
    wide = difference.astype(np.uint16 if difference.dtype == np.uint8 else np.promote_types(difference.dtype, "f4"))
    return np.asarray(np.multiply(wide, wide, out=wide))
