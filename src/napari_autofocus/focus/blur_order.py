"""Which of two frames of one field is the blurrier: the one that the other becomes when it is blurred.

A sharpness measure compares numbers; far from focus these are mostly noise, and on a transparent specimen they mean
nothing, since its contrast is least in focus. Here the pictures themselves are compared: light is only spread by
defocus, so that a frame farther from focus is a blurred copy of a nearer one. Where neither is a copy of the other (a
transparent specimen, another field), nothing is claimed. The method and its numbers are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from napari_autofocus.focus.grey import to_grey

FloatImage = npt.NDArray[np.float32]
BoolImage = npt.NDArray[np.bool_]

REDUCTION = 8
"""Frames are compared at an eighth of their resolution: noise is averaged out, and half a depth of field of blur still
shows."""
SIGMAS_PX = (0.4, 0.63, 1.0, 1.6, 2.5, 4.0, 6.3)
"""Blurs that are tried, in reduced pixels."""
LEAST_CORRELATION = 0.95
"""Correlation below which neither frame is taken for a copy of the other."""
LEAST_ADVANTAGE = 2.0
"""How many times more the worse explanation must leave unexplained."""
GAIN = (0.6, 1.6)
"""A copy has the contrast of its original, within this factor."""
COLOUR_REDUCTION = 16
"""Colours are compared at a sixteenth of the resolution, where noise and coloured fringes have averaged out …"""
VIGNETTE_PX = 6.0
"""… after division by a blur of so many reduced pixels: vignetting is no structure."""
LEAST_CHROMA = 0.12
"""Deviation of colour over deviation of brightness in stained specimens: simulated ones have 0.16 to 0.6, transparent
ones, once out of focus by several µm, 0.06 to 0.08 (0.2 to 0.3 near focus, where their contrast vanishes)."""
BRIGHT_ON_DARK = 2.0
"""Brightest percentile over median of a grey frame that shows signal on a dark ground."""


@dataclass(frozen=True)
class BlurOrder:
    """How well each of two frames explains the other.

    Parameters
    ----------
    forward : float
        Correlation of the second frame with the first one blurred, at the blur that fits best.
    backward : float
        The same with the two exchanged.
    """

    forward: float
    backward: float

    @property
    def is_blurrier(self) -> bool:
        """Whether the second frame is a blurred copy of the first, and not the reverse."""
        return _explains_better(self.forward, self.backward)

    @property
    def is_sharper(self) -> bool:
        """Whether the first frame is a blurred copy of the second, and not the reverse."""
        return _explains_better(self.backward, self.forward)


def blur_order(first: npt.NDArray[Any], second: npt.NDArray[Any], where: BoolImage | None = None) -> BlurOrder:
    """Compare two frames of one field.

    Parameters
    ----------
    first, second : np.ndarray, shape (Y, X) or (Y, X, 3)
        Taken at two heights, otherwise alike.
    where : np.ndarray, shape (Y, X), bool, optional
        The part of the field that counts.
    """
    small = [_reduced(image) for image in (first, second)]
    height, width = small[0].shape
    inside = np.ones((height, width), bool) if where is None else _reduced_mask(where, (height, width))
    if not inside.any():
        return BlurOrder(0.0, 0.0)
    return BlurOrder(_explained(small[0], small[1], inside), _explained(small[1], small[0], inside))


def sharpness_means_focus(frame: npt.NDArray[Any], where: BoolImage | None = None) -> bool:
    """Whether the specimen absorbs or emits light, so that it is sharpest in focus.

    A stained specimen is told by its colours, signal on a dark ground by its brightness. Transparent specimens, and
    grey frames of brightfield, of which nobody can tell, are said not to.

    Parameters
    ----------
    frame : np.ndarray, shape (Y, X) or (Y, X, 3)
        Out of focus rather than in focus: there a transparent specimen shows its contrast.
    where : np.ndarray, shape (Y, X), bool, optional
        The part of the field that counts.
    """
    height, width = (max(side // COLOUR_REDUCTION, 1) for side in frame.shape[:2])
    small = _area(_halved(frame), (height, width))
    inside = np.ones((height, width), bool) if where is None else _reduced_mask(where, (height, width))
    if not inside.any():
        return False
    if frame.ndim == 2:
        return bool(np.percentile(small, 99) >= BRIGHT_ON_DARK * max(float(np.median(small)), 1e-6))
    ground = cv2.GaussianBlur(small, (0, 0), VIGNETTE_PX)
    pixels = (small / np.maximum(ground, 1e-6))[inside]
    balanced = pixels / np.maximum(pixels.mean(axis=0), 1e-6)
    brightness = balanced.mean(axis=1)
    chroma = float((balanced - brightness[:, None]).std())
    return chroma >= LEAST_CHROMA * max(float(brightness.std()), 1e-6)


def _explains_better(explained: float, reverse: float) -> bool:
    return explained >= LEAST_CORRELATION and 1 - reverse >= LEAST_ADVANTAGE * (1 - explained)


def _explained(original: FloatImage, copy: FloatImage, inside: BoolImage) -> float:
    """Best correlation of a frame with blurred versions of another one; 0 where their contrasts do not agree."""
    target = copy[inside]
    return max(_agreement(_blurred(original, sigma)[inside], target) for sigma in SIGMAS_PX)


def _agreement(predicted: FloatImage, target: FloatImage) -> float:
    spread = float(predicted.std()), float(target.std())
    if min(spread) == 0 or not GAIN[0] <= spread[1] / spread[0] <= GAIN[1]:
        return 0.0
    return float(np.corrcoef(predicted, target)[0, 1])


def _reduced(image: npt.NDArray[Any]) -> FloatImage:
    grey = to_grey(_halved(image))
    small = _area(grey, (max(image.shape[0] // REDUCTION, 1), max(image.shape[1] // REDUCTION, 1)))
    return np.asarray(small - small.mean(), np.float32)


def _halved(image: npt.NDArray[Any]) -> FloatImage:
    """At half the resolution, in the image's own type as long as the pixels are many: a tenth of the time."""
    native = image if image.dtype in (np.uint8, np.uint16, np.float32) else image.astype(np.float32)
    return _area(native, (max(image.shape[0] // 2, 1), max(image.shape[1] // 2, 1))).astype(np.float32)


def _area(image: npt.NDArray[Any], shape: tuple[int, int]) -> npt.NDArray[Any]:
    return np.asarray(cv2.resize(image, shape[::-1], interpolation=cv2.INTER_AREA))


def _reduced_mask(where: BoolImage, shape: tuple[int, int]) -> BoolImage:
    small = cv2.resize(where.astype(np.uint8), shape[::-1], interpolation=cv2.INTER_NEAREST)
    return np.asarray(small, bool)


def _blurred(image: FloatImage, sigma_px: float) -> FloatImage:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma_px), np.float32)
