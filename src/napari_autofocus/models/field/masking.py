"""Fields in which only a few patches of content are left: the rest of the frame becomes empty slide.

So is learned, and measured, what happens to an estimate when less and less of a field tells about focus. Ours; what
SparseFocus shows its networks is not known to us.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from napari_autofocus.focus.patches import PatchGrid

Float32 = npt.NDArray[np.float32]

FADE_PX = 48
"""Content fades out over this distance from the patches that are left: an edge would be content itself."""
_CLEAR = 98.0  # percentile of a stained field's brightness that passes for empty glass
_REDUCTION = 8
_TO_SIGMA = 1.0484  # standard deviation over the median absolute difference of two normal values


@dataclass(frozen=True, eq=False)
class EmptySlide:
    """What a frame shows where the slide is empty.

    Parameters
    ----------
    level, noise : np.ndarray, shape (C,)
        Mean and standard deviation of each channel, in [0, 1].
    """

    level: Float32
    noise: Float32

    @classmethod
    def of(cls, frame: Float32, quietest: tuple[slice, slice]) -> EmptySlide:
        """Read off a frame (Y, X, C) in [0, 1]: its brightest parts in colour, otherwise its quietest patch."""
        quiet = frame[quietest]
        if frame.shape[-1] == 3:
            height, width = (side // _REDUCTION for side in frame.shape[:2])
            reduced = cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)
            level = np.percentile(reduced, _CLEAR, axis=(0, 1))
        else:
            level = np.median(quiet, axis=(0, 1))
        noise = _TO_SIGMA * np.median(np.abs(np.diff(quiet, axis=1)), axis=(0, 1))
        return cls(np.asarray(level, np.float32), np.asarray(noise, np.float32))


def left_of(grid: PatchGrid, kept: Sequence[int]) -> Float32:
    """How much of each pixel is left where only some patches are: 1 in these, fading to 0 around them, shape (Y, X)."""
    gone = np.ones(grid.field_shape, np.uint8)
    for index in kept:
        gone[grid.slices(index)] = 0
    if not len(kept):
        return np.zeros(grid.field_shape, np.float32)
    distance = np.minimum(cv2.distanceTransform(gone, cv2.DIST_L2, 3) / FADE_PX, 1)
    return np.asarray((1 + np.cos(np.pi * distance)) / 2, np.float32)


def keep_only(frame: Float32, left: Float32, empty: EmptySlide, rng: np.random.Generator) -> Float32:
    """A frame of which only a part is left.

    Parameters
    ----------
    frame : np.ndarray, shape (Y, X, C)
        In [0, 1].
    left : np.ndarray, shape (Y, X)
        How much of each pixel, as by :func:`left_of`.
    empty : EmptySlide
        What takes the place of the rest, as noisy as the frame.
    rng : np.random.Generator
        Of the noise.
    """
    share = left[..., None]
    noise = empty.noise * np.sqrt(1 - share**2) * rng.standard_normal(frame.shape, np.float32)
    return np.asarray(np.clip(frame * share + empty.level * (1 - share) + noise, 0, 1), np.float32)
