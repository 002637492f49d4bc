"""What a person at the microscope does by hand: live mode, exposure, XY steps, opening a configuration.

Moves of the focus drive are not here: they go through ``drives.py`` and its limits, whoever asks.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from pymmcore_plus import CMMCorePlus

from napari_autofocus.errors import FrameError, HardwareError, InputError
from napari_autofocus.microscope.edge import translated
from napari_autofocus.microscope.mmcore import CoreMicroscope
from napari_autofocus.microscope.protocol import Frame

_SILENT_EXPOSURES = 5
_LEAST_SILENCE_S = 3.0


class LiveCamera:
    """The camera of a microscope in live mode.

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

    @property
    def running(self) -> bool:
        """Whether frames are being taken."""
        with translated("The camera does not say whether live mode runs"):
            return bool(self._core.isSequenceRunning())

    def start(self) -> None:
        """Take frames from now on; does nothing if that is so already."""
        self._seen = self._silent_since_s = None
        if not self.running:
            with translated("Live mode could not be started"):
                self._core.startContinuousSequenceAcquisition()

    def stop(self) -> None:
        """Take no more frames."""
        if self.running:
            with translated("Live mode could not be stopped"):
                self._core.stopSequenceAcquisition()

    def newest_frame(self) -> Frame | None:
        """The newest frame, or None if there is none that has not been given before.

        Raises
        ------
        FrameError
            If live mode is on and no frame has come for a time that is long against the exposure.
        HardwareError
            If the camera does not answer.
        """
        if not self.running or self._core.getRemainingImageCount() == 0:
            return self._none_yet()
        try:
            image, tags = self._core.getLastImageAndMD()
        except IndexError:  # pymmcore-plus 0.18: the ring buffer is being written
            return None
        number = str(tags.get("ImageNumber", ""))
        if number and number == self._seen:
            return self._none_yet()
        self._seen, self._silent_since_s = number, None
        return self._frame(np.array(image))

    def _none_yet(self) -> None:
        now_s = self._microscope.clock.now_s()
        if self._silent_since_s is None or not self.running:
            self._silent_since_s = now_s
        allowed_s = max(_LEAST_SILENCE_S, _SILENT_EXPOSURES * exposure_ms(self._microscope) / 1000)
        if now_s - self._silent_since_s > allowed_s:
            raise FrameError(
                f"The camera has sent no frame for {allowed_s:g} s; check its cable and its power, then connect again."
            )

    def _frame(self, image: np.ndarray) -> Frame:
        x_um, y_um = self._microscope.xy_um()
        return Frame(
            image=image,
            z_um=reported_z_um(self._microscope),
            x_um=x_um,
            y_um=y_um,
            exposure_ms=exposure_ms(self._microscope),
            started_s=self._microscope.clock.now_s(),
            pixel_size_um=float(self._core.getPixelSizeUm()) or None,
        )


def reported_z_um(microscope: CoreMicroscope) -> float:
    """Where the drive says it is, µm: for display, also while somebody else moves it or has left the limits."""
    with translated("The focus drive does not tell its position"):
        return float(microscope.core.getPosition(microscope.focus.label))


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


def has_xy(microscope: CoreMicroscope) -> bool:
    """Whether there is an XY stage."""
    return bool(microscope.core.getXYStageDevice())


def move_xy_by(microscope: CoreMicroscope, dx_um: float, dy_um: float) -> tuple[float, float]:
    """Move the XY stage, wait, and return the position read back, µm. Raises HardwareError if there is none."""
    x_um, y_um = microscope.xy_um()
    return move_xy_to(microscope, x_um + dx_um, y_um + dy_um)


def move_xy_to(microscope: CoreMicroscope, x_um: float, y_um: float) -> tuple[float, float]:
    """Go to a place on the slide, wait, and return the position read back, µm. Raises HardwareError without a stage."""
    stage = microscope.core.getXYStageDevice()
    if not stage:
        raise HardwareError("The microscope has no XY stage; load a configuration with one.")
    with translated(f"The XY stage refused to go to x {x_um:g}, y {y_um:g} µm"):
        microscope.core.setXYPosition(x_um, y_um)
        microscope.core.waitForDevice(stage)
    return microscope.xy_um()


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

    def told(label: str, z_um: float) -> None:
        if label == microscope.focus.label:
            listener(z_um)

    signal = microscope.core.events.stagePositionChanged
    signal.connect(told)
    return lambda: signal.disconnect(told)


def open_configuration(path: str | Path) -> CMMCorePlus:
    """A core of our own with a Micro-Manager configuration loaded.

    Raises
    ------
    InputError
        If the file is missing, or a device in it cannot be loaded; nothing stays loaded then.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"There is no configuration file {path}; choose a Micro-Manager .cfg file.")
    core = CMMCorePlus()
    try:
        core.loadSystemConfiguration(str(path))
    except (RuntimeError, ValueError, OSError) as error:
        core.unloadAllDevices()
        reason = " ".join(str(error).split())
        raise InputError(
            f"The configuration {path.name} cannot be loaded: {reason}. Check that its devices are connected and their"
            " adapters installed."
        ) from error
    return core


def close_configuration(microscope: CoreMicroscope) -> None:
    """Let go of a core of our own: stop listening, stop live mode, unload its devices."""
    microscope.close()
    core = microscope.core
    with translated("The microscope could not be closed"):
        if core.isSequenceRunning():
            core.stopSequenceAcquisition()
        core.unloadAllDevices()
