"""The books of an acquisition: where to go next, what was seen of a field, what became of it.

``acquire.py`` says in which order things happen, ``running/guard.py`` what may end them; here is each thing.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from napari_autofocus.errors import (
    AutofocusError,
    DriveHalted,
    FrameError,
    InputError,
    MoveRefused,
)
from napari_autofocus.microscope.protocol import Frame, Microscope, SlideMicroscope
from napari_autofocus.records import FocusRecord
from napari_autofocus.routines.acquire_config import (
    AcquireConfig,
    AcquireRecord,
    AcquireStep,
    FieldPlan,
    FieldResult,
    FieldSink,
    FieldState,
    Phase,
    Place,
)
from napari_autofocus.routines.acquiring.content import ContentMeter
from napari_autofocus.routines.running.end import RunEnd, cut_short
from napari_autofocus.routines.running.guard import RunGuard

TRIES = 2
"""A field at which the camera fails is tried so often."""
FAILURES_IN_A_ROW = 3
"""After so many fields in succession that failed, the run ends: it is the camera, not the field (ours)."""


class FieldGivenUp(AutofocusError):
    """This position yields no stack; the message says why, ``state`` in one word."""

    def __init__(self, state: FieldState, why: str) -> None:
        super().__init__(why)
        self.state: FieldState = state


class AcquireRun:
    """State of one run over many positions.

    Raises
    ------
    InputError
        If the positions cannot be visited with this microscope.
    HardwareError
        If the position of a drive cannot be read.
    """

    def __init__(
        self,
        microscope: Microscope,
        config: AcquireConfig,
        positions: Sequence[Place],
        wanted: int | None,
        done: Collection[int],
        dof_um: float | None,
    ) -> None:
        self.config, self.dof_um = config, dof_um
        self.guard = RunGuard(microscope, "acquisition", same_place_um=config.same_place_um, timeout_s=config.timeout_s)
        self.focus_um = self.guard.start_um
        self.failures = 0
        self.fields: list[FieldResult] = []
        self._positions = [(float(x_um), float(y_um)) for x_um, y_um in positions]
        self._left = [number for number in range(len(self._positions)) if number not in done]
        self.wanted = len(self._left) if wanted is None else wanted
        self._slide_um = _slide_position(microscope, self._positions)
        self._slide_moved = False

    @property
    def written(self) -> int:
        """Stacks written so far."""
        return sum(each.state == "written" for each in self.fields)

    def place(self, number: int) -> Place:
        """Stage position of a field, µm."""
        return self._positions[number]

    def numbers(self) -> Iterator[int]:
        """Positions to visit, until enough stacks are written."""
        for number in self._left:
            if self.written >= self.wanted or self.guard.outcome is not None:
                return
            yield number

    def move_slide(self, number: int) -> None:
        """Bring a position under the objective, the drive at the last focus that was found."""
        if abs(self.guard.drive.last_um - self.focus_um) > self.config.same_place_um:
            self.guard.go(self.focus_um)
        self.guard.forget_field()
        x_um, y_um = self._positions[number]
        if math.isnan(x_um):
            return
        self._slide_moved = True
        try:
            self.guard.move_slide(x_um, y_um)
        except MoveRefused as error:
            raise FieldGivenUp("out_of_reach", str(error)) from error

    def bring_slide_back(self) -> None:
        """Where the slide stood at the start, unless it never moved."""
        if not self._slide_moved or self._slide_um is None:
            return
        self.guard.bring_slide_back(*self._slide_um)

    def settle(self, result: FieldResult) -> AcquireStep:
        """Enter what became of a field; too many failures in a row end the run."""
        self.fields.append(result)
        self.failures = self.failures + 1 if result.state == "failed" else 0
        if self.failures >= FAILURES_IN_A_ROW:
            self.guard.end("failed", f"{self.failures} fields in succession failed, the last one so: {result.reason}")
        place = (result.x_um, result.y_um)
        return AcquireStep("field", result.number, place, written=self.written, wanted=self.wanted, result=result)

    def record(self) -> AcquireRecord:
        """What the run leaves behind."""
        outcome, reasons = self._end()
        return AcquireRecord(
            outcome=outcome,
            reasons=reasons,
            fields=tuple(self.fields),
            frames=self.guard.frames,
            moves=self.guard.drive.moves,
            seconds=self.guard.seconds,
            start_um=self.guard.start_um,
            end_um=self.guard.drive.last_um,
        )

    def _end(self) -> tuple[RunEnd, tuple[str, ...]]:
        if (ended := cut_short(self.guard)) is not None:
            return ended
        reasons = tuple(self.guard.reasons)
        if self.written >= self.wanted:
            return "done", reasons
        short = f"{self.written} of {self.wanted} stacks were written: the positions are used up."
        return "done_in_part", (short, *reasons)


class FieldVisit:
    """What is seen and done at one position."""

    def __init__(self, run: AcquireRun, number: int) -> None:
        self.run, self.number, self.place = run, number, run.place(number)
        self.result: FieldResult | None = None
        self._tries = 0
        self._centre_um = run.guard.start_um
        self._meter = self._new_meter()

    def go_there(self) -> None:
        """Bring the field under the objective."""
        self._tries += 1
        self._meter = self._new_meter()
        if self.run.config.centre == "here":
            self.run.focus_um = self.run.guard.start_um
        self.run.move_slide(self.number)

    def _new_meter(self) -> ContentMeter:
        config = self.run.config
        return ContentMeter(config.patch_px, config.step_um / 2, self.run.dof_um)

    def looked(self, frame: Frame) -> AcquireStep:
        """A frame of the search for focus."""
        self._meter.add(frame)
        return self._step("find", frame)

    def take_over(self, record: FocusRecord) -> None:
        """The finder has left the drive somewhere; what it found is where the planes go.

        Raises
        ------
        FieldGivenUp
            There is nothing to focus on, or no focus was found.
        HardwareError
            The drive does not answer, was moved by somebody else, or was halted.
        """
        guard = self.run.guard
        guard.frames += record.frames
        guard.drive.moves += record.moves
        guard.drive.adopt()
        why = " ".join(record.reasons)
        if record.outcome == "cancelled":
            raise DriveHalted(why)
        if record.outcome == "failed":
            raise FrameError(why)
        if record.outcome in ("focused", "already_in_focus"):
            self._centre_um = self.run.focus_um = guard.drive.last_um
            return
        self._centre_um = self._second_best(record, why)

    def _second_best(self, record: FocusRecord, why: str) -> float:
        """Where the planes go though the finder failed: where single patches are sharp, or at the last focus."""
        seen = self._meter.verdict(spikes=True)  # the stack itself will tell a disturbance from a narrow peak
        holds = seen is not None and seen.holds(self.run.config.least_content)
        if holds and seen is not None and seen.best_z_um is not None:
            return seen.best_z_um
        if not self.run.config.skip_empty:
            return self.run.focus_um
        if record.outcome == "skipped_no_content" or (seen is not None and not holds):
            raise FieldGivenUp("empty", f"Nothing to focus on. {seen.in_words() if seen and not holds else why}")
        raise FieldGivenUp("no_focus", f"No focus was found. {why}")

    def plan(self) -> FieldPlan:
        """Where the planes go. Raises FieldGivenUp where the drive may not."""
        if self.run.config.centre == "here":
            self._centre_um = self.run.guard.start_um
        z_um = self.run.config.z_um(self.number, self._centre_um)
        low, high = self.run.guard.drive.limits_um
        if z_um[0] < low or z_um[-1] > high:
            raise FieldGivenUp(
                "out_of_reach",
                f"Planes from {z_um[0]:.2f} to {z_um[-1]:.2f} µm reach beyond the limits of the focus drive ({low:g} to"
                f" {high:g} µm); take a smaller range, or set other limits if you know that they are safe.",
            )
        self._meter = self._new_meter()
        return FieldPlan(self.number, self.place, z_um, self._centre_um)

    def order(self, plan: FieldPlan) -> list[int]:
        """Planes in the direction of approach, sample and objective coming together: no move is turned round."""
        planes = list(range(len(plan.z_um)))
        return planes if (self.run.guard.drive.focus_direction or 1) > 0 else planes[::-1]

    def took(self, frame: Frame, done: int) -> AcquireStep:
        """A plane of the stack, the ``done``-th."""
        return self._step("plane", frame, done, self._meter.add(frame))

    def keep_unless_empty(self, sink: FieldSink) -> None:
        """The last plane is there: make the stack valid, unless it shows nothing. Raises FieldGivenUp."""
        seen = self._meter.verdict()
        config = self.run.config
        if config.skip_empty and seen is not None and not seen.holds(config.least_content):
            raise FieldGivenUp("empty", f"The stack shows nothing that changes with focus. {seen.in_words()}")
        name = sink.keep()
        verdict, best_z_um = ("", None) if seen is None else (seen.field.verdict, seen.best_z_um)
        reason = "" if seen is None else " ".join(seen.field.reasons)
        self.result = FieldResult(
            self.number, *self.place, "written", reason, name, self._centre_um, best_z_um, verdict
        )

    @contextmanager
    def tolerant(self) -> Iterator[None]:
        """A frame that failed costs the field one of its tries; anything else ends the run as ever."""
        try:
            yield
        except FrameError as error:
            if self._tries >= TRIES:
                raise FieldGivenUp("failed", f"The camera failed {self._tries} times here: {error}") from error

    def give_up(self, why: FieldGivenUp) -> None:
        """This position yields no stack."""
        self.result = FieldResult(self.number, *self.place, why.state, str(why))

    def _step(self, phase: Phase, frame: Frame, plane: int = 0, sharpness: float | None = None) -> AcquireStep:
        counts = self.run.config.planes, self.run.written, self.run.wanted
        return AcquireStep(phase, self.number, self.place, frame, plane, *counts, sharpness)


def _slide_position(microscope: Microscope, positions: Sequence[Place]) -> Place | None:
    """Where the slide stands, µm; None where it cannot be moved, which only the current place allows."""
    if not positions:
        raise InputError("There is no position to acquire at; give at least one.")
    if np.isinf(np.asarray(positions, np.float64)).any():
        raise InputError("A position is infinite; give stage positions in µm.")
    if all(math.isnan(x_um) for x_um, _ in positions):
        return None
    here = microscope.xy_um() if isinstance(microscope, SlideMicroscope) else (math.nan, math.nan)
    if math.isnan(here[0]):
        raise InputError("This microscope cannot move its slide; acquire where it stands, or select an XY stage.")
    return here
