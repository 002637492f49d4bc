"""How bright grey camera frames are shown: as they come at first, and wider when what comes later is brighter."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Image

_THINNED = 8
"""Every so many pixels along each side are looked at."""
_HEADROOM = 1.05


class GreyLimits:
    """Contrast limits of the camera's layer, which a user may change: from then on they are the user's.

    Out of focus a fluorescent field is dim, and in focus several times as bright: with the limits of its first frame it
    would be shown as white blots.
    """

    def __init__(self) -> None:
        self._ours: tuple[float, float] | None = None

    def begin(self, layer: Image) -> None:
        """A new layer: the limits that napari gave it, from its first frame, are ours."""
        self._ours = None if layer.rgb else _limits(layer)

    def follow(self, layer: Image, image: npt.NDArray[Any]) -> None:
        """Widen the limits where a frame is brighter than what is shown as white."""
        if self._ours is None or _limits(layer) != self._ours:
            return
        low, high = self._ours
        thinned = image[::_THINNED, ::_THINNED]
        darkest, brightest = float(thinned.min()), float(thinned.max())
        if brightest <= high and darkest >= low:
            return
        most = float(np.iinfo(image.dtype).max) if image.dtype.kind in "ui" else brightest
        layer.contrast_limits = (min(low, darkest), min(max(high, _HEADROOM * brightest), most))
        self._ours = _limits(layer)


def _limits(layer: Image) -> tuple[float, float]:
    low, high = layer.contrast_limits
    return float(low), float(high)
