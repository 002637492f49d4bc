"""What a person at the microscope looks at and sets by hand: live frames, exposure, limits, where the drive says it is.

Moves are made by ``drives.py`` and ``xy.py`` inside their limits, whoever asks.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from napari_autofocus.errors import FrameError, InputError
from napari_autofocus.microscope.edge import DEVICE_ERRORS, translated
from napari_autofocus.microscope.frames import bit_depth, require_image
from napari_autofocus.microscope.mmcore import CoreMicroscope
from napari_autofocus.microscope.protocol import Frame, Image, walk_to

_SILENT_EXPOSURES = 5
_LEAST_SILENCE_S = 5.0
_PAUSE_CHECK_S = 0.2


class LiveFrames:
    """The newest frame of a microscope in live mode, each given once.

    Parameters
    ----------
    microscope : CoreMicroscope
        Whose camera.
    """

    def __init__(self, microscope: CoreMicroscope) -> None:
        self._microscope = microscope
        self._core = microscope.core
        self._seen: str | None = None
        self._silent_since_s: float | None = None
        self._pause_checked_s = 0.0

    def newest_frame(self) -> Frame | None:
        """The newest frame, or None if there is none that has not been given before.

        Raises
        ------
        FrameError
            If live mode is on and no frame has come for a time that is long against the exposure.
        HardwareError
            If the camera does not answer.
        """
        with translated("The camera gave no live frame", FrameError):
            found = self._read()
        if found is None:
            self._require_sound_of_life()
            return None
        self._silent_since_s = None
        return self._frame(found)

    def _read(self) -> Image | None:
        found = self._last_of_buffer()
        if found is None:
            return None
        image, tags = found
        number = str(tags.get("ImageNumber", ""))
        if number and number == self._seen:
            return None
        self._seen = number
        return np.array(image)

    def _last_of_buffer(self, attempts: int = 3) -> tuple[Image, Any] | None:
        """The newest image and its tags; None where there is none, or another thread is just emptying the buffer."""
        for attempt in range(attempts):
            if self._core.getRemainingImageCount() == 0:
                return None
            try:
                return self._core.getLastImageAndMD()
            except IndexError:  # pymmcore-plus 0.18: the ring buffer is being written
                return None
            except DEVICE_ERRORS:
                # It may have been emptied since it was counted: another thread paused live mode.
                if attempt == attempts - 1:
                    raise
        return None

    def _require_sound_of_life(self) -> None:
        now_s = time.monotonic()  # a camera falls silent in real time, whatever clock its drives live by
        if self._silent_since_s is None:
            self._silent_since_s = now_s
        if now_s - self._pause_checked_s >= _PAUSE_CHECK_S:
            self._pause_checked_s = now_s
            if not self._microscope.live.is_running():
                # A pause is no silence; and after it the camera has the whole time again for its first frame.
                self._silent_since_s = now_s
        allowed_s = max(_LEAST_SILENCE_S, _SILENT_EXPOSURES * exposure_ms(self._microscope) / 1000)
        if now_s - self._silent_since_s <= allowed_s:
            return
        self._silent_since_s = None
        raise FrameError(
            f"The camera has sent no frame for {allowed_s:g} s; check its cable and its power, then connect again."
        )

    def _frame(self, image: Image) -> Frame:
        x_um, y_um = self._microscope.xy_um()
        return Frame(
            image=(checked := require_image(image, image.shape[:2])),
            z_um=reported_z_um(self._microscope),
            x_um=x_um,
            y_um=y_um,
            exposure_ms=exposure_ms(self._microscope),
            started_s=self._microscope.clock.now_s(),
            pixel_size_um=float(self._core.getPixelSizeUm()) or None,
            bit_depth=bit_depth(self._core, checked),
        )


def reported_z_um(microscope: CoreMicroscope) -> float:
    """Where the drive says it is, µm: for display, also while somebody else moves it or has left the limits."""
    with translated("The focus drive does not tell its position"):
        return microscope.focus.reported_um()


def exposure_ms(microscope: CoreMicroscope) -> float:
    """Exposure time, ms."""
    with translated("The camera does not tell its exposure"):
        return float(microscope.core.getExposure())


def set_exposure_ms(microscope: CoreMicroscope, value_ms: float) -> float:
    """Set the exposure time, ms; returns what the camera made of it. Live mode goes on."""
    if not (math.isfinite(value_ms) and value_ms > 0):
        raise InputError(f"The exposure must be a positive number of ms; found {value_ms}.")
    with translated(f"The camera refused an exposure of {value_ms:g} ms"):
        microscope.core.setExposure(value_ms)
    return exposure_ms(microscope)


def set_focus_limits(microscope: CoreMicroscope, low_um: float, high_um: float) -> None:
    """Allow other positions of the focus drive from now on.

    Raises
    ------
    InputError
        The two are not in order, the drive stands outside them, or its own travel is shorter: nothing is changed.
    """
    low_end_um, high_end_um = microscope.focus.travel_um
    if not (low_end_um <= low_um and high_um <= high_end_um):
        raise InputError(
            f"The focus drive itself travels from {low_end_um:g} to {high_end_um:g} µm only; found limits of {low_um:g}"
            f" to {high_um:g} µm: set them inside its travel."
        )
    here_um = reported_z_um(microscope)
    if not low_um <= here_um <= high_um:
        raise InputError(
            f"The limits {low_um:g} to {high_um:g} µm do not hold the present position of the focus drive,"
            f" {here_um:.2f} µm; set them around it, or move it first."
        )
    microscope.focus.set_limits(low_um, high_um)


def go_to_um(microscope: CoreMicroscope, z_um: float) -> None:
    """Bring the focus drive to a position, however far, in steps that it allows. Raises MoveRefused, HardwareError."""
    walk_to(microscope.focus, z_um)


def random_place_um(rng: np.random.Generator, reach_um: float) -> tuple[float, float]:
    """A place on the slide, x and y, up to ``reach_um`` from its middle along either axis, µm."""
    x_um, y_um = rng.uniform(-reach_um, reach_um, 2)
    return round(float(x_um), 1), round(float(y_um), 1)


def on_drive_moved(microscope: CoreMicroscope, listener: Callable[[float], None]) -> Callable[[], None]:
    """Tell a listener each position that the drive reports, µm, in whatever thread it is reported.

    Returns
    -------
    callable
        Ends it.
    """

    return microscope.focus.on_reported(listener)
