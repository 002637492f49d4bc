"""The books of a lens calibration: which value comes next, where its focus is expected, what was found.

``lens_calibration.py`` says in which order things happen, ``running/guard.py`` what may end them; here is each thing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from napari_autofocus.errors import DriveHalted, ForeignMove, FrameError, HardwareError, InputError, MoveRefused
from napari_autofocus.focus.lens_curve import LEAST_POINTS, LensCurve, LensFacts, LensPoint
from napari_autofocus.focus.lens_fit import fit_lens_curve
from napari_autofocus.microscope.protocol import Microscope
from napari_autofocus.records import SweepRecord
from napari_autofocus.routines.lens_config import LensConfig, LensKnob, LensReading, LensRecord, LensStep
from napari_autofocus.routines.running.end import RunEnd, cut_short
from napari_autofocus.routines.running.guard import RunGuard
from napari_autofocus.routines.sweep_config import SweepStep

_SAME_SHARE = 0.01
_POINTS_AHEAD = 3
"""Readings that say where the next one is expected: a line through the last so many."""


class LensRun:
    """State of one calibration.

    Raises
    ------
    InputError
        If the values lie outside of what the device takes.
    HardwareError
        If lens or stage do not tell where they are.
    """

    def __init__(self, microscope: Microscope, knob: LensKnob, config: LensConfig) -> None:
        self.config, self._knob = config, knob
        _require_sense(microscope, knob, config)
        self.guard = RunGuard(microscope, "calibration", same_place_um=config.same_place_um, timeout_s=math.inf)
        self._direction = microscope.focus.focus_direction or config.focus_direction
        self._start_value = self._end_value = self._set_value = knob.value()
        self._lens_moved = False
        self._misses = 0
        self.readings: list[LensReading] = []
        self.curve: LensCurve | None = None

    @property
    def _found(self) -> list[LensReading]:
        return [reading for reading in self.readings if reading.best_z_um is not None]

    def numbers(self) -> Iterator[int]:
        """Values to measure, until too many in a row found nothing."""
        for number in range(len(self.config.values)):
            if self.guard.outcome is not None:
                return
            yield number

    # the lens

    def set_lens(self, number: int) -> None:
        """Bring the lens to a value from below; nothing is set where a person has the stage. Raises HardwareError."""
        self.guard.microscope.focus.position_um()
        self._lens_moved = True
        self._set_value = self._approach(self.config.values[number])

    def _approach(self, value: float) -> float:
        low = self._knob.limits[0]
        if self.config.overshoot > 0 and value > low:
            self._knob.set(max(value - self.config.overshoot, low))
        return self._knob.set(value)

    def put_lens_back(self) -> None:
        """The value that the lens had at the start, unless it never changed."""
        if not self._lens_moved:
            return
        try:
            self._end_value = self._approach(self._start_value)
        except (HardwareError, InputError) as error:
            self.guard.reasons.append(f"The lens could not be put back to {self._start_value:g}: {error}")

    def _require_untouched(self) -> None:
        """Raises ForeignMove if somebody else has set the lens meanwhile."""
        value = self._end_value = self._knob.value()
        if abs(value - self._set_value) > _SAME_SHARE * self.config.step:
            was = f"from {self._set_value:g} to {value:g} {self._knob.unit}".rstrip()
            raise ForeignMove(
                f"Somebody else set {self._knob.device} {was} during the calibration; stop the other program, then"
                " start again."
            )

    # where to look

    def expected_um(self) -> float | None:
        """Where the stage should find focus, by the values before, µm; None while there are none."""
        found = self._found[-_POINTS_AHEAD:]
        if len(found) < 2:
            return None
        values, z_um = [each.value for each in found], [float(each.best_z_um or 0.0) for each in found]
        slope, level = np.polyfit(values, z_um, 1)
        return float(slope * self._set_value + level)

    def go_near(self, expected_um: float | None) -> bool:
        """Bring the stage there; returns whether its limits allow it."""
        if expected_um is None:
            return True
        low, high = self.guard.drive.limits_um
        if not low <= expected_um <= high:
            return False
        self.guard.go(expected_um)
        return True

    # what was found

    def looked(self, number: int, step: SweepStep) -> LensStep:
        """A frame of a search."""
        count = len(self.config.values)
        return LensStep("search", number, count, self._set_value, step.z_um, step.frame, step.sharpness)

    def take_over(self, number: int, record: SweepRecord) -> LensReading:
        """What a sweep found.

        Raises
        ------
        HardwareError
            The stage does not answer, was moved by somebody else, or was halted.
        MoveRefused
            The stage may not be moved at all.
        """
        guard, why = self.guard, " ".join(record.reasons)
        guard.frames += record.frames
        guard.drive.moves += record.moves
        guard.drive.adopt()
        if record.outcome == "cancelled":
            raise DriveHalted(why)
        if record.outcome == "failed":
            raise FrameError(why)
        if record.outcome == "refused":
            raise MoveRefused(why)
        self._require_untouched()
        value = self.config.values[number]
        if record.outcome != "focused" or record.best_z_um is None:
            return LensReading(value, verdict=record.verdict, reason=f"No focus was found. {why}")
        first = self._found[0].best_z_um if self._found else record.best_z_um
        shift_um = self._shift_um(record.best_z_um - (first or 0.0))
        return LensReading(value, record.best_z_um, record.uncertainty_um, shift_um, record.verdict)

    def out_of_reach(self, number: int, expected_um: float | None) -> LensReading:
        """The focus of a value lies where the stage must not go."""
        low, high = self.guard.drive.limits_um
        reason = (
            f"Focus is expected at {expected_um:.2f} µm, outside the limits of {self.guard.drive.label} ({low:g} to"
            f" {high:g} µm); set other limits if they are safe, or take a smaller range."
        )
        return LensReading(self.config.values[number], reason=reason)

    def settled(self, number: int, reading: LensReading) -> LensStep:
        """Enter what was found at a value; too many in a row without a focus end the run."""
        self.readings.append(reading)
        self._misses = 0 if reading.best_z_um is not None else self._misses + 1
        if self._misses >= self.config.most_misses:
            self.guard.end(
                "failed",
                f"{self._misses} values in a row found no focus, the last one at {reading.value:g}: {reading.reason}"
                " Choose a field with more content, or a smaller range of the lens.",
            )
        values, z_um = len(self.config.values), self.guard.drive.last_um
        return LensStep(
            "reading", number, values, self._set_value, z_um, reading=reading, curve=self._fitted(tolerant=True)
        )

    def _shift_um(self, z_um: float) -> float:
        """As if sample and objective had come that much closer: the stage gives way by as much."""
        return -(self._direction or 1) * z_um

    # the curve

    def fit(self) -> None:
        """The curve of all readings; where they make none, the run has failed and says why."""
        if self.guard.outcome is not None:
            return
        try:
            self.curve = self._fitted()
        except InputError as error:
            self.guard.end("failed", str(error))

    def _fitted(self, *, tolerant: bool = False) -> LensCurve | None:
        found = self._found
        if tolerant and len(found) < LEAST_POINTS:
            return None
        values = [each.value for each in found]
        shifts = [self._shift_um(float(each.best_z_um or 0.0)) for each in found]
        zero_um = float(np.interp(self.config.zero, values, shifts)) if found else 0.0
        points = [
            LensPoint(each.value, shift - zero_um, each.uncertainty_um)
            for each, shift in zip(found, shifts, strict=True)
        ]
        try:
            return fit_lens_curve(points, self._facts)
        except InputError:
            if tolerant:
                return None
            raise

    @property
    def _facts(self) -> LensFacts:
        config, knob = self.config, self._knob
        return LensFacts(
            knob.device,
            knob.name,
            knob.unit,
            # A growing shift brings sample and objective together by its definition, if the stage's own way is known.
            focus_direction=1 if self._direction else 0,
            objective=config.objective,
            date=config.date,
            settle_s=config.settle_s,
            overshoot=config.overshoot,
        )

    def record(self) -> LensRecord:
        """What the run leaves behind."""
        outcome, reasons = self._end()
        points = {} if self.curve is None else {point.value: point.shift_um for point in self.curve.points}
        readings = [
            LensReading(
                each.value,
                each.best_z_um,
                each.uncertainty_um,
                points.get(each.value, each.shift_um),
                each.verdict,
                each.reason,
            )
            for each in self.readings
        ]
        return LensRecord(
            outcome=outcome,
            reasons=reasons,
            device=self._knob.device,
            property=self._knob.name,
            unit=self._knob.unit,
            readings=tuple(readings),
            start_value=self._start_value,
            end_value=self._end_value,
            start_um=self.guard.start_um,
            end_um=self.guard.drive.last_um,
            frames=self.guard.frames,
            moves=self.guard.drive.moves,
            seconds=self.guard.seconds,
            curve=self.curve,
        )

    def _end(self) -> tuple[RunEnd, tuple[str, ...]]:
        if (ended := cut_short(self.guard)) is not None:
            return ended
        reasons = tuple(self.guard.reasons)
        if self.curve is None:
            return "failed", ("No curve was made.", *reasons)
        missing = [f"{each.value:g}" for each in self.readings if each.best_z_um is None]
        if not missing:
            return "done", reasons
        short = f"{len(missing)} of {len(self.readings)} values found no focus and are left out: {', '.join(missing)}."
        return "done_in_part", (short, *reasons)


def _require_sense(microscope: Microscope, knob: LensKnob, config: LensConfig) -> None:
    """Raises InputError where the lens focuses itself, or does not take every value. Nothing has been set."""
    if microscope.focus.label == knob.device:
        raise InputError(f"{knob.device} is what focuses now; it is measured with a stage: focus with the stage first.")
    low, high = knob.limits
    if not low <= config.values[0] <= config.values[-1] <= high:
        raise InputError(
            f"{knob.device} takes {knob.name} from {low:g} to {high:g}; found a range of {config.low:g} to"
            f" {config.high:g}: choose values inside."
        )
