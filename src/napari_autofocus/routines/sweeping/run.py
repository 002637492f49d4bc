"""The books of one sweep: what was seen, where to look next, and what it all means.

``sweep.py`` says in which order things happen, ``running/guard.py`` what may end them; here is each thing.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from napari_autofocus.errors import FrameError
from napari_autofocus.focus.curve import FocusCurve
from napari_autofocus.focus.grey import to_grey
from napari_autofocus.focus.phase import Reduced, reduce_plane
from napari_autofocus.focus.sharpness import sharpness
from napari_autofocus.microscope.protocol import Frame, Image, Microscope
from napari_autofocus.records import CurvePoint, SweepRecord
from napari_autofocus.routines.running.guard import RunGuard
from napari_autofocus.routines.searches import SAME_PLACE, SEARCHES, SearchPlan, Visit
from napari_autofocus.routines.sweep_config import Roi, SweepConfig, SweepStep
from napari_autofocus.routines.sweeping.judging import (
    Judgement,
    JudgeSettings,
    Look,
    contrast,
    judge_looks,
    merged,
    noise_bound,
)

Measure = Callable[[Image], float]

NOISE_BOUNDS = 2.0
"""Differences of sharpness below this many times the bound on its deviation are noise."""
LEAST_NOISE = 0.02
"""Share of a sharpness that counts as noise in any case: few frames may agree by chance."""


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
        self.guard = RunGuard(microscope, "sweep", same_place_um=config.same_place_um, timeout_s=config.timeout_s)
        self._end = self.guard.end
        self._measure = measure
        self._looks: list[Look] = []
        self._frame: Frame | None = None
        self._judgement: Judgement | None = None
        self._searched_to_um: dict[int, float] = {}

    # What is seen.

    @property
    def frames(self) -> int:
        """Frames measured so far."""
        return len(self._looks)

    @property
    def _start_um(self) -> float:
        return self.guard.start_um

    def look_at(self, z_um: float) -> CurvePoint:
        """Go there, expose, measure and remember."""
        self.guard.go(z_um)
        return self.look()

    def look(self) -> CurvePoint:
        """Expose, measure and remember a frame where the drive stands."""
        frame = self.guard.snap()
        value = float(self._measure(frame.image))
        if not math.isfinite(value):
            raise FrameError(f"The sharpness of the frame at {frame.z_um:.2f} µm is {value}, which is no measurement.")
        reduced = None if self.config.polarity == "max" else _reduced(frame.image, self.config.roi)
        self._frame = frame
        self._looks.append(Look(CurvePoint(float(frame.z_um), value), reduced))
        return self._looks[-1].point

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
        return max(self._start_um - self.config.range_um, low), min(self._start_um + self.config.range_um, high)

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
            way=self.guard.drive.focus_direction or 1,
            early_stop=self.config.early_stop and self.config.follows_maximum,
            judge=self.judge,
        )

    @property
    def _bounds(self) -> tuple[float, float]:
        low, high = self.guard.drive.limits_um
        return max(self._start_um - self.config.reach_um, low), min(self._start_um + self.config.reach_um, high)

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
        self.guard.reasons += curve.reasons
        if curve.verdict == "phase_minimum" and SEARCHES[self.config.method].follows_maximum:
            self._end("reverted", f"{self.config.method} cannot focus a phase object; use uniform or coarse-to-fine.")
        elif not curve.trusted or curve.best_z_um is None:
            self._end("reverted", f"No peak to trust (verdict {curve.verdict}) among {self.frames} frames.")
        elif not self._bounds[0] <= curve.best_z_um <= self._bounds[1]:
            self._end("reverted", f"The peak at {curve.best_z_um:.2f} µm lies outside of where the drive may go.")
        return self.guard.outcome is None

    def go_and_verify(self) -> None:
        """Go to the peak and look once more; stay only if the frame there keeps what the curve promised."""
        assert self._judgement is not None
        best_z_um = self._judgement.curve.best_z_um
        assert best_z_um is not None
        found = self.look_at(best_z_um).sharpness
        doubt = self._doubt_of_contrast() if self._judgement.by_contrast else self._doubt_of_sharpness(found)
        if doubt is not None:
            self._end("reverted", doubt)
            return
        self.guard.stay = True
        way_um = self.guard.drive.last_um - self._start_um
        was = float(np.mean(self._at_start))
        self._end("focused", f"Moved by {way_um:+.2f} µm; sharpness was {was:.4g} at the start and is {found:.4g} now.")

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

    # What is left behind.

    def record(self) -> SweepRecord:
        """What the run leaves behind."""
        curve = None if self._judgement is None else self._judgement.curve
        trusted = curve if curve is not None and curve.trusted else None
        return SweepRecord(
            method=self.config.method,
            outcome=self.guard.outcome or "failed",
            start_um=self._start_um,
            end_um=self.guard.drive.last_um,
            best_z_um=None if trusted is None else _plain(trusted.best_z_um),
            uncertainty_um=None if trusted is None else _plain(trusted.uncertainty_um),
            verdict="" if curve is None else curve.verdict,
            reasons=tuple(self.guard.reasons),
            frames=self.frames,
            moves=self.guard.drive.moves,
            seconds=self.guard.seconds,
            curve=tuple(look.point for look in self._looks),
        )


def _reduced(image: Image, roi: Roi | None) -> Reduced:
    if roi is None:
        return reduce_plane(to_grey(np.asarray(image, np.float32)))
    y, x, height, width = roi
    return reduce_plane(to_grey(np.asarray(image[y : y + height, x : x + width], np.float32)))


def _plain(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
