"""A microscope over any Micro-Manager core: frames that can be trusted, moves that keep inside their limits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import numpy as np
from pymmcore_plus import CMMCorePlus

from napari_autofocus.errors import AutofocusError, FrameError, HardwareError, InputError
from napari_autofocus.focus.lens_curve import LensCurve
from napari_autofocus.microscope.clock import WallClock
from napari_autofocus.microscope.cores import load_core, release_core, silence_at_exit
from napari_autofocus.microscope.drives import LATE_REPORT_S, StageDrive
from napari_autofocus.microscope.edge import translated
from napari_autofocus.microscope.frames import RepeatGuard, bit_depth, require_image
from napari_autofocus.microscope.lens_drive import LENS_TOLERANCE_UM, LensDrive
from napari_autofocus.microscope.live import LiveMode
from napari_autofocus.microscope.ownership import Ownership
from napari_autofocus.microscope.protocol import Claim, Clock, Frame, Image
from napari_autofocus.microscope.restoring import state_restored
from napari_autofocus.microscope.travel import TravelRules
from napari_autofocus.microscope.xy import CoreXYStage

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
        Lowest and highest position of the focus drive; without them 50 µm to each side of where it stands now. Limits
        of the device's ``Position`` property, where it has them, hold as well.
    largest_step_um : float
        Longest single move.
    backlash_um : float
        Length of the final stretch that is always travelled in the same direction. 0 for a drive without play.
    approach : int, optional
        +1 arrives with growing z, −1 with falling z. By default sample and objective come together in the final
        stretch, so that the overshoot leads away from contact.
    xy_limits_um : tuple of float, optional
        (lowest x, lowest y, highest x, highest y); without them 10 mm to each side of where the stage stands now.
    clock : Clock, optional
        The wall clock unless the devices are simulated.
    tolerance_um, xy_tolerance_um : float
        How far from their target the drives may come to rest.
    timeout_s : float
        How long a move may take.
    focus_device : str, optional
        The core's focus device unless another stage is named.
    late_report_s : float
        How long the core's events may lag behind a move, real seconds.
    reject_repeats : bool
        Whether a frame that equals the one before the last move in every bit is taken again, and refused as stale if
        it comes once more (see :class:`~napari_autofocus.microscope.frames.RepeatGuard`).
    lens : LensCurve, optional
        Focus by this tunable lens in place of a stage, of which there need be none. Positions are then µm of focal
        shift, limits are inside its curve, and largest step, backlash and approach are the lens's own.

    Raises
    ------
    InputError
        The core has no camera or focus device, or a setting makes no sense.
    HardwareError
        A device does not answer.
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
        xy_tolerance_um: float = 2.0,
        timeout_s: float = 10.0,
        focus_device: str | None = None,
        late_report_s: float = LATE_REPORT_S,
        reject_repeats: bool = True,
        lens: LensCurve | None = None,
    ) -> None:
        silence_at_exit(core)
        _require_camera(core)
        self._core = core
        self._owned = False
        self._closed = False
        self._clock = clock or WallClock()
        self._repeats = RepeatGuard(tolerance_um) if reject_repeats else None
        self._tolerance_um = tolerance_um
        self._xy = CoreXYStage(core, xy_limits_um, clock=self._clock, tolerance_um=xy_tolerance_um, timeout_s=timeout_s)
        shared: dict[str, Any] = {"clock": self._clock, "timeout_s": timeout_s, "late_report_s": late_report_s}
        self._lens_settings: dict[str, Any] = {
            "focus_direction": focus_direction or 0,
            "tolerance_um": max(tolerance_um, LENS_TOLERANCE_UM),  # currents are rounded more coarsely than positions
            **shared,
        }
        self._stage: StageDrive | None = None
        if lens is not None:
            self._focus: StageDrive = LensDrive(core, lens, limits_um=limits_um, **self._lens_settings)
        else:
            label = _focus_label(core, focus_device)
            direction = _focus_direction(core, label, focus_direction)
            limits_um = _limits(core, label, limits_um)
            rules = TravelRules(limits_um, largest_step_um, backlash_um, approach or direction or 1)
            stage = StageDrive(core, label, rules=rules, focus_direction=direction, tolerance_um=tolerance_um, **shared)
            self._focus = self._stage = stage
        self._live = LiveMode(core)
        self._ownership = Ownership.of(core)

    @classmethod
    def connect(cls, cfg: str | Path, **settings: Any) -> Self:
        """A microscope from a Micro-Manager configuration file, on a core of its own that :meth:`close` unloads.

        Parameters
        ----------
        cfg : path
            The file.
        **settings
            As for the class.

        Raises
        ------
        InputError
            The file is missing, one of its devices cannot be loaded, or it has no camera or z stage.
        HardwareError
            A device does not answer.
        """
        core = load_core(cfg)
        try:
            microscope = cls(core, **settings)
        except AutofocusError:
            with suppress(HardwareError):
                release_core(core)
            raise
        microscope._owned = True
        return microscope

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

    def focus_through(self, lens: LensCurve | None) -> None:
        """Focus by a tunable lens from now on, or by the stage again (None). Nothing moves.

        The stage keeps its limits meanwhile, and the lens its value afterwards.

        Raises
        ------
        InputError
            The core has no such device, or there is no stage to go back to. Everything is as before.
        MicroscopeTaken
            Somebody else has the microscope, a routine for instance.
        HardwareError
            The device does not answer.
        """
        if lens is None and self._stage is None:
            raise InputError("This microscope was connected without a focus stage, so only its lens can focus.")
        with self.owned_by("a change of the focus drive", brief=True):
            drive = LensDrive(self._core, lens, **self._lens_settings) if lens is not None else self._stage
            assert drive is not None
            if self._focus not in (drive, self._stage):
                self._focus.close()
            self._focus = drive
            # Heights of a stage and shifts of a lens cannot be compared.
            self._repeats = self._repeats and RepeatGuard(self._tolerance_um)

    @property
    def xy(self) -> CoreXYStage:
        """The XY stage."""
        return self._xy

    @property
    def live(self) -> LiveMode:
        """The camera's stream."""
        return self._live

    @property
    def ownership(self) -> Ownership:
        """Who has this microscope: one run, acquisition or move at a time."""
        return self._ownership

    def owned_by(self, who: str, *, brief: bool = False) -> AbstractContextManager[Claim]:
        """Own the microscope inside (``who``: "the survey"), for a moment only if ``brief``. Raises MicroscopeTaken."""
        return self._ownership.claimed(who, brief=brief)

    def snap(self) -> Frame:
        """Expose one frame that began after every earlier move had come to rest; live mode pauses meanwhile.

        Raises
        ------
        MicroscopeTaken
            Somebody else has the microscope.
        FrameError
            No frame, a frame of zeros, of the wrong shape, or the very one from before the last move.
        HardwareError
            A stage does not come to rest or does not answer.
        """
        with self.owned_by("a snap", brief=True), self._live.paused():
            frame = self._expose()
            if self._repeats is not None:
                if self._repeats.is_repeat(frame):
                    frame = self._expose()
                self._repeats.require_new(frame)
                self._repeats.remember(frame)
        return frame

    def xy_um(self) -> tuple[float, float]:
        """Position of the XY stage, µm; NaN where there is none."""
        return self._xy.position_um()

    def move_xy_to(self, x_um: float, y_um: float) -> tuple[float, float]:
        """Bring a place of the slide under the objective; position read back, µm. Raises MoveRefused, HardwareError."""
        return self._xy.move_to(x_um, y_um)

    def stop(self) -> None:
        """Halt every drive at once."""
        try:
            self._focus.stop()
        finally:
            self._xy.stop()

    @contextmanager
    def restoring(self) -> Iterator[None]:
        """Put channel, exposure, ROI, shutter and live mode back on leaving; live mode is paused meanwhile.

        While inside, a move of the focus drive that somebody else makes raises ForeignMove on every call after it.
        Raises MicroscopeTaken if somebody else has the microscope.
        """
        with (
            self.owned_by("another run"),
            self._live.paused(),
            state_restored(self._core, self._focus.label),
            self._focus.watch(),
        ):
            yield

    def close(self) -> None:
        """Stop listening to the core; one that :meth:`connect` made is unloaded, any other left alone."""
        if self._closed:
            return
        self._closed = True
        self._focus.close()
        if self._stage is not None and self._stage is not self._focus:
            self._stage.close()
        self._live.close()
        if self._owned:
            try:
                self._live.stop()
            finally:
                release_core(self._core)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _expose(self) -> Frame:
        """One exposure after everything has come to rest."""
        self._focus.wait()
        self._xy.wait()
        started_s = self._clock.now_s()
        with translated("The camera took no frame", FrameError):
            self._core.snapImage()
            image = np.array(self._core.getImage())
        return self._frame(image, started_s)

    def _frame(self, image: Image, started_s: float) -> Frame:
        x_um, y_um = self.xy_um()
        z_um = self._focus.position_um()
        with translated("The camera does not tell its settings"):
            shape = self._core.getImageHeight(), self._core.getImageWidth()
            exposure_ms = float(self._core.getExposure())
            pixel_size_um = float(self._core.getPixelSizeUm())
        image = require_image(image, shape)
        bits = bit_depth(self._core, image)
        return Frame(image, z_um, x_um, y_um, exposure_ms, started_s, pixel_size_um or None, bits)


def _require_camera(core: CMMCorePlus) -> None:
    if not core.getCameraDevice():
        raise InputError("The microscope has no camera; load a configuration with one, or select it in the core.")


def _focus_label(core: CMMCorePlus, named: str | None) -> str:
    label = named or core.getFocusDevice()
    if not label:
        raise InputError("The microscope has no focus drive; load a configuration with a z stage, or select one.")
    return label


def _focus_direction(core: CMMCorePlus, label: str, given: int | None) -> int:
    if given not in (None, -1, 0, 1):
        raise InputError(f"The focus direction is +1, -1 or 0 for unknown; found {given}.")
    with translated(f"The focus drive {label} does not tell its direction"):
        return int(core.getFocusDirection(label)) or given or 0


def _limits(core: CMMCorePlus, label: str, given: tuple[float, float] | None) -> tuple[float, float]:
    with translated(f"The focus drive {label} does not tell its position"):
        here_um = float(core.getPosition(label))
        low, high = given or (here_um - DEFAULT_RANGE_UM, here_um + DEFAULT_RANGE_UM)
        if core.hasProperty(label, "Position") and core.hasPropertyLimits(label, "Position"):
            low = max(low, core.getPropertyLowerLimit(label, "Position"))
            high = min(high, core.getPropertyUpperLimit(label, "Position"))
    return low, high
