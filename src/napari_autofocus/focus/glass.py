"""Whether one image shows anything at all, or only glass, light and the camera's noise.

Fewer frames than a focus curve needs are asked, so this says less than ``routines/acquire_content.py``: dust counts as
something to see. The threshold is ours.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from napari_autofocus.focus.grey import to_grey

LEAST_LIKENESS = 0.3
"""Neighbouring differences of white noise share 0.02 or so of their size in a window, those of structure 0.9."""
_REDUCTION = 4  # noise that demosaicing or compression shares between neighbours is gone after this
_WINDOW = 33  # of the reduced image: 132 px


def shows_detail(image: npt.NDArray[Any]) -> bool:
    """Whether any part of an image has structure that is more than noise and a slow change of light.

    Parameters
    ----------
    image : np.ndarray, shape (Y, X) or (Y, X, 3)
        Any counts; neither their scale nor the camera's noise need be known.

    Raises
    ------
    InputError
        If it is no image.
    """
    grey = np.asarray(to_grey(np.asarray(image, np.float32)), np.float32)
    reduction = max(1, min(_REDUCTION, min(grey.shape) // _REDUCTION))
    small = cv2.resize(grey, None, fx=1 / reduction, fy=1 / reduction, interpolation=cv2.INTER_AREA)
    if min(small.shape) < _REDUCTION:
        return bool(np.ptp(grey) > 0)
    return _likeness(small - cv2.blur(small, (_WINDOW, _WINDOW), borderType=cv2.BORDER_REFLECT_101)) >= LEAST_LIKENESS


def _likeness(detail: npt.NDArray[np.float32]) -> float:
    """Greatest share, over windows, of the squared differences that the differences beside them have too."""
    down = (detail[2:] - detail[:-2])[:, :-2]
    right = (detail[:, 2:] - detail[:, :-2])[:-2]
    energy = (down * down + right * right)[:-1, :-1]
    shared = (down[:, 1:] * down[:, :-1])[:-1] + (right[1:] * right[:-1])[:, :-1]
    window = tuple(min(_WINDOW, side) for side in reversed(energy.shape))
    energies = cv2.blur(energy, window, borderType=cv2.BORDER_REFLECT_101)
    floor = 1e-9 * float(np.abs(detail).max()) ** 2
    if energies.max() <= floor:
        return 0.0
    likeness = cv2.blur(shared, window, borderType=cv2.BORDER_REFLECT_101) / np.maximum(energies, floor or 1e-30)
    return float(likeness.max())
