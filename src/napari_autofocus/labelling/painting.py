"""Content importance that a person painted over a field: which parts of it tell about focus, and which do not."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError

NOTHING, IMPORTANT, UNIMPORTANT = 0, 1, 2
KEY = "painting"
"""The key under which a label store keeps a painting, in the scope ``importance``."""


@dataclass(frozen=True, eq=False)
class Painting:
    """Cells of a field, painted as important or not.

    Parameters
    ----------
    shape : tuple of int
        Height and width of the field, px.
    cell_px : int
        Side of a cell, px; cells at the lower and right border may be cut off by the field's edge.
    cells : np.ndarray, shape (rows, columns), uint8
        0 nothing was painted, 1 important, 2 unimportant.

    Raises
    ------
    InputError
        If the cells do not cover the field exactly, or hold another value.
    """

    shape: tuple[int, int]
    cell_px: int
    cells: npt.NDArray[np.uint8]

    def __post_init__(self) -> None:
        if min(self.shape) < 1 or self.cell_px < 1:
            raise InputError(
                f"A painting has a field and cells of at least 1 px; found {self.shape} and {self.cell_px}."
            )
        cells = np.asarray(self.cells)
        expected = _rows_and_columns(self.shape, self.cell_px)
        if cells.shape != expected or not np.isin(cells, (NOTHING, IMPORTANT, UNIMPORTANT)).all():
            raise InputError(
                f"A painting of {self.shape[0]} x {self.shape[1]} px in cells of {self.cell_px} px needs"
                f" {expected[0]} x {expected[1]} cells of 0, 1 or 2; found {cells.shape}."
            )
        own = cells.astype(np.uint8)
        own.flags.writeable = False
        object.__setattr__(self, "cells", own)

    @classmethod
    def empty(cls, shape: tuple[int, int], cell_px: int) -> Painting:
        """A field on which nothing was painted yet."""
        return cls(shape, cell_px, np.zeros(_rows_and_columns(shape, cell_px), np.uint8))

    @classmethod
    def from_value(cls, value: Any) -> Painting:
        """The painting that :meth:`to_value` made.

        Raises
        ------
        InputError
            If it is none.
        """
        try:
            runs = np.array(value["runs"], np.int64).reshape(-1, 2)
            shape, cell_px = (int(value["shape"][0]), int(value["shape"][1])), int(value["cell_px"])
            rows, columns = _rows_and_columns(shape, cell_px)
            if (runs < 0).any() or runs[:, 1].sum() != rows * columns:
                raise ValueError("its runs do not fill the field")
            cells = np.repeat(runs[:, 0], runs[:, 1]).reshape(rows, columns)
        except (KeyError, IndexError, TypeError, ValueError, OverflowError, ZeroDivisionError) as error:
            raise InputError(f"A stored painting cannot be read ({error}); paint it again.") from error
        return cls(shape, cell_px, cells.astype(np.uint8))

    def to_value(self) -> dict[str, Any]:
        """As JSON takes it: runs of equal cells, row by row, each ``[kind, cells]``."""
        runs = [[int(kind), sum(1 for _ in run)] for kind, run in groupby(self.cells.ravel().tolist())]
        return {"shape": list(self.shape), "cell_px": self.cell_px, "runs": runs}

    @property
    def is_empty(self) -> bool:
        """Whether nothing is painted."""
        return not self.cells.any()

    def importance_of(self, y: int, x: int, size: int) -> float | None:
        """1 or 0 for a patch most of whose area was painted as important or unimportant, otherwise None.

        Parameters
        ----------
        y, x, size : int
            Upper left corner and side, px.
        """
        down, across = (self._overlaps(axis, start, size) for axis, start in ((0, y), (1, x)))
        area = np.outer(down, across)
        half = size**2 / 2
        if area[self.cells == IMPORTANT].sum() > half:
            return 1.0
        return 0.0 if area[self.cells == UNIMPORTANT].sum() > half else None

    def _overlaps(self, axis: int, start: int, size: int) -> npt.NDArray[np.float64]:
        """How many pixels each row (column) of cells shares with a patch along an axis."""
        edges = np.minimum(np.arange(self.cells.shape[axis] + 1) * self.cell_px, self.shape[axis])
        inside = np.clip(edges, start, start + size)
        return np.asarray(np.diff(inside), np.float64)


def merged(paintings: Iterable[Painting]) -> Painting | None:
    """What several people painted of a field, where none contradicts another; None if nobody painted."""
    alike = _alike(paintings)
    if not alike:
        return None
    important = np.any([each.cells == IMPORTANT for each in alike], axis=0)
    unimportant = np.any([each.cells == UNIMPORTANT for each in alike], axis=0)
    cells = np.select([important & unimportant, important, unimportant], [NOTHING, IMPORTANT, UNIMPORTANT], NOTHING)
    return Painting(alike[-1].shape, alike[-1].cell_px, cells.astype(np.uint8))


def overlaid(paintings: Iterable[Painting]) -> Painting | None:
    """Several paintings of a field, each over those before it; None if there is none."""
    alike = _alike(paintings)
    if not alike:
        return None
    cells = alike[0].cells.copy()
    for each in alike[1:]:
        np.copyto(cells, each.cells, where=each.cells != NOTHING)
    return Painting(alike[-1].shape, alike[-1].cell_px, cells)


def _alike(paintings: Iterable[Painting]) -> list[Painting]:
    """Those with the field and the cells of the last one; others cannot be laid over it."""
    known = list(paintings)
    return [each for each in known if (each.shape, each.cell_px) == (known[-1].shape, known[-1].cell_px)]


def _rows_and_columns(shape: tuple[int, int], cell_px: int) -> tuple[int, int]:
    return math.ceil(shape[0] / cell_px), math.ceil(shape[1] / cell_px)
