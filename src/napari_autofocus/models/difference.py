"""Two shots to their difference image, as Rai Dastidar (CVPR workshop 2019) makes it.

Both shots pass a 3 x 3 median filter, the first is taken from the second, and the difference is filtered once more.
Coarse colour drops out, edges stay, and the direction stands in their sign. Each channel's mean and standard deviation
are taken off inside the network.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError

Float32 = npt.NDArray[np.float32]

_MEDIAN_PX = 3


def difference_image(first: npt.NDArray[Any], second: npt.NDArray[Any], full_scale: float) -> Float32:
    """The filtered difference of two shots.

    Parameters
    ----------
    first, second : np.ndarray, shape (Y, X) or (Y, X, C)
        u8, u16 or float32, of one shape and type.
    full_scale : float
        Grey value of full light.

    Returns
    -------
    np.ndarray, of the same shape, float32
        Second minus first, in [-1, 1].

    Raises
    ------
    InputError
        If the shots differ in shape.
    """
    if first.shape != second.shape:
        raise InputError(f"Two shots of one field have one shape; found {first.shape} and {second.shape}.")
    filtered = [_median(shot).astype(np.float32) for shot in (first, second)]
    difference = (filtered[1] - filtered[0]) * np.float32(1 / full_scale)
    return np.asarray(_median(difference), np.float32)


def _median(image: npt.NDArray[Any]) -> npt.NDArray[Any]:
    plain = image if image.dtype in (np.uint8, np.uint16, np.float32) else image.astype(np.float32)
    return np.asarray(cv2.medianBlur(np.ascontiguousarray(plain), _MEDIAN_PX)).reshape(image.shape)
