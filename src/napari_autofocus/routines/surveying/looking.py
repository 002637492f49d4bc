"""How a model finds the focus of one place of a survey: one frame, and another where the first does not do."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator
from typing import Any

from napari_autofocus.errors import InputError, MoveRefused
from napari_autofocus.focus.estimate import FocusPredictor, refocus_z_um
from napari_autofocus.microscope.protocol import Frame
from napari_autofocus.records import FocusRecord, RefocusRecord
from napari_autofocus.routines.refocus import refocus
from napari_autofocus.routines.refocus_config import RefocusConfig
from napari_autofocus.routines.running.looking import estimate_frame
from napari_autofocus.routines.survey_config import FOLLOW_SHARE, Place, SurveyConfig, SurveyPhase, SurveyStep
from napari_autofocus.routines.surveying.reading import Reading, agreed, content_offset_um, read
from napari_autofocus.routines.surveying.run import SurveyRun
from napari_autofocus.routines.sweep import sweep
from napari_autofocus.slide.focus_map import FocusPoint
from napari_autofocus.steps import relay

Looking = Generator[SurveyStep, None, FocusPoint]
Steps = Generator[SurveyStep, None, None]

MOST_SEARCHES = 3
"""Places that look empty at which a sweep makes sure, while no focus is known at all (ours)."""
DOUBTS = 3.0
"""A point is doubted from so many standard errors of its neighbours' surface on (ours)."""


class ModelLook:
    """Finds the focus of places by a model of one shot."""

    def __init__(self, run: SurveyRun, predictor: FocusPredictor, config: SurveyConfig) -> None:
        self._run, self._predictor, self._config = run, predictor, config
        self._card = predictor.card
        self._follow_um = config.follow_um or FOLLOW_SHARE * self._card.range_um
        self._searches = 0
        self._reading: Reading | None = None

    def __call__(self, number: int) -> Looking:
        """Look at one place; whatever there is to say of it is its point."""
        run, place = self._run, self._run.places[number]
        if not run.found or run.direction == 0:
            known = run.waiting(number)
            if known is not None:
                return known
            point = yield from self._find_first(number)
            return point
        point = yield from self._find_near_surface(number, place, self._follow_um)
        return point

    def again(self, number: int) -> Looking:
        """Look once more at a place, from the surface itself, where the model sees best."""
        point = yield from self._find_near_surface(number, self._run.places[number], 0.0)
        return point

    # The first focus.

    def _find_first(self, number: int) -> Looking:
        """Nothing is known yet: refocus fully, and sweep where the model sees nothing at all."""
        run, place = self._run, self._run.places[number]
        predicted = run.predict(place)
        run.approach(place, run.guard.start_um if predicted is None else run.within_limits(predicted[0], math.inf))
        record = yield from self._run_finder(number, refocus(run.guard.microscope, self._predictor, self._refocusing()))
        assert isinstance(record, RefocusRecord)
        run.warnings.update(dict.fromkeys(record.warnings))
        run.direction = run.direction or record.focus_direction
        why = " ".join(record.reasons)
        if record.outcome in ("focused", "already_in_focus"):
            return self._first_point(place, record, why)
        if record.outcome == "skipped_no_content":
            if self._config.sweep is not None and self._searches < MOST_SEARCHES:
                self._searches += 1
                swept = yield from self._run_finder(number, sweep(run.guard.microscope, self._config.sweep))
                if swept.outcome == "focused":
                    return run.point_at(place, "found", f"{why} A sweep found it.", swept.end_um, self._dof_um / 4)
            return run.point_at(place, "empty", why)
        return run.point_at(place, "refused", why)

    def _first_point(self, place: Place, record: RefocusRecord, why: str) -> FocusPoint:
        """What is left of the defocus is known as well: the point lies where the last frame puts it."""
        z_um, left_um = record.end_um, record.after_um
        if left_um is not None and self._run.direction:
            z_um = refocus_z_um(z_um, left_um, self._run.direction)
        return self._run.point_at(place, "found", why, z_um, record.after_uncertainty_um)

    def _refocusing(self) -> RefocusConfig:
        config = self._config
        return RefocusConfig(
            optics=config.optics,
            insist=config.insist,
            region=config.region,
            focus_direction=config.focus_direction,
            probe_um=config.probe_um,
            second_shot_um=config.second_shot_um,
            sweep=config.sweep,
            same_place_um=config.same_place_um,
        )

    def _run_finder(
        self, number: int, steps: Generator[Any, None, FocusRecord]
    ) -> Generator[SurveyStep, None, FocusRecord]:
        """Pass a focusing routine's frames on; closing this closes it."""

        def seen(step: Any) -> SurveyStep:
            return self._run.step("find", number, step.frame, estimate=getattr(step, "estimate", None))

        record = yield from relay(steps, seen)
        self._run.adopt(record)
        return record

    # Every other point.

    def _find_near_surface(self, number: int, place: Place, within_um: float) -> Looking:
        """One frame from near where focus should be, and more only where it does not do."""
        self._go_near(place, within_um)
        yield from self._shoot("shot", number)
        if self._newest.is_empty:
            point = yield from self._look_nearby(number, place)
            return point
        yield from self._make_sure(number)
        point = yield from self._judge(number, self._newest, place)
        return point

    def _go_near(self, place: Place, within_um: float) -> None:
        """Bring a place under the objective, the drive no farther than that from the surface."""
        predicted = self._run.predict(place)
        if predicted is None:
            self._run.approach(place)
            return
        z_um = self._run.within_limits(self._not_wild(place, predicted[0]), self._card.range_um)
        self._run.approach(place, z_um, within_um)

    def _not_wild(self, place: Place, z_um: float) -> float:
        """A surface that leads farther from the nearest point than the model can see is not followed."""
        nearest = min(self._run.found, key=lambda point: math.dist((point.x_um, point.y_um), place))
        known_um, most_um = float(nearest.z_um or 0.0), self._card.range_um
        return min(max(z_um, known_um - most_um), known_um + most_um)

    def _shoot(self, phase: SurveyPhase, number: int) -> Steps:
        """Take a frame where slide and drive stand, and read it."""
        frame, config = self._run.guard.snap(), self._config
        estimate = estimate_frame(
            frame, self._predictor, optics=config.optics, insist=config.insist, region=config.region
        )
        self._run.warnings.update(dict.fromkeys(estimate.warnings))
        self._reading = read(frame, estimate, self._run.direction, self._dof_um)
        yield self._run.step(phase, number, frame, estimate=estimate)

    @property
    def _newest(self) -> Reading:
        assert self._reading is not None
        return self._reading

    @property
    def _dof_um(self) -> float:
        return self._card.dof_um

    def _make_sure(self, number: int) -> Steps:
        """A second frame where the first left the model unsure or is out of range; a third where both say little."""
        first = self._newest
        target_um = None if first.trusted else self._second_um(first)
        if target_um is None:
            return
        self._run.guard.go(target_um)
        yield from self._shoot("second", number)
        both = None if self._newest.trusted else agreed(first, self._newest, self._dof_um)
        if both is None or both.z_um is None:
            return
        low, high = self._run.guard.drive.limits_um
        if (both.uncertainty_um or 0.0) <= self._dof_um:
            self._reading = both
        elif low <= both.z_um <= high:  # each could be anywhere: from where they put the focus the model sees best
            self._run.guard.go(both.z_um)
            yield from self._shoot("again", number)

    def _second_um(self, first: Reading) -> float | None:
        """Where the second frame is taken; None where there is no way to go."""
        low, high = self._run.guard.drive.limits_um
        here_um, direction = first.frame.z_um, self._run.direction
        if first.estimate.verdict == "out_of_range" and first.estimate.defocus_um is not None:
            way_um = -direction * math.copysign(self._card.range_um, first.estimate.defocus_um)
        else:
            way_um = -direction * self._refocusing().second_shot_for(self._dof_um)
        target_um = min(max(here_um + way_um, low), high)
        return target_um if abs(target_um - here_um) > self._config.same_place_um else None

    def _judge(self, number: int, reading: Reading, place: Place) -> Looking:
        """A reading becomes a point, unless it contradicts its neighbours and a second look does not bear it out."""
        run = self._run
        if not reading.trusted or reading.z_um is None:
            return run.point_at(place, "refused", reading.reason)
        off_um = self._contradiction(reading, place)
        if off_um is None:
            return self._found(reading, place, "")
        told = f"It lies {off_um:+.2f} µm off the surface of its neighbours"
        low, high = run.guard.drive.limits_um
        if not low <= reading.z_um <= high:
            return run.point_at(place, "refused", f"{told}, at {reading.z_um:.2f} µm beyond the limits of the drive.")
        run.guard.go(reading.z_um)
        yield from self._shoot("again", number)
        again = self._newest
        if again.trusted and agreed(reading, again, self._dof_um) is not None:
            return self._found(again, place, f"{told}, which a second frame bears out.")
        if again.trusted and self._contradiction(again, place) is None:
            return self._found(again, place, f"{told} by the first frame, on it by the second.")
        return run.point_at(place, "refused", f"{told}, and a second frame does not bear it out. {again.reason}")

    def _found(self, reading: Reading, place: Place, more: str) -> FocusPoint:
        reason = " ".join(part for part in (more, reading.reason if reading.estimate.verdict != "flat" else "") if part)
        where = self._where(reading, place)
        return self._run.point_at(where, "found", reason, reading.z_um, reading.uncertainty_um)

    def _where(self, reading: Reading, place: Place) -> Place:
        """Where on the slide the content lies that was read."""
        x_um, y_um = content_offset_um(reading, self._config.mirrored)
        return place[0] + x_um, place[1] + y_um

    def _contradiction(self, reading: Reading, place: Place) -> float | None:
        """How far off the surface of its neighbours a reading lies, µm; None where that is nothing to wonder at."""
        predicted = self._run.predict(self._where(reading, place))
        if predicted is None or reading.z_um is None:
            return None
        off_um = reading.z_um - predicted[0]
        doubtful_um = max(self._config.contradicts_dof * self._dof_um, DOUBTS * predicted[1])
        return off_um if abs(off_um) > doubtful_um else None

    # Empty places.

    def _look_nearby(self, number: int, place: Place) -> Looking:
        """The place is empty; the first field around it that has a focus stands for it."""
        run, empty = self._run, self._newest
        for beside in self._around(place, empty.frame):
            try:
                run.move_slide(beside)
            except MoveRefused:
                continue  # beyond the limits of the stage there is nothing to look at
            yield from self._shoot("nearby", number)
            reading = self._newest
            if reading.trusted and reading.z_um is not None and self._contradiction(reading, beside) is None:
                away_um = math.dist(place, beside)
                told = f"The place itself is empty; this is the focus of a field {away_um:.0f} µm beside it."
                where = self._where(reading, beside)
                return run.point_at(where, "nearby", told, reading.z_um, reading.uncertainty_um)
        looked = f" So are {self._config.nearby} fields around it." if self._config.nearby else ""
        return run.point_at(place, "empty", f"{empty.reason}{looked}")

    def _around(self, place: Place, frame: Frame) -> Iterator[Place]:
        """Places on a ring, opposite ones after each other."""
        count, away_um = self._config.nearby, self._config.nearby_um
        if count and away_um is None:
            if frame.pixel_size_um is None:
                raise InputError("The microscope does not state the size of its pixels; say how far to look around.")
            away_um = max(frame.image.shape[:2]) * frame.pixel_size_um
        for turn in range(count):
            angle = math.pi / 4 + 2 * math.pi * turn / count
            yield place[0] + (away_um or 0.0) * math.cos(angle), place[1] + (away_um or 0.0) * math.sin(angle)


Look = Callable[[int], Looking]
"""Finds the focus of a place, by its number."""
