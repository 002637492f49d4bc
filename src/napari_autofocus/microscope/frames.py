"""Whether what a camera delivered can be an image of the sample now."""

from __future__ import annotations

import math

import numpy as np
from pymmcore_plus import CMMCorePlus

from napari_autofocus.errors import FrameError
from napari_autofocus.microscope.edge import translated
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
        The shape is another one, all pixels are zero, or some are no numbers.
    """
    if image.shape[:2] != shape or not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] in (3, 4))):
        raise FrameError(
            f"The camera delivered a frame of shape {image.shape} where {shape} was expected, grey or RGB; stop what"
            " else is using the camera and try again."
        )
    if not image.any():
        raise FrameError("The camera delivered a frame of zeros; check the light, the shutter and the camera's cable.")
    if image.dtype.kind == "f" and not np.isfinite(image).all():
        raise FrameError(
            "The camera delivered a frame with pixels that are no numbers (NaN or infinite); switch off what corrects"
            " its images, or restart the camera."
        )
    return image[..., :3] if image.ndim == 3 else image


def bit_depth(core: CMMCorePlus, image: Image) -> int | None:
    """Bits that the camera of a core really uses for a 16-bit image; None for 8 bits, or where it does not say."""
    if image.dtype.itemsize == 1:
        return None
    with translated("The camera does not tell its bit depth"):
        bits = int(core.getImageBitDepth())
    return bits if 8 <= bits <= 8 * image.dtype.itemsize else None


OTHER_PLACE_UM = 1.0
"""A slide that has moved by more than this shows another picture, µm."""


class RepeatGuard:
    """Tells a frame that a camera gave once more from one that was taken after drive or slide had moved.

    Noise makes two frames that agree in every bit impossible for a camera at work; only a uniform frame (saturated,
    say) may come twice. A camera without noise (a demonstration) does show the same image above and below focus; such
    a one is known by frames that agreed while nothing moved and differed after a move. Its repeats are accepted at two
    places in a row, never at a third: a buffer that is stuck repeats itself for ever. It may also show the same
    wherever the slide is, which is believed where frames agreed at rest and no two places have differed.

    Parameters
    ----------
    tolerance_um : float
        Readings of a drive that differ by no more than this count as the same place, µm.
    """

    def __init__(self, tolerance_um: float) -> None:
        self._tolerance_um = tolerance_um
        self._before: Frame | None = None
        self._agreed_at_rest = False
        self._has_noise = False
        self._has_no_noise = False
        self._tells_places = False
        self._repeats = 0

    def is_repeat(self, frame: Frame) -> bool:
        """Whether drive or slide have moved since the frame before and yet the two agree in every bit."""
        before = self._before
        if before is None or not _agree(frame.image, before.image):
            return False
        if self._is_same_place(frame, before) and not _is_elsewhere(frame, before):
            return False
        return not _is_uniform(frame.image)

    def require_new(self, frame: Frame) -> None:
        """Raise FrameError if the frame is a repeat and the camera has not been seen to be without noise."""
        if not self.is_repeat(frame):
            return
        if self._before is not None and self._is_same_place(frame, self._before):
            self._require_other_view(frame, self._before)
            return
        self._repeats += 1
        if self._has_noise or not self._has_no_noise or self._repeats > 1:
            assert self._before is not None
            raise FrameError(
                f"The camera delivered the frame from {self._before.z_um:g} µm once more although the drive is at"
                f" {frame.z_um:g} µm; its buffer is stale: restart the camera (or, if it is a simulation without noise,"
                " make the microscope with reject_repeats=False)."
            )

    def _require_other_view(self, frame: Frame, before: Frame) -> None:
        """Raise FrameError for a repeat after the slide alone has moved, unless this camera is known to show such."""
        is_without_noise = (self._agreed_at_rest or self._has_no_noise) and not self._has_noise
        if self._tells_places or not is_without_noise:
            raise FrameError(
                f"The camera delivered the frame from ({before.x_um:g}, {before.y_um:g}) µm once more although the"
                f" slide is at ({frame.x_um:g}, {frame.y_um:g}) µm; its buffer is stale: restart the camera (or, if it"
                " is a simulation without noise, make the microscope with reject_repeats=False)."
            )

    def remember(self, frame: Frame) -> None:
        """Learn from a frame that was accepted."""
        before, self._before = self._before, frame
        if before is None:
            return
        agree = _agree(frame.image, before.image)
        if _is_elsewhere(frame, before) and self._is_same_place(frame, before) and _is_same_setting(frame, before):
            self._tells_places |= not agree
        self._repeats = self._repeats if agree else 0
        if _is_same_view(frame, before) and not (agree and _is_uniform(frame.image)):
            self._learn(agree, at_rest=self._is_same_place(frame, before))

    def _learn(self, agree: bool, *, at_rest: bool) -> None:
        if at_rest:
            self._agreed_at_rest = agree
            self._has_noise |= not agree
        elif not agree:
            self._has_no_noise |= self._agreed_at_rest

    def _is_same_place(self, frame: Frame, before: Frame) -> bool:
        return abs(frame.z_um - before.z_um) <= self._tolerance_um


def _is_same_view(frame: Frame, before: Frame) -> bool:
    """Whether nothing but the height may tell the two frames apart."""
    # Compared as text because NaN, which stands for no XY stage, is not equal to itself.
    places = repr((frame.x_um, frame.y_um)), repr((before.x_um, before.y_um))
    return _is_same_setting(frame, before) and places[0] == places[1]


def _is_same_setting(frame: Frame, before: Frame) -> bool:
    return (frame.exposure_ms, frame.image.shape) == (before.exposure_ms, before.image.shape)


def _is_elsewhere(frame: Frame, before: Frame) -> bool:
    """Whether the slide has moved; never true of NaN: no XY stage."""
    return math.dist((frame.x_um, frame.y_um), (before.x_um, before.y_um)) > OTHER_PLACE_UM


def _is_uniform(image: Image) -> bool:
    return bool(image.min() == image.max())


def _agree(image: Image, other: Image) -> bool:
    if image.shape != other.shape:
        return False
    # A few rows nearly always settle it.
    return np.array_equal(image[::64], other[::64]) and np.array_equal(image, other)
