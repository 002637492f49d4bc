"""One grey image out of whatever a camera or a file gives: the luminance of a colour image, or one of its channels.

Also checks that the image can be measured at all: its shape, its type, and that it holds no NaN.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import cv2
import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError

Colour = Literal["luminance", "red", "green", "blue"]
Image = npt.NDArray[Any]

_CHANNELS = {"red": 0, "green": 1, "blue": 2}
_TYPES = {np.dtype(kind) for kind in (np.uint8, np.uint16, np.float32, np.float64)}


def to_grey(image: Image, colour: Colour = "luminance") -> Image:
    """The grey image whose sharpness is measured, with its type kept.

    Parameters
    ----------
    image : np.ndarray, shape (Y, X), (Y, X, 1), (Y, X, 3) RGB or (Y, X, 4) RGBA
        u8, u16, float32 or float64, counts; other real numbers are converted to the next of these that holds them.
    colour : {'luminance', 'red', 'green', 'blue'}
        What to take from a colour image; a grey image is taken as it is. Luminance is 0.299 R + 0.587 G + 0.114 B
        (ITU-R BT.601, as ``cv2.cvtColor``), rounded to whole counts for integer images.

    Returns
    -------
    np.ndarray, shape (Y, X)
        A view where possible.

    Raises
    ------
    InputError
        If the image has another shape or type, is empty, or holds NaN or infinity.
    """
    planes = _measurable(np.asarray(image))
    if colour not in get_args(Colour):
        raise InputError(f"Unknown colour {colour!r}; use one of {', '.join(get_args(Colour))}.")
    if planes.ndim == 2:
        grey = planes
    elif colour == "luminance":
        grey = _luminance(planes)
    else:
        grey = planes[..., _CHANNELS[colour]]
    return _finite(grey)


def light_path(image: Image, colour: Colour) -> Image:
    """The largest count among the channels that ``colour`` uses, shape (Y, X): where it saturates, so does the grey."""
    planes = _measurable(np.asarray(image))
    if planes.ndim == 2:
        return planes
    if colour == "luminance":
        red, green, blue = cv2.split(planes)[:3]
        return np.asarray(cv2.max(cv2.max(red, green), blue))
    return planes[..., _CHANNELS[colour]]


def _measurable(image: Image) -> Image:
    """The image as (Y, X) or (Y, X, 3 or 4) of a type that OpenCV measures."""
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[..., 0]
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] not in (3, 4)) or image.size == 0:
        raise InputError(
            f"Cannot measure an array of shape {image.shape}; give one image of shape (Y, X) or, in colour, (Y, X, 3)."
        )
    if image.dtype in _TYPES:
        return image
    if image.dtype.kind not in "buif":
        raise InputError(f"Cannot measure an image of type {image.dtype}; convert it to uint8, uint16 or float32.")
    return image.astype(_wide_enough(image.dtype))


def _wide_enough(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The first type that OpenCV measures and that holds every value of another."""
    wider = (kind for kind in (np.uint8, np.uint16, np.float32) if np.can_cast(dtype, kind))
    return np.dtype(next(wider, np.float64))


def _luminance(planes: Image) -> Image:
    if planes.dtype == np.float64:  # cvtColor has no double precision
        return np.asarray(planes[..., :3] @ np.array([0.299, 0.587, 0.114]), np.float64)
    code = cv2.COLOR_RGB2GRAY if planes.shape[2] == 3 else cv2.COLOR_RGBA2GRAY
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(planes), code))


def _finite(grey: Image) -> Image:
    # A sum that is finite has no pixel that is not; it is read at the speed of memory.
    if grey.dtype.kind == "f" and not (np.isfinite(cv2.sumElems(grey)[0]) or np.isfinite(grey).all()):
        bad = int(np.count_nonzero(~np.isfinite(grey)))
        raise InputError(f"The image holds {bad} pixels that are NaN or infinite; mend them or leave the image out.")
    return grey
