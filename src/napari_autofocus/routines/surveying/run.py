"""The books of a survey: where slide and drive go, what the neighbours say, what became of each place.

``survey.py`` says in which order things happen, ``running/guard.py`` what may end them; here is each thing, whatever
finds the focus of a point.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from napari_autofocus.errors import DriveHalted, FrameError, InputError, MoveRefused
from napari_autofocus.microscope.protocol import Frame, Microscope, SlideMicroscope
from napari_autofocus.records import FocusRecord
from napari_autofocus.routines.running.end import RunEnd, cut_short
from napari_autofocus.routines.running.guard import RunGuard
from napari_autofocus.routines.survey_config import AnySurveyConfig, Place, SurveyPhase, SurveyStep
from napari_autofocus.routines.surveying.record import LOST, WITH_FOCUS, SurveyRecord, share_lost
from napari_autofocus.slide.focus_map import FocusMap, FocusPoint, Outcome, fit_focus_map, predict_next

TRIES = 2
"""A place at which the camera fails is tried so often."""
FAILURES_IN_A_ROW = 3
"""After so many places in succession that failed, the run ends: it is the camera, not the place (ours)."""
FEWEST_LOST = 3
"""A survey is not refused for fewer points without focus (ours)."""
FIT_GROWTH = 1.25
"""The surface is not fitted again before there are so many times as many points (ours)."""


class SurveyRun:
    """State of one survey.

    Parameters
    ----------
    microscope : Microscope
        It must move its slide.
    config : SurveyConfig or SweepSurveyConfig
        The settings.
    places : sequence of (x, y)
        Where to look, µm, in the order to visit.
    earlier : SurveyRecord, optional
        A survey to go on with: places that it has settled are not visited again.
    facts : Any
        What the record has to say besides: method, model, fingerprint, dof_um.

    Raises
    ------
    InputError
        If there are no places, or the slide cannot be moved.
    HardwareError
        If the position of a drive cannot be read.
    """

    def __init__(
        self,
        microscope: Microscope,
        config: AnySurveyConfig,
        places: Sequence[Place],
        earlier: SurveyRecord | None = None,
        **facts: Any,
    ) -> None:
        self.places = tuple((float(x_um), float(y_um)) for x_um, y_um in places)
        if not self.places or not all(math.isfinite(value) for place in self.places for value in place):
            raise InputError(f"A survey takes finite stage positions of one place or more; found {len(self.places)}.")
        if not isinstance(microscope, SlideMicroscope) or math.isnan((here_um := microscope.xy_um())[0]):
            raise InputError("This microscope cannot move its slide; select an XY stage to survey a slide.")
        self.config, self._microscope, self._slide_um, self._facts = config, microscope, here_um, facts
        self.guard = RunGuard(microscope, "survey", same_place_um=config.same_place_um, timeout_s=config.timeout_s)
        self.direction = microscope.focus.focus_direction or config.focus_direction
        self.settled: dict[int, FocusPoint] = {}
        self.warnings: dict[str, None] = {}
        self._take_over(earlier)
        self.taken_over = len(self.settled)
        self._left = deque(number for number in range(len(self.places)) if number not in self.settled)
        self._waiting: dict[int, FocusPoint] = {}
        self._failures = 0
        self._fit_at = config.surface_every
        self._slide_moved = False

    def _take_over(self, earlier: SurveyRecord | None) -> None:
        if earlier is None:
            return
        self.direction = self.direction or earlier.focus_direction
        for number, place in enumerate(self.places):
            if (point := earlier.taken_at(place)) is not None:
                self.settled[number] = point

    # Where to go.

    def numbers(self) -> Iterator[int]:
        """Places to visit, in order; those that were put off come last."""
        while self._left and self.guard.outcome is None:
            yield self._left.popleft()

    @property
    def found(self) -> list[FocusPoint]:
        """Points that have a focus."""
        return [point for point in self.settled.values() if point.outcome in WITH_FOCUS and point.z_um is not None]

    def predict(self, place: Place) -> tuple[float, float] | None:
        """Where focus should be by the points found so far, and how far that is to be trusted, µm; None without any."""
        return predict_next(self.found, *place)

    def approach(self, place: Place, z_um: float | None = None, within_um: float = 0.0) -> None:
        """Bring a place under the objective, the drive no farther than ``within_um`` from a height.

        What takes sample and objective apart is done before the slide moves, what brings them together after it.

        Raises
        ------
        MoveRefused
            The place lies beyond the limits of the stage, or the height beyond those of the drive.
        """
        self.guard.check_time()
        here_um = self.guard.drive.last_um
        moves = z_um is not None and abs(z_um - here_um) > max(within_um, self.config.same_place_um)
        is_apart = moves and z_um is not None and (self.direction or 1) * (z_um - here_um) < 0
        if moves and is_apart and z_um is not None:
            self.guard.go(z_um)
        self.move_slide(place)
        if moves and not is_apart and z_um is not None:
            self.guard.go(z_um)

    def move_slide(self, place: Place) -> None:
        """Bring a place under the objective. Raises MoveRefused beyond the limits of the stage."""
        self._slide_moved = True
        self.guard.move_slide(*place)

    def bring_slide_back(self) -> None:
        """Where the slide stood at the start, unless it never moved."""
        if self._slide_moved:
            self.guard.bring_slide_back(*self._slide_um)

    def within_limits(self, z_um: float, slack_um: float) -> float:
        """The nearest height that the drive may take.

        Raises
        ------
        MoveRefused
            It lies farther away than that.
        """
        low, high = self.guard.drive.limits_um
        allowed = min(max(z_um, low), high)
        if not abs(allowed - z_um) <= slack_um:
            raise MoveRefused(
                f"By its neighbours this place is in focus at {z_um:.2f} µm, beyond the limits of the focus drive"
                f" ({low:g} to {high:g} µm)."
            )
        return allowed

    def adopt(self, record: FocusRecord) -> None:
        """A focusing routine has had the drive.

        Raises
        ------
        HardwareError
            It was halted, or it failed.
        """
        self.guard.frames += record.frames
        self.guard.drive.moves += record.moves
        self.guard.drive.adopt()
        why = " ".join(record.reasons)
        if record.outcome == "cancelled":
            raise DriveHalted(why)
        if record.outcome == "failed":
            raise FrameError(why)

    # What becomes of places.

    def point_at(
        self,
        place: Place,
        outcome: Outcome,
        reason: str = "",
        z_um: float | None = None,
        uncertainty_um: float | None = None,
    ) -> FocusPoint:
        """A point; a focus beyond the limits of the drive is told, and not kept."""
        low, high = self.guard.drive.limits_um
        if z_um is not None and not low <= z_um <= high:
            outcome, reason = (
                "out_of_reach",
                (f"Best focus lies at {z_um:.2f} µm, beyond the limits of the focus drive ({low:g} to {high:g} µm)."),
            )
            z_um = uncertainty_um = None
        return FocusPoint(*place, z_um, uncertainty_um, outcome, reason, str(self._facts.get("model", "")))

    def put_off(self, number: int, point: FocusPoint) -> bool:
        """Come back to a place once the surface is known; False where that would tell nothing new."""
        if number in self._waiting:
            return False
        self._waiting[number] = point
        self._left.append(number)
        return True

    def waiting(self, number: int) -> FocusPoint | None:
        """What is known of a place that was put off."""
        return self._waiting.get(number)

    def doubtful(self) -> list[int]:
        """Places to look at once more now that the surface is known: without focus, or off it by far."""
        surface = self.fitted()
        if surface is None or self.guard.outcome is not None:
            return []
        numbers = list(self.settled)[self.taken_over :]
        off = {list(self.settled)[index] for index in surface.rejected}
        return [number for number in numbers if number in off or self.settled[number].outcome in LOST]

    def forget(self, number: int) -> FocusPoint:
        """Leave a point out of what its neighbours say of it."""
        return self.settled.pop(number)

    def settle(self, number: int, point: FocusPoint) -> SurveyStep:
        """Enter what became of a place; too many failures end the run."""
        self.settled[number] = point
        self._failures = self._failures + 1 if point.outcome == "failed" else 0
        if self._failures >= FAILURES_IN_A_ROW:
            self.guard.end("failed", f"{self._failures} places in succession failed, the last one so: {point.reason}")
        self._refuse_if_hopeless()
        return self.step("point", number, point=point, surface=self._fitted_in_turn())

    def _fitted_in_turn(self) -> FocusMap | None:
        """The surface now and then, ever more seldom: fits of many points would cost more than the survey."""
        count = len(self.settled)
        if count < self._fit_at:
            return None
        self._fit_at = max(count + self.config.surface_every, math.ceil(FIT_GROWTH * count))
        return self.fitted()

    def _refuse_if_hopeless(self) -> None:
        """End the run once so many points with content have no focus that the rest could not make up for it."""
        lost, holding = share_lost(list(self.settled.values()))
        if lost < FEWEST_LOST or lost <= self.config.most_failed * (holding + len(self._left)):
            return
        first = next(point.reason for point in self.settled.values() if point.outcome in LOST)
        self.guard.end(
            "refused",
            f"{lost} of {holding} points with content failed ({lost / holding:.0%}), where"
            f" {self.config.most_failed:.0%} may; a map through the others would be a guess. The first failed so:"
            f" {first}",
        )

    def fitted(self) -> FocusMap | None:
        """The surface through the points so far; None while they are too few or on a line."""
        try:
            return fit_focus_map(tuple(self.settled.values()), surface=self.config.surface)
        except InputError:
            return None

    def step(self, phase: SurveyPhase, number: int, frame: Frame | None = None, **more: Any) -> SurveyStep:
        """Progress."""
        done, total = len(self.settled), len(self.places)
        return SurveyStep(phase, number, self.places[number], frame, done=done, total=total, **more)

    def record(self) -> SurveyRecord:
        """What the run leaves behind."""
        outcome, reasons = self._end()
        return SurveyRecord(
            outcome=outcome,
            reasons=reasons,
            places=self.places,
            numbers=tuple(sorted(self.settled)),
            points=tuple(self.settled[number] for number in sorted(self.settled)),
            exposures=self.guard.frames,
            moves=self.guard.drive.moves,
            seconds=self.guard.seconds,
            start_um=self.guard.start_um,
            end_um=self.guard.drive.last_um,
            focus_direction=self.direction,
            warnings=tuple(self.warnings),
            taken_over=self.taken_over,
            **self._facts,
        )

    def _end(self) -> tuple[RunEnd, tuple[str, ...]]:
        known = [f"{self.taken_over} points were taken over from an earlier survey."] if self.taken_over else []
        if (ended := cut_short(self.guard, *known)) is not None:
            return ended
        reasons = (*known, *self.guard.reasons)
        lost, holding = share_lost(list(self.settled.values()))
        out = sum(point.outcome == "out_of_reach" for point in self.settled.values())
        if lost or out:
            beyond = f", and {out} places could not be reached" if out else ""
            return "done_in_part", (f"{lost} of {holding} points with content have no focus{beyond}.", *reasons)
        if not holding:
            return "done_in_part", (f"None of {len(self.places)} places shows anything to focus on.", *reasons)
        return "done", reasons
