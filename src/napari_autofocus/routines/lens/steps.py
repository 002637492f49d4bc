"""Measure the curve of a tunable lens without a motorised stage: by the known heights of a calibration slide.

The lens itself is swept at each height, in its own unit; the value at which a height is sharpest undoes as much defocus
as the height has. Slide and lens end where they began.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from napari_autofocus.errors import DriveHalted, FrameError, InputError, MoveRefused
from napari_autofocus.focus.lens_curve import LEAST_POINTS, LensCurve, LensFacts, LensPoint
from napari_autofocus.focus.lens_fit import fit_lens_curve
from napari_autofocus.microscope.protocol import SlideMicroscope
from napari_autofocus.records import SweepRecord
from napari_autofocus.routines.lens_config import LensReading, LensRecord, LensStep
from napari_autofocus.routines.running.end import RunEnd, cut_short, slide_comes_back
from napari_autofocus.routines.running.guard import RunGuard
from napari_autofocus.routines.sweep import sweep
from napari_autofocus.routines.sweep_config import SweepConfig, SweepStep
from napari_autofocus.steps import relay

Steps = Generator[LensStep, None, None]

_ROUGHNESS = 1e-6


@dataclass(frozen=True)
class SlideStep:
    """One known height of a calibration slide.

    Parameters
    ----------
    x_um, y_um : float
        Where on the slide it is, µm.
    height_um : float
        How far towards the objective, µm, from any level that is the same for all.
    """

    x_um: float
    y_um: float
    height_um: float


@dataclass(frozen=True)
class StepsConfig:
    """How a lens is measured on known heights.

    Parameters
    ----------
    facts : LensFacts
        Whose curve it will be; its focus direction is +1 in any case, since heights say which way is closer.
    step : float
        Finest step of the lens's sweeps, in its own unit: about what shifts the focus by half a depth of field.
    zero : float
        The value at which the shift is called 0.
    timeout_s : float
        Time for the sweep at each height, s.

    Raises
    ------
    InputError
        If a value makes no sense.
    """

    facts: LensFacts
    step: float = 5.0
    zero: float = 0.0
    timeout_s: float = 60.0

    def __post_init__(self) -> None:
        if not 0 < self.step < math.inf:
            raise InputError(f"The step of the lens must be a positive number; found {self.step}.")
        if not math.isfinite(self.zero):
            raise InputError(f"The value of no shift must be a finite number; found {self.zero}.")


def raw_curve(facts: LensFacts, low: float, high: float) -> LensCurve:
    """A curve on which a position is the lens's own value: what drives a lens that is yet to be calibrated."""
    values = np.linspace(low, high, LEAST_POINTS)
    points = tuple(LensPoint(float(value), float(value)) for value in values)
    return LensCurve(replace(facts, focus_direction=0), points, tuple(point.shift_um for point in points))


def calibrate_lens_on_steps(
    microscope: SlideMicroscope,
    places: Sequence[SlideStep],
    config: StepsConfig,
    *,
    keep: Callable[[LensRecord], None] | None = None,
) -> Generator[LensStep, None, LensRecord]:
    """Measure by how much a lens shifts the focus on heights that are known.

    Parameters
    ----------
    microscope : SlideMicroscope
        Focusing through the lens itself by a :func:`raw_curve`; its limits are the values that are swept.
    places : sequence of SlideStep
        Four at least; their order does not matter.
    config : StepsConfig
        How.
    keep : callable, optional
        Told the record however the run ends, cancelled runs included (a closed generator returns nothing).

    Yields
    ------
    LensStep
        After each frame and each height.

    Returns
    -------
    LensRecord
        With the curve, or why there is none. Its start and end are values of the lens. Hardware faults and refusals are
        outcomes, not exceptions.

    Raises
    ------
    InputError
        If there are too few heights, or one is no number. Nothing has moved.
    HardwareError
        If not even the value at the start can be read. Nothing has moved.
    """
    _require_heights(places)
    run = _Run(microscope, places, config)
    try:
        yield from run.guard.supervise(_measure_all(run))
    finally:
        record = run.record()
        if keep is not None:
            keep(record)
    return record


def _measure_all(run: _Run) -> Steps:
    run.guard.check_start(run.config.step)
    with slide_comes_back(run.bring_slide_back):
        for number in range(len(run.places)):
            yield from _measure(run, number)
        run.fit()


def _measure(run: _Run, number: int) -> Steps:
    run.go_to(number)
    steps = sweep(run.microscope, run.sweeping())
    record = yield from relay(steps, lambda step: run.looked(number, step))
    yield run.take_over(number, record)


class _Run:
    """State of one calibration on known heights; the guard brings the lens home."""

    def __init__(self, microscope: SlideMicroscope, places: Sequence[SlideStep], config: StepsConfig) -> None:
        self.microscope, self.config = microscope, config
        self.places = sorted(places, key=lambda place: place.height_um)
        self.guard = RunGuard(microscope, "calibration", same_place_um=config.step / 2, timeout_s=math.inf)
        self._slide_um = microscope.xy_um()
        self._slide_moved = False
        self.readings: list[LensReading] = []
        self._missed: list[str] = []
        self.curve: LensCurve | None = None

    def go_to(self, number: int) -> None:
        """The height under the objective, the lens in the middle of its range."""
        low, high = self.guard.drive.limits_um
        self._slide_moved = True
        self.guard.move_slide(self.places[number].x_um, self.places[number].y_um)
        self.guard.go((low + high) / 2)

    def sweeping(self) -> SweepConfig:
        """The whole range of the lens, in its own unit."""
        low, high = self.guard.drive.limits_um
        half = (high - low) / 2
        return SweepConfig(
            range_um=half,
            furthest_um=half,
            step_um=self.config.step,
            polarity="max",
            timeout_s=self.config.timeout_s,
            same_place_um=self.config.step / 2,
        )

    def looked(self, number: int, step: SweepStep) -> LensStep:
        """A frame of a sweep."""
        count, height_um = len(self.places), self.places[number].height_um
        return LensStep("search", number, count, step.z_um, height_um, step.frame, step.sharpness)

    def take_over(self, number: int, record: SweepRecord) -> LensStep:
        """What a sweep found. Raises HardwareError, MoveRefused where it could not go on."""
        guard, why, place = self.guard, " ".join(record.reasons), self.places[number]
        guard.frames += record.frames
        guard.drive.moves += record.moves
        guard.drive.adopt()
        for outcome, error in (("cancelled", DriveHalted), ("failed", FrameError), ("refused", MoveRefused)):
            if record.outcome == outcome:
                raise error(why)
        reading = None
        if record.outcome == "focused" and record.best_z_um is not None:
            # A place that is higher is closer by its height, which the lens at this value undoes.
            reading = LensReading(record.best_z_um, None, None, -place.height_um, record.verdict)
            self.readings.append(reading)
        else:
            self._missed.append(f"No focus was found at the height of {place.height_um:g} µm. {why}")
        value = self.guard.drive.last_um
        curve = self._fitted(tolerant=True)
        return LensStep("reading", number, len(self.places), value, place.height_um, reading=reading, curve=curve)

    def bring_slide_back(self) -> None:
        """Where the slide stood at the start, unless it never moved."""
        if not self._slide_moved:
            return
        self.guard.bring_slide_back(*self._slide_um)

    def fit(self) -> None:
        """The curve of all heights; where they make none, the run has failed and says why."""
        try:
            self.curve = self._fitted()
        except InputError as error:
            self.guard.end("failed", " ".join([str(error), *self._missed]))

    def _fitted(self, *, tolerant: bool = False) -> LensCurve | None:
        found = sorted(self.readings, key=lambda reading: reading.value)
        if tolerant and len(found) < LEAST_POINTS:
            return None
        shifts = [reading.shift_um or 0.0 for reading in found]
        zero_um = float(np.interp(self.config.zero, [each.value for each in found], shifts)) if found else 0.0
        points = [LensPoint(each.value, shift - zero_um) for each, shift in zip(found, shifts, strict=True)]
        try:
            return fit_lens_curve(points, replace(self.config.facts, focus_direction=1))
        except InputError:
            if tolerant:
                return None
            raise

    def record(self) -> LensRecord:
        """What the run leaves behind."""
        guard, facts = self.guard, self.config.facts
        outcome, reasons = self._end()
        return LensRecord(
            outcome=outcome,
            reasons=(*reasons, *self._missed),
            device=facts.device,
            property=facts.property,
            unit=facts.unit,
            readings=tuple(self.readings),
            start_value=guard.start_um,
            end_value=guard.drive.last_um,
            start_um=None,
            end_um=None,
            frames=guard.frames,
            moves=guard.drive.moves,
            seconds=guard.seconds,
            curve=self.curve,
        )

    def _end(self) -> tuple[RunEnd, tuple[str, ...]]:
        if (ended := cut_short(self.guard)) is not None:
            return ended
        reasons = tuple(self.guard.reasons)
        if self.curve is None:
            return "failed", reasons
        return "done_in_part" if self._missed else "done", reasons


def _require_heights(places: Sequence[SlideStep]) -> None:
    for place in places:
        if not all(map(math.isfinite, (place.x_um, place.y_um, place.height_um))):
            raise InputError(f"A step of the calibration slide is no place: {place}; give x, y and height in µm.")
    heights = sorted({round(place.height_um / _ROUGHNESS) for place in places})
    if len(heights) < LEAST_POINTS:
        raise InputError(f"A lens curve needs {LEAST_POINTS} different heights at least; found {len(heights)}.")
