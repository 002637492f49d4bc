"""Two shots of one field as a virtual refocuser takes them: checked, read piece by piece as light, and written back."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError
from napari_autofocus.focus.registration import Shift, moved_part
from napari_autofocus.models.seeing.frame import ModelFrame

Float32 = npt.NDArray[np.float32]
Shots = tuple[ModelFrame, ModelFrame]

UNMOVED = Shift(0.0, 0.0, 1.0)
_BAND_PX = 512


def shots_of(first: npt.NDArray[Any], second: npt.NDArray[Any], bit_depth: int | None) -> Shots:
    """Both shots, checked one by one and against each other."""
    frames = []
    for which, shot in (("first", first), ("second", second)):
        try:
            frames.append(ModelFrame.of(shot, bit_depth=bit_depth))
        except InputError as error:
            raise InputError(f"The {which} shot cannot be used. {error}") from error
    one, other = (frame.pixels for frame in frames)
    if one.shape != other.shape:
        raise InputError(
            f"Two shots of one field have one size and the same colours; found {one.shape} and {other.shape}: crop"
            " them alike, or choose two shots of one camera."
        )
    if one.dtype != other.dtype:
        raise InputError(
            f"Two shots of one field are of one type; found {one.dtype} and {other.dtype}: choose two shots of one"
            " camera, or convert one of them."
        )
    return frames[0], frames[1]


def light_of(frame: ModelFrame, part: tuple[slice, slice], shift: Shift = UNMOVED) -> Float32:
    """A piece of a shot (P, Y, X) in [0, 1], with a shift taken out."""
    if shift.length_px:
        pixels: npt.NDArray[Any] = moved_part(frame.pixels, part, -shift.dy, -shift.dx)
    else:
        pixels = frame.pixels[part]
    light = np.asarray(pixels, np.float32) * np.float32(1 / frame.full_scale)
    light = np.clip(light, 0, 1)
    return np.ascontiguousarray(np.moveaxis(light, -1, 0)) if light.ndim == 3 else light[None]


def as_camera(planes: Float32, frame: ModelFrame) -> npt.NDArray[Any]:
    """Light (P, Y, X) as the shot's camera would have written it, (Y, X, P)."""
    counts = np.clip(np.moveaxis(planes, 0, -1), 0, 1) * np.float32(frame.full_scale)
    dtype = frame.pixels.dtype
    return (np.rint(counts) if dtype.kind == "u" else counts).astype(dtype)


def sharper_index(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> int:
    """Which of two shots has the larger Brenner gradient in both directions together, as the networks see it: 0 or 1.

    Parameters
    ----------
    first, second : np.ndarray, shape (Y, X) or (Y, X, C)
        Of one shape and type; colours count alike.
    """
    return int(_brenner(second) > _brenner(first))


def _brenner(image: npt.NDArray[Any]) -> float:
    """In bands of rows, so that an image is never held as floats in full."""
    total = 0.0
    for top in range(0, image.shape[0], _BAND_PX):
        band = np.asarray(image[top : top + _BAND_PX + 2], np.float32)
        grey = np.ascontiguousarray(band.mean(axis=2) if band.ndim == 3 else band)
        own = grey[:_BAND_PX]
        if grey.shape[0] > 2:
            total += cv2.norm(np.ascontiguousarray(grey[2:]), np.ascontiguousarray(grey[:-2]), cv2.NORM_L2SQR)
        if own.shape[1] > 2:
            total += cv2.norm(np.ascontiguousarray(own[:, 2:]), np.ascontiguousarray(own[:, :-2]), cv2.NORM_L2SQR)
    return float(total)
