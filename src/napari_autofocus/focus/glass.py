"""Whether one image shows anything at all, or only glass, light, dust on the camera and noise.

Fewer frames than a focus curve needs are asked, so this says less than ``routines/acquiring/content.py``. Shadows of
dust that lies far from focus are wide and have no fine structure; what is a few depths of field out of focus still has.
The numbers are ours.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from napari_autofocus.focus.grey import to_grey

LEAST_LIKENESS = 0.2
"""Neighbouring differences of white noise share 0.04 or so of their size in a window, structure 0.4 to 0.99."""
_REDUCTION = 2  # noise that demosaicing or compression shares between neighbours is less alike after this
_FINE_PX = 3.0  # of the reduced image: wider structure does not count
_WINDOW = 65  # of the reduced image: 130 px
_SMALLEST_PX = 24


def shows_detail(image: npt.NDArray[Any]) -> bool:
    """Whether any part of an image has fine structure that is more than noise.

    Parameters
    ----------
    image : np.ndarray, shape (Y, X) or (Y, X, 3)
        Any counts; neither their scale nor the camera's noise need be known.

    Raises
    ------
    InputError
        If it is no image.
    """
    return likeness(image) >= LEAST_LIKENESS


def likeness(image: npt.NDArray[Any]) -> float:
    """Greatest share, over windows of an image, of what neighbouring differences have in common; 0 without any."""
    grey = np.asarray(to_grey(np.asarray(image, np.float32)), np.float32)
    if min(grey.shape) < _SMALLEST_PX:
        return float(np.ptp(grey) > 0)
    small = cv2.resize(grey, None, fx=1 / _REDUCTION, fy=1 / _REDUCTION, interpolation=cv2.INTER_AREA)
    margin = int(_FINE_PX)
    fine = (small - cv2.GaussianBlur(small, (0, 0), _FINE_PX))[margin:-margin, margin:-margin]
    return _shared(fine)


def _shared(fine: npt.NDArray[np.float32]) -> float:
    down = (fine[2:] - fine[:-2])[:, :-2]
    right = (fine[:, 2:] - fine[:, :-2])[:-2]
    energy = (down * down + right * right)[:-1, :-1]
    shared = (down[:, 1:] * down[:, :-1])[:-1] + (right[1:] * right[:-1])[:, :-1]
    window = min(_WINDOW, energy.shape[1]), min(_WINDOW, energy.shape[0])
    energies = cv2.blur(energy, window, borderType=cv2.BORDER_REFLECT_101)
    most = float(energies.max())
    if most <= 0:
        return 0.0
    alike = cv2.blur(shared, window, borderType=cv2.BORDER_REFLECT_101)
    return float((alike / np.maximum(energies, 1e-6 * most)).max())
