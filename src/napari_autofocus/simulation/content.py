"""What stands in front of the objective at one stage position: the hand-over between the specimen and the optics.

A :class:`FieldContent` is what light meets, sampled on camera pixels but not yet blurred by anything. ``specimen.py``
makes it, ``imaging.py`` turns it into an image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Contrast = Literal["absorption", "phase", "fluorescence"]
FloatImage = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class ContentSheet:
    """One thin sheet of the specimen, at a height that may vary over the field.

    Parameters
    ----------
    height_um : np.ndarray, shape (Y, X), float32, or float
        Height of the sheet towards the objective, µm. Where it is h, best focus lies at an axial position of −h: a
        sheet that stands nearer to the objective is in focus with the stage farther away.
    absorbance : np.ndarray, shape (Y, X, 3), float32, or None
        Natural-log absorbance in red, green and blue light; transmission is exp(−absorbance).
    optical_path_um : np.ndarray, shape (Y, X), float32, or None
        Optical path difference against the surroundings, µm (phase = 2π·path/λ).
    emission : np.ndarray, shape (Y, X, 3), float32, or None
        Fluorescence as recorded in red, green and blue, relative to a bright nucleus = 1.
    content : np.ndarray, shape (Y, X), bool
        Where the sheet carries stain, signal or phase structure: the truth for content importance.
    """

    height_um: FloatImage | float
    content: npt.NDArray[np.bool_]
    absorbance: FloatImage | None = None
    optical_path_um: FloatImage | None = None
    emission: FloatImage | None = None


@dataclass(frozen=True, eq=False)
class FieldContent:
    """Everything in one field, with a margin around it so that blur from outside reaches in.

    Parameters
    ----------
    sheets : tuple of ContentSheet
        One for most slides; two or more where the specimen is thick or folded. All of one shape, margin included.
    contrast : {'absorption', 'phase', 'fluorescence'}
        How the specimen shows itself.
    pixel_size_um : float
        Sampling, µm.
    margin_px : int
        Pixels on each side that belong to the neighbourhood, not to the field.
    """

    sheets: tuple[ContentSheet, ...]
    contrast: Contrast
    pixel_size_um: float
    margin_px: int

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the field without its margin, px."""
        height, width = self.sheets[0].content.shape
        return height - 2 * self.margin_px, width - 2 * self.margin_px

    def inner(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The part of a (Y, X, …) array that belongs to the field."""
        m = self.margin_px
        return array[m : array.shape[0] - m, m : array.shape[1] - m]
