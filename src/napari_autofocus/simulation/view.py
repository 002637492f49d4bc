"""The camera's pixels laid on the slide: where each row and column of a field lies, µm.

x grows with the column, y with the row. Nothing here knows what is on the slide.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class View:
    """A rectangle of the slide sampled on square pixels.

    Parameters
    ----------
    x_um, y_um : float
        Centre of the rectangle in slide coordinates, µm.
    shape : tuple of int
        Rows and columns, margin included.
    pixel_size_um : float
        Size of a pixel in the sample, µm.

    Raises
    ------
    InputError
        If the position is not finite, or a size is not positive.
    """

    x_um: float
    y_um: float
    shape: tuple[int, int]
    pixel_size_um: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.x_um) and math.isfinite(self.y_um)):
            raise InputError(f"A field needs a finite position; found x = {self.x_um}, y = {self.y_um} µm.")
        if len(self.shape) != 2 or min(self.shape) < 1:
            raise InputError(f"A field needs at least one row and one column; found shape {self.shape}.")
        if not (math.isfinite(self.pixel_size_um) and self.pixel_size_um > 0):
            raise InputError(f"The pixel size must be a positive number of µm; found {self.pixel_size_um}.")

    @property
    def columns_um(self) -> FloatArray:
        """Slide x of the centre of each column, µm."""
        return self._positions(self.x_um, self.shape[1])

    @property
    def rows_um(self) -> FloatArray:
        """Slide y of the centre of each row, µm."""
        return self._positions(self.y_um, self.shape[0])

    def blank(self, value: float = 0.0, channels: int | None = None) -> npt.NDArray[np.float32]:
        """An array of the view's shape, (Y, X) or (Y, X, channels), filled with ``value``."""
        return np.full(self.shape if channels is None else (*self.shape, channels), value, np.float32)

    def _positions(self, centre_um: float, count: int) -> FloatArray:
        steps = np.arange(count, dtype=np.float64) - (count - 1) / 2
        return np.asarray(centre_um + steps * self.pixel_size_um, np.float64)
