"""Whether what a camera delivered can be an image of the sample now."""

from __future__ import annotations

import numpy as np

from napari_autofocus.errors import FrameError
from napari_autofocus.microscope.protocol import Frame, Image


def require_image(image: Image, shape: tuple[int, int]) -> Image:
    """The image without an alpha channel, if it is one.

    Parameters
    ----------
    image : np.ndarray, shape (Y, X) or (Y, X, 3 or 4)
        What the camera delivered.
    shape : tuple of int
        Height and width that the camera was set to.

    Raises
    ------
    FrameError
        The shape is another one, or all pixels are zero.
    """
    if image.shape[:2] != shape or not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] in (3, 4))):
        raise FrameError(
            f"The camera delivered a frame of shape {image.shape} where {shape} was expected, grey or RGB; stop what"
            " else is using the camera and try again."
        )
    if not image.any():
        raise FrameError("The camera delivered a frame of zeros; check the light, the shutter and the camera's cable.")
    return image[..., :3] if image.ndim == 3 else image


def require_new(frame: Frame, before: Frame | None, tolerance_um: float) -> None:
    """Raise FrameError if the drive has moved since ``before`` and yet the frames agree in every bit.

    Noise makes that impossible for a camera at work; only a uniform frame (saturated, say) may come twice.
    """
    if before is None or abs(frame.z_um - before.z_um) <= tolerance_um:
        return
    if _agree(frame.image, before.image) and frame.image.min() != frame.image.max():
        raise FrameError(
            f"The camera delivered the frame from {before.z_um:g} µm once more although the drive is at {frame.z_um:g}"
            " µm; its buffer is stale: restart the camera."
        )


def _agree(image: Image, other: Image) -> bool:
    if image.shape != other.shape:
        return False
    # A few rows nearly always settle it.
    return np.array_equal(image[::64], other[::64]) and np.array_equal(image, other)
