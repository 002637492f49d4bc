"""Counting nuclei or cells, to see what refocusing is worth to whoever analyses the images afterwards.

A plain method that is the same for every image: stain (or light), threshold by Otsu, watershed on the distance to the
border, limits on size. It compares images of one field with each other; as a cell counter of its own it is modest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.color import rgb2hed
from skimage.feature import peak_local_max
from skimage.filters import gaussian, threshold_otsu
from skimage.morphology import h_maxima
from skimage.segmentation import watershed

from napari_autofocus.errors import InputError
from napari_autofocus.focus.grey import to_grey

Kind = Literal["auto", "nuclei", "fluorescence"]
Float32 = npt.NDArray[np.float32]

SMALLEST_UM, LARGEST_UM = 4.0, 25.0
"""Diameters of what is counted, µm: between a speck and a large cell, as smoothed."""
_SMOOTH_UM = 1.0
_DEEP_UM = 0.5
"""Two centres count as two where the distance to the border falls by this much between them, µm."""
_LEAST_CONTRAST = 0.03
"""Otsu always finds two classes; their light must differ by this share of full scale."""


@dataclass(frozen=True, eq=False)
class CellCount:
    """What was counted.

    Parameters
    ----------
    count : int
        Number of cells.
    labels : np.ndarray, shape (Y, X), int32
        Number of the cell at each pixel, from 1; 0 outside.
    """

    count: int
    labels: npt.NDArray[np.int32]


def count_cells(image: npt.NDArray[Any], *, pixel_size_um: float, kind: Kind = "auto") -> CellCount:
    """Count nuclei (dark, in bright field) or cells (bright, in fluorescence); the same image gives the same count.

    Parameters
    ----------
    image : np.ndarray, shape (Y, X) or (Y, X, 3)
        u8, u16, or float in [0, 1].
    pixel_size_um : float
        Size of a pixel in the sample, µm.
    kind : {'auto', 'nuclei', 'fluorescence'}
        What to count; by default as the image is dark on bright or bright on dark. Nuclei of colour images are found by
        haematoxylin after colour deconvolution (Ruifrok and Johnston 2001), of grey ones by darkness.

    Raises
    ------
    InputError
        If the image cannot be measured, or the pixel size is not positive.
    """
    if not (np.isfinite(pixel_size_um) and pixel_size_um > 0):
        raise InputError(f"The pixel size must be a positive number of µm; found {pixel_size_um}.")
    if kind not in get_args(Kind):
        raise InputError(f"Cells cannot be counted as {kind!r}; choose among {', '.join(get_args(Kind))}.")
    light = _as_light(image)
    signal = _signal(light, kind_of(light) if kind == "auto" else kind)
    smooth = gaussian(signal, _SMOOTH_UM / pixel_size_um, preserve_range=True)
    inside = _inside(smooth, to_grey(light))
    if inside is None:
        return CellCount(0, np.zeros(signal.shape, np.int32))
    smallest, largest = (np.pi / 4 * (diameter / pixel_size_um) ** 2 for diameter in (SMALLEST_UM, LARGEST_UM))
    return _kept(_divided(inside, smallest, pixel_size_um), smallest, largest)


def kind_of(image: npt.NDArray[Any]) -> Literal["nuclei", "fluorescence"]:
    """Whether an image is dark on bright or bright on dark, for counting."""
    grey = to_grey(image)
    return "fluorescence" if float(np.median(grey)) < 0.5 * float(np.percentile(grey, 99)) else "nuclei"


def _as_light(image: npt.NDArray[Any]) -> Float32:
    to_grey(image)  # refuses what is no image
    scale = float(np.iinfo(image.dtype).max) if image.dtype.kind in "ui" else 1.0
    return np.asarray(np.asarray(image, np.float32) / np.float32(scale), np.float32)


def _signal(light: Float32, kind: str) -> Float32:
    """An image in which what is counted is bright."""
    if kind == "fluorescence":
        return np.asarray(light.max(axis=2) if light.ndim == 3 else light, np.float32)
    if light.ndim == 2:
        return np.asarray(1 - light, np.float32)
    return np.asarray(rgb2hed(np.clip(light[..., :3], 0, 1))[..., 0], np.float32)


def _inside(smooth: npt.NDArray[Any], grey: npt.NDArray[Any]) -> npt.NDArray[np.bool_] | None:
    """Where cells are; None where there are none."""
    if not float(np.ptp(smooth)) > 0:
        return None
    inside = smooth > threshold_otsu(smooth)
    if abs(float(grey[inside].mean()) - float(grey[~inside].mean())) < _LEAST_CONTRAST:
        return None
    return np.asarray(ndimage.binary_fill_holes(inside), bool)


def _divided(inside: npt.NDArray[np.bool_], smallest: float, pixel_size_um: float) -> npt.NDArray[np.int32]:
    """Touching cells parted where they are narrow."""
    distance = np.asarray(ndimage.distance_transform_edt(inside), np.float32)
    centres = h_maxima(distance, max(_DEEP_UM / pixel_size_um, 0.5)).astype(bool) & inside
    apart = max(1, round(np.sqrt(smallest / np.pi)))
    at = peak_local_max(distance + centres, min_distance=apart, labels=centres.astype(np.int32), exclude_border=False)
    seeds = np.zeros(inside.shape, np.int32)
    seeds[tuple(at.T)] = np.arange(1, len(at) + 1)
    return np.asarray(watershed(-distance, seeds, mask=inside), np.int32)


def _kept(labels: npt.NDArray[np.int32], smallest: float, largest: float) -> CellCount:
    """Cells within the limits of size, numbered anew."""
    areas = np.bincount(labels.ravel())
    keep = (areas >= smallest) & (areas <= largest)
    keep[0] = False
    numbers = np.cumsum(keep) * keep
    return CellCount(int(keep.sum()), numbers.astype(np.int32)[labels])
