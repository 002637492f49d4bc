"""How far two shots of one field are shifted against each other, to a fraction of a pixel, and taking that out.

The shots may be out of focus by different amounts. Phase correlation alone fails there, since it counts frequencies
that hold only noise as much as the others; ours weighs them down, and the shift is that of what both shots show.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from scipy import fft

from napari_autofocus.errors import InputError
from napari_autofocus.focus.grey import to_grey

Float32 = npt.NDArray[np.float32]

_LARGEST_PX = 1024
"""Larger images are reduced before they are compared."""
_CUTOFF = 0.08
"""Frequency at which the weight of a frequency falls to 0.6, cycles a pixel."""
_FINE_PX, _COARSE_PX = 2.0, 10.0
"""Structures between these sizes are compared for the quality."""
_ROUNDING = 1e-5
"""Structures weaker than this share of the light are rounding errors."""
_SMALLEST_PX = 16
_MARGIN_PX = 4


@dataclass(frozen=True)
class Shift:
    """Where the second of two images lies against the first.

    Parameters
    ----------
    dy, dx : float
        What lies at (y, x) in the first image lies at (y + dy, x + dx) in the second, px.
    quality : float
        Correlation of the two once the shift is taken out, from -1 to 1; near 1 where both show the same, near 0 where
        they have nothing in common or show nothing.
    """

    dy: float
    dx: float
    quality: float

    @property
    def length_px(self) -> float:
        """Length of the shift, px."""
        return math.hypot(self.dy, self.dx)


def shift_between(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> Shift:
    """How far the second image is shifted against the first, whatever their focus.

    Parameters
    ----------
    first, second : np.ndarray, shape (Y, X) or (Y, X, C)
        Of one shape.

    Returns
    -------
    Shift
        To about a twentieth of a pixel where the quality is good.

    Raises
    ------
    InputError
        If the images differ in shape, or cannot be measured.
    """
    if first.shape != second.shape:
        raise InputError(f"Two shots of one field have one shape; found {first.shape} and {second.shape}.")
    if min(first.shape[:2]) < _SMALLEST_PX:
        return Shift(0.0, 0.0, 0.0)
    one, other, reduction = _reduced(first, second)
    dy, dx = _peak(one, other)
    whole = round(dy), round(dx)
    if whole != (0, 0):
        common = _overlap(one, other, *whole)
        if min(common[0].shape) >= _SMALLEST_PX:
            rest = _peak(*common)
            dy, dx = whole[0] + rest[0], whole[1] + rest[1]
    quality = _likeness(*_overlap(one, moved(other, round(dy) - dy, round(dx) - dx), round(dy), round(dx)))
    as_they_lie = _likeness(one, other)
    if as_they_lie > quality:  # blur that turns contrast over looks like a shift of some pixels, and is none
        return Shift(0.0, 0.0, as_they_lie)
    return Shift(dy * reduction, dx * reduction, quality)


def moved(image: npt.NDArray[Any], dy: float, dx: float) -> npt.NDArray[Any]:
    """The image with its content moved down and right by fractions of a pixel; what is missing is mirrored.

    Parameters
    ----------
    image : np.ndarray, shape (Y, X) or (Y, X, C)
        u8, u16, float32 or float64; the type stays.
    dy, dx : float
        Down and right, px.
    """
    height, width = image.shape[:2]
    return _in_type(moved_part(image, (slice(0, height), slice(0, width)), dy, dx), image.dtype)


def moved_part(image: npt.NDArray[Any], part: tuple[slice, slice], dy: float, dx: float) -> Float32:
    """A part of what :func:`moved` gives, float32 and not rounded, without moving the rest."""
    (top, bottom, _), (left, right, _) = (own.indices(size) for own, size in zip(part, image.shape[:2], strict=True))
    up, before = _first_read(top - dy, image.shape[0]), _first_read(left - dx, image.shape[1])
    down = min(image.shape[0], max(math.ceil(bottom - dy) + _MARGIN_PX, up + 1))
    after = min(image.shape[1], max(math.ceil(right - dx) + _MARGIN_PX, before + 1))
    read = np.ascontiguousarray(image[up:down, before:after], dtype=np.float32)
    way = np.array([[1, 0, left - dx - before], [0, 1, top - dy - up]], np.float64)
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    found = cv2.warpAffine(read, way, (right - left, bottom - top), flags=flags, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(found, np.float32).reshape(bottom - top, right - left, *image.shape[2:])


def _first_read(start: float, size: int) -> int:
    return min(max(math.floor(start) - _MARGIN_PX, 0), size - 1)


def _in_type(values: Float32, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    if dtype.kind not in "ui":
        return values.astype(dtype)
    limits = np.iinfo(dtype)
    return np.clip(np.rint(values), limits.min, limits.max).astype(dtype)


def _reduced(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> tuple[Float32, Float32, int]:
    """Both as grey float32 images of bounded size, and how many pixels one of theirs stands for."""
    reduction = math.ceil(max(first.shape[:2]) / _LARGEST_PX)
    size = [side // reduction for side in first.shape[:2]]
    greys = []
    for image in (first, second):
        grey = to_grey(image)[: size[0] * reduction, : size[1] * reduction]
        small = cv2.resize(grey, (size[1], size[0]), interpolation=cv2.INTER_AREA) if reduction > 1 else grey
        greys.append(np.asarray(small, np.float32))
    return greys[0], greys[1], reduction


def _overlap(first: Float32, second: Float32, dy: int, dx: int) -> tuple[Float32, Float32]:
    """What both images show, if the second is shifted by whole pixels."""
    height, width = first.shape
    own = slice(max(-dy, 0), height - max(dy, 0)), slice(max(-dx, 0), width - max(dx, 0))
    theirs = slice(max(dy, 0), height - max(-dy, 0)), slice(max(dx, 0), width - max(-dx, 0))
    return first[own], second[theirs]


def _peak(first: Float32, second: Float32) -> tuple[float, float]:
    """Where the weighted phase correlation of two images is largest, px."""
    shape = first.shape
    window = np.outer(np.hanning(shape[0] + 2)[1:-1], np.hanning(shape[1] + 2)[1:-1]).astype(np.float32)
    one, other = (fft.rfft2((image - image.mean()) * window) for image in (first, second))
    cross = other * np.conj(one)
    size = np.abs(cross)
    if not size.max() > 0:
        return 0.0, 0.0
    frequency = np.hypot(fft.fftfreq(shape[0])[:, None], fft.rfftfreq(shape[1])[None])
    weight = np.exp(-0.5 * (frequency / _CUTOFF) ** 2)
    surface = fft.irfft2(cross / np.sqrt(size + 1e-6 * size.max()) * weight, s=shape)
    row, column = (int(at) for at in np.unravel_index(int(surface.argmax()), shape))
    down = _between(surface[[row - 1, row, (row + 1) % shape[0]], column])
    right = _between(surface[row, [column - 1, column, (column + 1) % shape[1]]])
    return _signed(row, shape[0]) + down, _signed(column, shape[1]) + right


def _signed(index: int, size: int) -> int:
    return index if index <= size // 2 else index - size


def _between(three: npt.NDArray[Any]) -> float:
    """Top of the parabola through three values whose middle one is the largest, in steps."""
    before, at, after = (float(value) for value in three)
    bend = before - 2 * at + after
    return 0.5 * (before - after) / bend if bend < 0 else 0.0


def _likeness(first: Float32, second: Float32) -> float:
    """Correlation of the structures of a few pixels that two images show."""
    one, other = (
        cv2.GaussianBlur(each, (0, 0), _FINE_PX) - cv2.GaussianBlur(each, (0, 0), _COARSE_PX)
        for each in (first, second)
    )
    size = float(np.linalg.norm(one)) * float(np.linalg.norm(other))
    rounding = (_ROUNDING * float(np.abs(first).max())) ** 2 * first.size
    return float(np.vdot(one, other)) / size if size > rounding else 0.0
