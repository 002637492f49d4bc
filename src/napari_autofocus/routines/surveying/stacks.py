"""How the focus of one place of a survey is found without a model: a z-stack and its Brenner gradient."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from napari_autofocus.errors import MoveRefused
from napari_autofocus.routines.acquiring.content import ContentMeter, ContentVerdict
from napari_autofocus.routines.survey_config import Place, SurveyStep, SweepSurveyConfig
from napari_autofocus.routines.surveying.looking import Looking
from napari_autofocus.routines.surveying.run import SurveyRun
from napari_autofocus.slide.focus_map import FocusPoint

FEWEST_PLANES = 5
"""Where the limits of the drive leave fewer, there is no stack."""


class StackLook:
    """Finds the focus of places by a z-stack around where it should be."""

    def __init__(self, run: SurveyRun, config: SweepSurveyConfig) -> None:
        self._run, self._config = run, config

    def __call__(self, number: int) -> Looking:
        """Look at one place; whatever there is to say of it is its point."""
        run, place = self._run, self._run.places[number]
        predicted = run.predict(place)
        centre_um = run.guard.start_um if predicted is None else predicted[0]
        run.approach(place)
        seen = yield from self._take(number, centre_um)
        for _ in range(self._config.extensions):
            if seen.field.verdict != "peak_at_edge" or seen.field.best_z_um is None:
                break
            seen = yield from self._take(number, seen.field.best_z_um)
        return self._point(place, seen)

    def _take(self, number: int, centre_um: float) -> Generator[SurveyStep, None, ContentVerdict]:
        """One stack of the field under the objective; a plane in memory at a time."""
        run, config = self._run, self._config
        meter = ContentMeter(config.patch_px, config.step_um / 2, config.dof_um)
        for z_um in self._planes_um(centre_um):
            run.guard.go(z_um)
            frame = run.guard.snap()
            meter.add(frame)
            yield run.step("plane", number, frame)
        seen = meter.verdict()
        assert seen is not None  # more planes than a verdict takes
        return seen

    def _planes_um(self, centre_um: float) -> list[float]:
        """Planes inside the limits of the drive, in the direction in which it has no play."""
        config, (low, high) = self._config, self._run.guard.drive.limits_um
        z_um = centre_um + (np.arange(config.planes) - (config.planes - 1) / 2) * config.step_um
        inside = z_um[(z_um >= low) & (z_um <= high)]
        if inside.size < FEWEST_PLANES:
            raise MoveRefused(
                f"Only {inside.size} of {config.planes} planes from {z_um[0]:.2f} to {z_um[-1]:.2f} µm lie within the"
                f" limits of the focus drive ({low:g} to {high:g} µm)."
            )
        ascending = [float(each) for each in inside]
        return ascending if (self._run.direction or 1) > 0 else ascending[::-1]

    def _point(self, place: Place, seen: ContentVerdict) -> FocusPoint:
        run = self._run
        if not seen.holds(self._config.least_content):
            return run.point_at(place, "empty", seen.in_words())
        if seen.best_z_um is None:
            return run.point_at(place, "refused", " ".join(seen.field.reasons))
        return run.point_at(place, "found", "", seen.best_z_um, seen.field.uncertainty_um)
