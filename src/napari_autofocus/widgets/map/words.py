"""What the Focus map panel says: plans, permission, progress, what came of a survey, the surface. No Qt."""

from __future__ import annotations

import math
from collections.abc import Sequence

from napari_autofocus.routines.survey_config import SurveyStep
from napari_autofocus.routines.surveying.record import SurveyRecord
from napari_autofocus.slide.focus_map import FocusMap
from napari_autofocus.widgets.map.table import OUTCOMES
from napari_autofocus.widgets.parts.forms import Tone

Place = tuple[float, float]
NOT_CONNECTED = "Connect a microscope in the Microscope panel first."
NO_MODEL = "Choose a model of one shot above first."
TWO_SHOTS = "A survey takes one shot a point: choose a model of one shot above."
FIRST_GUESS_S = 0.6
"""Time for a point as long as none has been measured, s (ours)."""
_PHASES = {
    "find": "Finding the first focus",
    "shot": "Looking",
    "second": "Second shot, the first left the model unsure",
    "again": "Looking again, the point contradicts its neighbours",
    "nearby": "Empty, looking nearby",
    "plane": "Taking planes",
    "point": "Looking",
    "surface": "Fitting the surface",
}
_KINDS = {"plane": "Plane", "spline": "Spline", "rbf": "RBF"}
_ENDED = {
    "done": "Surveyed",
    "done_in_part": "Surveyed in part",
    "cancelled": "Stopped",
    "timed_out": "Out of time",
    "refused": "Refused",
    "failed": "Failed",
}


def minus(text: str) -> str:
    """With true minus signs."""
    return text.replace("-", "−")


def duration(seconds: float) -> str:
    """A time in the unit that one thinks in."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def plan_words(places: Sequence[Place], point_s: float) -> str:
    """How much a survey would be."""
    points = f"{len(places)} point{'' if len(places) == 1 else 's'}"
    return f"{points}, about {duration(max(len(places) * point_s, 1))}."


def permission_words(places: Sequence[Place], limits_um: tuple[float, float] | None) -> str:
    """What will move, before it does."""
    reach = minus(f"x {_reach([x for x, _ in places])}, y {_reach([y for _, y in places])} µm")
    z = "" if limits_um is None else minus(f" between {limits_um[0]:g} and {limits_um[1]:g} µm")
    return f"Start moves the stage over {reach} and the focus drive{z}; both come back."


def _reach(values: Sequence[float]) -> str:
    return f"{min(values):.0f} to {max(values):.0f}"


def step_words(step: SurveyStep) -> str:
    """What a survey is doing."""
    return f"Point {min(step.done + 1, step.total)} of {step.total}: {_PHASES.get(step.phase, step.phase).lower()}…"


def survey_words(record: SurveyRecord) -> tuple[str, Tone]:
    """What came of a survey, and how it is meant."""
    counts = ", ".join(f"{count} {OUTCOMES.get(name, name)}" for name, count in sorted(record.outcomes.items()))
    effort = f"{record.exposures} exposures, {duration(record.seconds)}"
    words = f"{_ENDED.get(record.outcome, record.outcome)}: {counts or 'no point'}; {effort}."
    if record.outcome == "done":
        return words, "good"
    return " ".join([words, *record.reasons]), "error" if record.outcome in ("failed", "refused") else "warning"


def map_words(found: FocusMap) -> str:
    """What a surface is like: its kind, its error, those it was chosen over, what it leaves out, and its tilt."""
    known = sum(point.z_um is not None for point in found.points)
    used = known - len(found.rejected)
    error = f", leave-one-out error {found.error_um:.2f} µm" if math.isfinite(found.error_um) else ""
    others = [
        f"{name} {value:.2f}"
        for name, value in found.compared_um.items()
        if name != found.surface and math.isfinite(value)
    ]
    over = f" ({', '.join(others)})" if others else ""
    out = f" {len(found.rejected)} left out." if found.rejected else ""
    (x, y), errors = found.tilt_um_per_mm, found.tilt_error_um_per_mm
    by_x, by_y = (f" ± {error:.2g}" if math.isfinite(error) else "" for error in errors)
    tilt = minus(f" Tilt {x:+.1f}{by_x} µm/mm along x, {y:+.1f}{by_y} along y.")
    return f"{_KINDS.get(found.surface, found.surface)} through {used} of {known} points{error}{over}.{out}{tilt}"


def comparison_words(mean_um: float, sd_um: float, count: int) -> str:
    """How two surveys of the same points differ."""
    return minus(f"Model − Brenner on {count} points: {mean_um:+.2f} ± {sd_um:.2f} µm.")
