"""A microscope over any Micro-Manager core: frames that can be trusted, moves that keep inside their limits."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

import numpy as np
from pymmcore_plus import CMMCorePlus

from napari_autofocus.errors import FrameError, InputError
from napari_autofocus.microscope.clock import WallClock
from napari_autofocus.microscope.drives import LATE_REPORT_S, StageDrive
from napari_autofocus.microscope.edge import DEVICE_ERRORS, translated
from napari_autofocus.microscope.protocol import Clock, Frame, Image
from napari_autofocus.microscope.restoring import live_paused, state_restored
from napari_autofocus.microscope.travel import TravelRules

DEFAULT_RANGE_UM = 50.0
DEFAULT_LARGEST_STEP_UM = 25.0
DEFAULT_BACKLASH_UM = 2.0


class CoreMicroscope:
    """Camera, focus drive and XY stage of a core. Fulfils ``Microscope``.

    Parameters
    ----------
    core : CMMCorePlus
        With a camera and a focus device selected. It stays the caller's: nothing is unloaded here.
    focus_direction : int, optional
        +1 if a growing z brings sample and objective together, −1 if apart. Used only where the core does not know;
        unknown to both, it stays 0.
    limits_um : tuple of float, optional
        Lowest and highest position of the focus drive; without them 50 µm to each side of where it stands now. Limits of
        the device's ``Position`` property, where it has them, hold as well.
    largest_step_um : float
        Longest single move.
    backlash_um : float
        Length of the final stretch that is always travelled in the same direction. 0 for a drive without play.
    approach : int, optional
        +1 arrives with growing z, −1 with falling z. By default sample and objective approach each other in the final
        stretch, so that the overshoot leads away from contact.
    xy_limits_um : tuple of float, optional
        (lowest x, lowest y, highest x, highest y); without them only the stage's own.
    clock : Clock, optional
        The wall clock unless the devices are simulated.
    tolerance_um : float
        How far from its target the focus drive may come to rest.
    timeout_s : float
        How long a move may take.
    focus_device : str, optional
        The core's focus device unless another stage is named.
    late_report_s : float
        How long the core's events may lag behind a move, real seconds.
    reject_repeats : bool
        Whether a frame that equals the one before the last move in every bit is refused as stale.

    Raises
    ------
    InputError
        The core has no camera or focus device, or a setting makes no sense.
    """

    def __init__(
        self,
        core: CMMCorePlus,
        *,
        focus_direction: int | None = None,
        limits_um: tuple[float, float] | None = None,
        largest_step_um: float = DEFAULT_LARGEST_STEP_UM,
        backlash_um: float = DEFAULT_BACKLASH_UM,
        approach: int | None = None,
        xy_limits_um: tuple[float, float, float, float] | None = None,
        clock: Clock | None = None,
        tolerance_um: float = 0.1,
        timeout_s: float = 10.0,
        focus_device: str | None = None,
        late_report_s: float = LATE_REPORT_S,
        reject_repeats: bool = True,
    ) -> None:
        label = focus_device or core.getFocusDevice()
        _require_devices(core, label)
        direction = _focus_direction(core, label, focus_direction)
        self._core = core
        self._clock = clock or WallClock()
        self._reject_repeats = reject_repeats
        self._last_frame: Frame | None = None
        self._focus = StageDrive(
            core,
            label,
            rules=TravelRules(
                limits_um or _default_limits(core, label), largest_step_um, backlash_um, approach or direction or 1
            ),
            focus_direction=direction,
            clock=self._clock,
            tolerance_um=tolerance_um,
            timeout_s=timeout_s,
            late_report_s=late_report_s,
        )

    @property
    def core(self) -> CMMCorePlus:
        """The core, for what this class does not do."""
        return self._core

    @property
    def clock(self) -> Clock:
        """The clock this microscope lives by."""
        return self._clock

    @property
    def focus(self) -> StageDrive:
        """The focus drive."""
        return self._focus

    def snap(self) -> Frame:
        """Expose one frame that began after every earlier move had come to rest; live mode pauses meanwhile.

        Raises
        ------
        FrameError
            No frame, a frame of zeros, of the wrong shape, or the very one from before the last move.
        """
        with live_paused(self._core):
            self._focus.wait()
            started_s = self._clock.now_s()
            with translated("The camera took no frame", FrameError):
                self._core.snapImage()
                image = np.array(self._core.getImage())
        frame = self._frame(image, started_s)
        self._last_frame = frame
        return frame

    def xy_um(self) -> tuple[float, float]:
        """Position of the XY stage, µm; NaN where there is none."""
        if not self._core.getXYStageDevice():
            return math.nan, math.nan
        with translated("The XY stage does not tell its position"):
            x_um, y_um = self._core.getXYPosition()
        return float(x_um), float(y_um)

    @contextmanager
    def restoring(self) -> Iterator[None]:
        """Put channel, exposure, ROI, shutter and live mode back on leaving; live mode is paused meanwhile.

        While inside, a move of the focus drive that somebody else makes raises ForeignMove on the next call.
        """
        with live_paused(self._core), state_restored(self._core), self._focus.watch():
            yield

    def close(self) -> None:
        """Stop listening to the core, which stays loaded."""
        self._focus.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _frame(self, image: Image, started_s: float) -> Frame:
        x_um, y_um = self.xy_um()
        pixel_size_um = float(self._core.getPixelSizeUm())
        return Frame(
            image=image,
            z_um=self._focus.position_um(),
            x_um=x_um,
            y_um=y_um,
            exposure_ms=float(self._core.getExposure()),
            started_s=started_s,
            pixel_size_um=pixel_size_um or None,
        )


def _require_devices(core: CMMCorePlus, focus_label: str) -> None:
    if not core.getCameraDevice():
        raise InputError("The microscope has no camera; load a configuration with one, or select it in the core.")
    if not focus_label:
        raise InputError(
            "The microscope has no focus drive; load a configuration with a z stage, or select it in the core."
        )


def _focus_direction(core: CMMCorePlus, label: str, given: int | None) -> int:
    if given not in (None, -1, 0, 1):
        raise InputError(f"The focus direction is +1, -1 or 0 for unknown; found {given}.")
    with translated(f"The focus drive {label} does not tell its direction"):
        return int(core.getFocusDirection(label)) or given or 0


def _default_limits(core: CMMCorePlus, label: str) -> tuple[float, float]:
    here_um = core.getPosition(label)
    return here_um - DEFAULT_RANGE_UM, here_um + DEFAULT_RANGE_UM
