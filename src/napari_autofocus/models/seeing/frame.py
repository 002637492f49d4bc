"""A camera frame as a model sees it: checked once, then a small overview of all of it and a few patches in full.

The frame itself is never converted or copied: only what is read of it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError
from napari_autofocus.focus.patches import PatchGrid
from napari_autofocus.models.package.card import Colour
from napari_autofocus.models.seeing.overview import overview_of

Float32 = npt.NDArray[np.float32]

_FULL_SCALE = {np.dtype(np.uint8): 255.0, np.dtype(np.uint16): 65535.0}
_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
_HEADROOM = 1e-3  # resampled images overshoot 1 by rounding


@dataclass(frozen=True, eq=False)
class ModelFrame:
    """A frame that can be read by a model.

    Parameters
    ----------
    pixels : np.ndarray, shape (Y, X) or (Y, X, 3)
        As the camera gave them: u8, u16, float32 or float64.
    full_scale : float
        Grey value of full light.
    """

    pixels: npt.NDArray[Any]
    full_scale: float

    @property
    def colour(self) -> Colour:
        """``rgb`` or ``mono``."""
        return "rgb" if self.pixels.ndim == 3 else "mono"

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width, px."""
        height, width = self.pixels.shape[:2]
        return height, width

    @classmethod
    def of(cls, image: npt.ArrayLike, *, bit_depth: int | None = None) -> ModelFrame:
        """Check an image.

        Parameters
        ----------
        image : np.ndarray, shape (Y, X), (Y, X, 1), (Y, X, 3) or (Y, X, 4)
            Grey, RGB, or RGB with an alpha channel, which is left out; u8, u16, or float in [0, 1].
        bit_depth : int, optional
            Bits that a u16 camera uses (12, say); otherwise all 16.

        Raises
        ------
        InputError
            If it has another shape or type, is empty, holds NaN or infinity, or goes beyond full scale.
        """
        pixels = _as_native(_as_planes(np.asarray(image)))
        if pixels.dtype not in _FULL_SCALE and pixels.dtype not in _FLOATS:
            raise InputError(
                f"A model cannot read an image of type {pixels.dtype}; convert it to uint8, uint16 or float in [0, 1]."
            )
        full_scale = _full_scale(pixels, bit_depth)
        _check_values(pixels, full_scale)
        return cls(pixels, full_scale)

    def overview(self, grid: PatchGrid, reduction: int, channels: int) -> Float32:
        """All that a grid covers, averaged over squares of ``reduction`` px: shape (1, channels, y, x), in [0, 1]."""
        return self._as_input([overview_of(self.pixels, grid, reduction)], channels)

    def patches(self, grid: PatchGrid, indices: Sequence[int], channels: int) -> Float32:
        """Chosen patches in full: shape (N, channels, size, size), in [0, 1]."""
        return self._as_input([self.pixels[grid.slices(index)] for index in indices], channels)

    def _as_input(self, images: list[npt.NDArray[Any]], channels: int) -> Float32:
        """Images of one size as a network takes them: channels first, float32, full scale at 1."""
        height, width = images[0].shape[:2]
        batch = np.empty((len(images), channels, height, width), np.float32)
        share = np.float32(1 / self.full_scale)
        for target, image in zip(batch, images, strict=True):
            for plane, values in zip(target, _in_channels(image, channels), strict=True):
                np.copyto(plane, values, casting="same_kind")
            target *= share  # in one go, while the patch is in the cache
        return batch


def _in_channels(image: npt.NDArray[Any], channels: int) -> Sequence[npt.NDArray[Any]]:
    """The channels that a model takes: a grey image stands for all three, a colour image becomes its luminance."""
    has = 1 if image.ndim == 2 else image.shape[2]
    if has == channels:
        return [image] if image.ndim == 2 else cv2.split(image)
    if has == 1:
        return [image] * channels
    return [np.asarray(image, np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)]


def _as_planes(image: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The image as (Y, X) or (Y, X, 3)."""
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[..., 0]
    if image.ndim == 3 and image.shape[2] == 4:
        image = image[..., :3]
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3):
        raise InputError(
            f"A model cannot read an array of shape {image.shape}; give one image of shape (Y, X) or, in colour,"
            " (Y, X, 3)."
        )
    if image.size == 0:
        raise InputError(f"The image is empty (shape {image.shape}); give one that has pixels.")
    return image


def _as_native(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The same numbers in this machine's byte order; half precision widened."""
    if pixels.dtype == np.float16:
        return pixels.astype(np.float32)
    return pixels if pixels.dtype.isnative else pixels.astype(pixels.dtype.newbyteorder("="))


def _full_scale(pixels: npt.NDArray[Any], bit_depth: int | None) -> float:
    if bit_depth is None or pixels.dtype in _FLOATS:
        return _FULL_SCALE.get(pixels.dtype, 1.0)
    most = 8 * pixels.dtype.itemsize
    if not 1 <= bit_depth <= most:
        raise InputError(f"An image of type {pixels.dtype} has a bit depth of 1 to {most}; found {bit_depth}.")
    return float(2**bit_depth - 1)


def _check_values(pixels: npt.NDArray[Any], full_scale: float) -> None:
    if pixels.dtype in _FLOATS:
        low, high = float(pixels.min()), float(pixels.max())
        if not (np.isfinite(low) and np.isfinite(high)):
            bad = int(np.count_nonzero(~np.isfinite(pixels)))
            raise InputError(f"The image holds {bad} values that are NaN or infinite; mend them or take another frame.")
        if low < -_HEADROOM or high > 1 + _HEADROOM:
            raise InputError(
                f"An image of floats reaches from 0 to 1 (full light); found {low:.4g} to {high:.4g}; divide it by the"
                " camera's full scale, or give uint8 or uint16."
            )
    elif full_scale < _FULL_SCALE[pixels.dtype] and int(pixels.max()) > full_scale:
        raise InputError(
            f"The image reaches {int(pixels.max())}, more than a bit depth of {int(full_scale).bit_length()} allows;"
            " state the camera's bit depth."
        )
