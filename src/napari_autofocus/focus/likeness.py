"""How like an image is to the true one: PSNR, structural similarity, and a map of where they differ."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from skimage.metrics import structural_similarity

from napari_autofocus.errors import InputError

Float32 = npt.NDArray[np.float32]

_WINDOW_PX = 7


def psnr_db(image: npt.NDArray[Any], truth: npt.NDArray[Any]) -> float:
    """Peak signal-to-noise ratio, dB; infinite where both are equal.

    Parameters
    ----------
    image, truth : np.ndarray, shape (Y, X) or (Y, X, C)
        Of one shape and type: u8, u16, or float in [0, 1]. The peak is the type's full scale.

    Raises
    ------
    InputError
        If they differ in shape or type.
    """
    _check(image, truth)
    square = float(np.mean(np.square(error_map(image, truth), dtype=np.float64)))
    return float(-10 * np.log10(square)) if square > 0 else float("inf")


def ssim(image: npt.NDArray[Any], truth: npt.NDArray[Any]) -> float:
    """Structural similarity (Wang et al. 2004), 1 for equal images; colours count alike.

    Parameters
    ----------
    image, truth : np.ndarray, shape (Y, X) or (Y, X, C)
        As for :func:`psnr_db`, of 7 px a side at least.

    Raises
    ------
    InputError
        If they differ in shape or type, or are too small.
    """
    _check(image, truth)
    if min(image.shape[:2]) < _WINDOW_PX:
        raise InputError(
            f"Structural similarity is told by windows of {_WINDOW_PX} px; an image of {image.shape[0]} x"
            f" {image.shape[1]} px is smaller."
        )
    axis = 2 if image.ndim == 3 else None
    scale = _full_scale(image.dtype)
    return float(structural_similarity(image, truth, data_range=scale, channel_axis=axis, win_size=_WINDOW_PX))


def error_map(image: npt.NDArray[Any], truth: npt.NDArray[Any]) -> Float32:
    """Image minus truth, as shares of full scale, of their shape.

    Raises
    ------
    InputError
        If they differ in shape or type.
    """
    _check(image, truth)
    scale = np.float32(1 / _full_scale(image.dtype))
    return np.asarray((np.asarray(image, np.float32) - np.asarray(truth, np.float32)) * scale, np.float32)


def _check(image: npt.NDArray[Any], truth: npt.NDArray[Any]) -> None:
    if image.shape != truth.shape or image.dtype != truth.dtype:
        raise InputError(
            f"An image is compared with a true one of the same size and type; found {image.shape} {image.dtype} and"
            f" {truth.shape} {truth.dtype}: crop or convert one of them."
        )


def _full_scale(dtype: np.dtype[Any]) -> float:
    return float(np.iinfo(dtype).max) if dtype.kind in "ui" else 1.0
