"""Values of overlapping patches as a small image, one pixel for each cell that no patch's edge cuts through."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_autofocus.focus.estimate import PatchPrediction

Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class PatchCells:
    """The part of a frame that some patches cover, cut into square cells.

    Parameters
    ----------
    rows, columns : np.ndarray, shape (N,)
        The first cell of each patch.
    across : int
        Cells along the side of a patch.
    cell_px : int
        Side of a cell, px.
    corner_px : tuple of int
        Upper left pixel of the first cell.
    """

    rows: npt.NDArray[np.intp]
    columns: npt.NDArray[np.intp]
    across: int
    cell_px: int
    corner_px: tuple[int, int]

    @classmethod
    def of(cls, patches: Sequence[PatchPrediction]) -> PatchCells:
        """Cells for the patches of an estimate, of which there is at least one; all have one size."""
        y, x = np.array([(patch.y, patch.x) for patch in patches], np.intp).T
        top, left, size = int(y.min()), int(x.min()), patches[0].size
        cell = math.gcd(size, int(np.gcd.reduce(y - top)), int(np.gcd.reduce(x - left)))
        return cls((y - top) // cell, (x - left) // cell, size // cell, cell, (top, left))

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of cells."""
        return int(self.rows.max()) + self.across, int(self.columns.max()) + self.across

    @property
    def centre_px(self) -> tuple[float, float]:
        """Where the centre of the first cell lies in the frame, px; that of a frame's first pixel is 0."""
        return tuple(corner + (self.cell_px - 1) / 2 for corner in self.corner_px)  # type: ignore[return-value]

    def mean(self, values: Sequence[float | None]) -> Float32:
        """The mean over the patches that cover a cell, of those that have a value; NaN where none has.

        Parameters
        ----------
        values : sequence of float or None
            One value for each patch.
        """
        given = np.array([np.nan if value is None else value for value in values], np.float64)
        finite = np.isfinite(given)
        total, count = np.zeros(self.shape), np.zeros(self.shape)
        rows, columns = self.rows[finite], self.columns[finite]
        for down in range(self.across):
            for right in range(self.across):
                np.add.at(total, (rows + down, columns + right), given[finite])
                np.add.at(count, (rows + down, columns + right), 1)
        return np.divide(total, count, out=np.full(self.shape, np.nan), where=count > 0).astype(np.float32)
