"""The books of one sweep: what was seen, what it means, and how the drive gets where it belongs.

``sweep.py`` says in which order things happen; here is each thing.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from napari_autofocus.errors import ForeignMove, FrameError, HardwareError, MoveRefused, RoutineTimeout
from napari_autofocus.focus.curve import FocusCurve
from napari_autofocus.focus.grey import to_grey
from napari_autofocus.focus.phase import Reduced, reduce_plane
from napari_autofocus.focus.sharpness import sharpness
from napari_autofocus.microscope.protocol import Frame, Image, Microscope
from napari_autofocus.records import CurvePoint, Outcome, SweepRecord
from napari_autofocus.routines.judging import Judgement, JudgeSettings, Look, contrast, judge_looks, merged, noise_bound
from napari_autofocus.routines.searches import LOCAL_METHODS, SAME_PLACE, SearchPlan, Visit
from napari_autofocus.routines.sweep_config import Roi, SweepConfig, SweepStep
from napari_autofocus.routines.watch import WatchedDrive

Measure = Callable[[Image], float]

NOISE_BOUNDS = 2.0
"""Differences of sharpness below this many times the bound on its deviation are noise."""
LEAST_NOISE = 0.02
"""Share of a sharpness that counts as noise in any case: few frames may agree by chance."""

SAME_FIELD_UM = 5.0
"""A slide that moves by more than this between two frames shows another field, µm."""


def named_measure(config: SweepConfig) -> Measure:
    """The focus measure that the settings name, over their region.

    Computed in floating point: luminance rounded to whole counts would hide faint contrast, and the noise with it.
    """
    return lambda image: float(sharpness(np.asarray(image, np.float32), config.measure, roi=config.roi))


class SweepRun:
    """State of one sweep over one microscope.

    Raises
    ------
    HardwareError
        If the position of the drive cannot be read.
    """

    def __init__(self, microscope: Microscope, config: SweepConfig, measure: Measure) -> None:
        self.config = config
        self._microscope = microscope
        self._measure = measure
        self.drive = WatchedDrive(microscope.focus, config.same_place_um)
        self.start_um = self.drive.last_um
        self._started_s = microscope.clock.now_s()
        self._looks: list[Look] = []
        self._frame: Frame | None = None
        self._judgement: Judgement | None = None
        self._outcome: Outcome | None = None
        self._reasons: list[str] = []
        self._stay = False
        self._searched_to_um: dict[int, float] = {}
        self.is_ready = False
        self.interrupted_by: BaseException | None = None

    # What is seen.

    @property
    def frames(self) -> int:
        """Frames measured so far."""
        return len(self._looks)

    def check_start(self) -> None:
        """Raises MoveRefused if the drive stands where it must not be moved from."""
        low, high = self.drive.limits_um
        if not low <= self.start_um <= high:
            raise MoveRefused(
                f"{self.drive.label} stands at {self.start_um:.2f} µm, outside its limits {low:g} to {high:g} µm;"
                " bring it inside or set other limits."
            )
        if high - low < self.config.fine_step_um:
            raise MoveRefused(f"The limits {low:g} to {high:g} µm leave no room for a step of the sweep.")

    def check_time(self) -> None:
        """Raises RoutineTimeout once the time given is used up."""
        spent = self._microscope.clock.now_s() - self._started_s
        if spent > self.config.timeout_s:
            raise RoutineTimeout(
                f"The sweep was given {self.config.timeout_s:g} s and is not done after {spent:.1f} s;"
                " allow more time, a smaller range or a larger step."
            )

    def look_at(self, z_um: float) -> CurvePoint:
        """Go there, expose, measure and remember."""
        self.check_time()
        self.drive.go(z_um)
        return self.look()

    def look(self) -> CurvePoint:
        """Expose, measure and remember a frame where the drive stands."""
        self.check_time()
        frame = self._microscope.snap()
        self.drive.expect(frame.z_um)
        self._check_field(frame)
        value = float(self._measure(frame.image))
        if not math.isfinite(value):
            raise FrameError(f"The sharpness of the frame at {frame.z_um:.2f} µm is {value}, which is no measurement.")
        reduced = None if self.config.polarity == "max" else _reduced(frame.image, self.config.roi)
        self._frame = frame
        self._looks.append(Look(CurvePoint(float(frame.z_um), value), reduced))
        return self._looks[-1].point

    def _check_field(self, frame: Frame) -> None:
        """Raises FrameError if the slide was moved: a focus curve of two fields means nothing."""
        if self._frame is None:
            return
        shift_um = math.hypot(frame.x_um - self._frame.x_um, frame.y_um - self._frame.y_um)
        if shift_um > SAME_FIELD_UM:  # never true of NaN: no XY stage
            raise FrameError(
                f"The slide was moved by {shift_um:.1f} µm during the sweep; start again when it stands still."
            )

    def step(self, visit: Visit) -> SweepStep:
        """Progress after the newest frame."""
        assert self._frame is not None
        point = self._looks[-1].point
        still_to_verify = 0 if visit.phase == "verify" else 1
        planned = None if visit.left is None else self.frames + visit.left + still_to_verify
        return SweepStep(point.z_um, point.sharpness, self.frames - 1, planned, visit.phase, self._frame)

    # Where to look.

    def first_window(self) -> tuple[float, float]:
        """The range of the settings around the start, inside the limits of the drive, µm."""
        low, high = self._bounds
        return max(self.start_um - self.config.range_um, low), min(self.start_um + self.config.range_um, high)

    def window_beyond(self, window: tuple[float, float]) -> tuple[float, float] | None:
        """The next window if the peak lies at an edge and there is room behind it, µm.

        It overlaps the old one by two steps, so that a peak on the border has neighbours on both sides. Where the last
        search on that side came no farther than the one before it, there is none: it would look at the same places.
        """
        if self._judgement is None or self._judgement.curve.verdict != "peak_at_edge":
            return None
        (low, high), overlap = self._bounds, 2 * self.config.fine_step_um
        seen = [look.point.z_um for look in self._looks]
        side = 1 if self._best_point().z_um > sum(window) / 2 else -1
        farthest = max(side * z_um for z_um in seen)
        if farthest < self._searched_to_um.get(side, -math.inf) + SAME_PLACE * self.config.fine_step_um:
            return None
        self._searched_to_um[side] = farthest
        if side > 0:
            beyond = max(seen) - overlap, min(max(seen) + self.config.range_um, high)
        else:
            beyond = max(min(seen) - self.config.range_um, low), min(seen) + overlap
        return beyond if beyond[1] - beyond[0] > 1.25 * overlap else None

    def plan(self, window: tuple[float, float]) -> SearchPlan:
        """What the search is told."""
        return SearchPlan(
            start=self._best_point(),
            window_um=window,
            bounds_um=self._bounds,
            step_um=self.config.fine_step_um,
            noise=self._noise or 0.0,
            way=self.drive.focus_direction or 1,
            early_stop=self.config.early_stop and self.config.follows_maximum,
            judge=self.judge,
        )

    @property
    def _bounds(self) -> tuple[float, float]:
        low, high = self.drive.limits_um
        return max(self.start_um - self.config.reach_um, low), min(self.start_um + self.config.reach_um, high)

    def _best_point(self) -> CurvePoint:
        return max((look.point for look in merged(self._looks, self._same_place_um)), key=lambda point: point.sharpness)

    # What it means.

    def judge(self) -> FocusCurve:
        """Judge every look so far."""
        settings = JudgeSettings(self.config.polarity, self._noise, self.config.dof_um, self._same_place_um)
        self._judgement = judge_looks(self._looks, settings)
        return self._judgement.curve

    @property
    def _same_place_um(self) -> float:
        return SAME_PLACE * self.config.fine_step_um / 2

    @property
    def _at_start(self) -> list[float]:
        return [look.point.sharpness for look in self._looks[: self.config.noise_frames]]

    @property
    def _noise(self) -> float | None:
        return noise_bound(self._at_start)

    def may_go_to_peak(self) -> bool:
        """Whether the focus curve has a peak to trust; otherwise the run ends here, with the reasons."""
        curve = self.judge()
        self._reasons += curve.reasons
        if curve.verdict == "phase_minimum" and self.config.method in LOCAL_METHODS:
            self.end("reverted", f"{self.config.method} cannot focus a phase object; use uniform or coarse-to-fine.")
        elif not curve.trusted or curve.best_z_um is None:
            self.end("reverted", f"No peak to trust (verdict {curve.verdict}) among {self.frames} frames.")
        elif not self._bounds[0] <= curve.best_z_um <= self._bounds[1]:
            self.end("reverted", f"The peak at {curve.best_z_um:.2f} µm lies outside of where the drive may go.")
        return self._outcome is None

    def go_and_verify(self) -> None:
        """Go to the peak and look once more; stay only if the frame there keeps what the curve promised."""
        assert self._judgement is not None
        best_z_um = self._judgement.curve.best_z_um
        assert best_z_um is not None
        found = self.look_at(best_z_um).sharpness
        doubt = self._doubt_of_contrast() if self._judgement.by_contrast else self._doubt_of_sharpness(found)
        if doubt is not None:
            self.end("reverted", doubt)
            return
        self._stay = True
        way_um = self.drive.last_um - self.start_um
        was = float(np.mean(self._at_start))
        self.end("focused", f"Moved by {way_um:+.2f} µm; sharpness was {was:.4g} at the start and is {found:.4g} now.")

    def _doubt_of_sharpness(self, found: float) -> str | None:
        """Why the frame at the peak should not be believed; None if it should."""
        assert self._judgement is not None
        judgement, was = self._judgement, float(np.mean(self._at_start))
        sign = -1.0 if judgement.curve.verdict == "phase_minimum" else 1.0
        tolerance = max(LEAST_NOISE * abs(was), NOISE_BOUNDS * (self._noise or 0.0))
        if sign * (found - judgement.middle) < 0:
            return f"The frame at the peak has sharpness {found:.4g}, less than half of what the curve promised."
        # Far from focus a phase object is blurred flat: there the start's sharpness is no yardstick.
        if sign > 0 and found < was - tolerance:
            return f"Sharpness {found:.4g} at the peak is worse than {was:.4g} at the start (noise {tolerance:.2g})."
        return None

    def _doubt_of_contrast(self) -> str | None:
        """The same for a transparent specimen, whose contrast must be least."""
        assert self._judgement is not None
        reduced = self._looks[-1].reduced
        assert reduced is not None
        found, middle = contrast(reduced), self._judgement.middle
        return f"Contrast {found:.4g} at the minimum is more than {middle:.4g}." if found > middle else None

    # How it ends.

    def end(self, outcome: Outcome, reason: str) -> None:
        """Name the outcome, once, and say why."""
        self._outcome = self._outcome or outcome
        self._reasons.append(reason)

    def leave_alone(self, error: ForeignMove) -> None:
        """End the run because somebody else has the drive in hand; it is not moved again."""
        self._stay = True
        self.end("failed", f"{error} It is not moved back, so as not to undo a person's move.")

    def note_state(self, error: HardwareError) -> None:
        """Say that the run could not begin, or that camera, shutter or live mode could not be put back."""
        what = "could not be put back" if self.is_ready else "could not be made ready for a sweep"
        self.end("failed", f"The microscope {what}: {error}")

    def settle(self) -> None:
        """Back to the start, unless the drive stands at a verified peak, was moved by a person or never moved."""
        if self._stay or self.drive.moves == 0:
            return
        try:
            self._return()
        except ForeignMove as error:
            self.leave_alone(error)
        except (HardwareError, MoveRefused) as error:
            self._note_astray("failed", f"The drive could not be brought back: {error}")
        except BaseException:
            self._note_astray("cancelled", "Interrupted on the way back.")
            raise
        else:
            self._reasons.append(f"The drive is back at {self.drive.last_um:.2f} µm, where it started.")

    def _return(self) -> None:
        """Back to the start; a drive that has just failed or been halted, or a single Ctrl-C, does not end the way."""
        try:
            self.drive.go(self.start_um)
        except ForeignMove:
            raise
        except HardwareError:
            self.drive.go(self.start_um)
        except KeyboardInterrupt:
            self.drive.go(self.start_um)
            raise

    def _note_astray(self, outcome: Outcome, why: str) -> None:
        self.drive.look_again()
        self._outcome = outcome
        seen_um = self.drive.last_um
        self._reasons.append(f"{why} It started at {self.start_um:.2f} µm and was last seen at {seen_um:.2f} µm.")

    def record(self) -> SweepRecord:
        """What the run leaves behind."""
        curve = None if self._judgement is None else self._judgement.curve
        trusted = curve if curve is not None and curve.trusted else None
        return SweepRecord(
            method=self.config.method,
            outcome=self._outcome or "failed",
            start_um=self.start_um,
            end_um=self.drive.last_um,
            best_z_um=None if trusted is None else _plain(trusted.best_z_um),
            uncertainty_um=None if trusted is None else _plain(trusted.uncertainty_um),
            verdict="" if curve is None else curve.verdict,
            reasons=tuple(self._reasons),
            frames=self.frames,
            moves=self.drive.moves,
            seconds=self._microscope.clock.now_s() - self._started_s,
            curve=tuple(look.point for look in self._looks),
        )


def _reduced(image: Image, roi: Roi | None) -> Reduced:
    if roi is None:
        return reduce_plane(to_grey(np.asarray(image, np.float32)))
    y, x, height, width = roi
    return reduce_plane(to_grey(np.asarray(image[y : y + height, x : x + width], np.float32)))


def _plain(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
