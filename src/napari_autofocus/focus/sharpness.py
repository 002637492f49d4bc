"""How sharp is an image, or each of its patches? One call for every focus measure of the literature.

What a focus curve makes of these values lives in :mod:`napari_autofocus.focus.zstack`; the formulas, by family, in
:mod:`napari_autofocus.focus.measures`.
"""

from __future__ import annotations

from typing import Any, overload

import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError
from napari_autofocus.focus.grey import Colour, light_path, to_grey
from napari_autofocus.focus.measures.base import BoolImage, FloatArray, Measure, Region
from napari_autofocus.focus.measures.gradient import GRADIENT_MEASURES
from napari_autofocus.focus.measures.spectral import SPECTRAL_MEASURES
from napari_autofocus.focus.measures.statistics import STATISTICS_MEASURES
from napari_autofocus.focus.noise_free import SplitBrenner, split_brenner
from napari_autofocus.focus.patches import PatchGrid

__all__ = ["MEASURES", "Colour", "Measure", "Roi", "SplitBrenner", "sharpness", "split_brenner"]

Roi = tuple[int, int, int, int]
_Image = npt.NDArray[Any]

MEASURES: dict[str, Measure] = {
    measure.name: measure for measure in (*GRADIENT_MEASURES, *STATISTICS_MEASURES, *SPECTRAL_MEASURES)
}


@overload
def sharpness(
    image: _Image,
    measure: str = ...,
    *,
    roi: Roi | None = ...,
    mask: BoolImage | None = ...,
    grid: None = ...,
    colour: Colour = ...,
    saturation: float | None = ...,
) -> float: ...


@overload
def sharpness(
    image: _Image,
    measure: str = ...,
    *,
    roi: None = ...,
    mask: BoolImage | None = ...,
    grid: PatchGrid,
    colour: Colour = ...,
    saturation: float | None = ...,
) -> FloatArray: ...


def sharpness(
    image: _Image,
    measure: str = "brenner",
    *,
    roi: Roi | None = None,
    mask: BoolImage | None = None,
    grid: PatchGrid | None = None,
    colour: Colour = "luminance",
    saturation: float | None = None,
) -> float | FloatArray:
    """Measure the sharpness of an image, of a part of it, or of every patch of a grid in one pass.

    Sums of the literature are returned as means: over the terms of the sum that lie wholly inside the region and use
    no pixel that is left out. So the value does not depend on the size of the region, and leaving saturated pixels out
    does not lower it. Values of different measures cannot be compared.

    Parameters
    ----------
    image : np.ndarray, shape (Y, X) or (Y, X, 3)
        u8, u16 or float, counts; colour as RGB.
    measure : str
        A key of :data:`MEASURES`, which also tells unit, polarity and source.
    roi : tuple of int, optional
        (y, x, height, width) of the rectangle to measure, px.
    mask : np.ndarray, shape (Y, X), bool, optional
        True at the pixels to measure; may be combined with ``roi`` or ``grid``.
    grid : PatchGrid, optional
        Measure each of its patches as if it were an image of its own.
    colour : {'luminance', 'red', 'green', 'blue'}
        What to measure of a colour image.
    saturation : float, optional
        Counts at and above which a pixel is saturated and left out (in colour: if any channel in use is). A difference
        counts only if all its pixels do. Spectra need every pixel: there the mean of the others is put in its place.

    Returns
    -------
    float, or np.ndarray, shape (rows, columns), float64
        One value, or one for each patch (NaN for a patch in which no term was left).

    Raises
    ------
    InputError
        If the image cannot be measured (shape, type, NaN), the measure is unknown, ``roi``, ``mask`` or ``grid`` does
        not fit, or nothing is left to measure.
    """
    if roi is not None and grid is not None:
        raise InputError("A region of interest and a grid were both given; give one of them.")
    chosen = _find(measure)
    grey = to_grey(image, colour)
    valid = _valid(image, grey.shape, mask, colour, saturation)
    if grid is not None:
        grid.check(grey)
        return chosen.function(Region(grey, valid, grid))
    area = _area(grey.shape, roi, mask)
    usable = None if valid is None or valid[area].all() else valid[area]
    value = float(chosen.function(Region(grey[area], usable)))
    if np.isnan(value):
        raise InputError("No pixel is left to measure: the mask or the saturation limit leaves all of them out.")
    return value


def _find(name: str) -> Measure:
    if name not in MEASURES:
        raise InputError(f"Unknown focus measure {name!r}; use one of {', '.join(MEASURES)}.")
    return MEASURES[name]


def _valid(
    image: _Image, shape: tuple[int, ...], mask: BoolImage | None, colour: Colour, saturation: float | None
) -> BoolImage | None:
    """Which pixels count, shape (Y, X); None where all do."""
    if mask is not None:
        mask = np.asarray(mask)
        if mask.shape != shape or mask.dtype != np.bool_:
            raise InputError(f"The mask must be boolean, of shape {shape}; found {mask.dtype}, {mask.shape}.")
    if saturation is None:
        return mask
    unsaturated = np.asarray(light_path(image, colour) < saturation)
    return unsaturated if mask is None else unsaturated & mask


def _area(shape: tuple[int, ...], roi: Roi | None, mask: BoolImage | None) -> tuple[slice, slice]:
    """The rectangle to measure: the region of interest, or what the mask spans, or everything."""
    if roi is not None:
        y, x, height, width = roi
        if min(y, x) < 0 or min(height, width) < 1 or y + height > shape[0] or x + width > shape[1]:
            raise InputError(
                f"The region of interest {roi} does not lie inside an image of {shape[0]} x {shape[1]} px."
            )
        return slice(y, y + height), slice(x, x + width)
    if mask is None:
        return slice(None), slice(None)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        raise InputError("The mask is empty; mark the pixels to measure.")
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
