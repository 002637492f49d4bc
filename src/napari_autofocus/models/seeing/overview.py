"""A frame made small, as stage one sees it: the same in training and in use."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from napari_autofocus.focus.patches import PatchGrid


def overview_of(frame: npt.NDArray[Any], grid: PatchGrid, reduction: int) -> npt.NDArray[Any]:
    """All that a grid covers, averaged over squares of ``reduction`` px.

    Halved as often as that goes, which OpenCV does four times as fast as one large step; whole numbers are rounded at
    each, so that a value may be off by one grey level.

    Parameters
    ----------
    frame : np.ndarray, shape (Y, X) or (Y, X, C)
        The field.
    grid : PatchGrid
        Where its patches lie.
    reduction : int
        Must divide what the grid covers.

    Returns
    -------
    np.ndarray, shape (y, x) or (y, x, C), of the frame's type
    """
    (y, x), (rows, columns) = grid.origin, grid.shape
    height, width = (rows - 1) * grid.step + grid.size, (columns - 1) * grid.step + grid.size
    reduced = frame[y : y + height, x : x + width]
    while reduction > 1:
        factor = 2 if reduction % 2 == 0 else reduction
        height, width, reduction = height // factor, width // factor, reduction // factor
        reduced = cv2.resize(reduced, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(reduced)
