"""Two shots of one field as a virtual refocuser takes them: checked, read piece by piece as light, and written back."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError
from napari_autofocus.focus.registration import Shift, moved_part
from napari_autofocus.models.frame import ModelFrame

Float32 = npt.NDArray[np.float32]
Shots = tuple[ModelFrame, ModelFrame]

UNMOVED = Shift(0.0, 0.0, 1.0)


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
