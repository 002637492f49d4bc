"""What a survey is worth in numbers: its errors against a true surface where one is known, and what it cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError
from napari_autofocus.routines.survey_config import Place
from napari_autofocus.routines.surveying.record import WITH_FOCUS, SurveyRecord
from napari_autofocus.simulation.scene import Scene
from napari_autofocus.simulation.specimen import Specimen
from napari_autofocus.simulation.view import View
from napari_autofocus.slide.focus_map import FocusMap, FocusPoint

TrueSurface = Callable[[float, float], float]
"""Drive position of best focus at a place of the slide, µm."""
_TRIAL_PX = 16


def true_surface(scene: Scene, focus_direction: int) -> TrueSurface:
    """Where a simulated slide is in focus at the centre of each field: known from its heights, without drawing it.

    Parameters
    ----------
    scene : Scene
        Of a thin specimen without folds.
    focus_direction : int
        Of the drive: +1 or −1.

    Raises
    ------
    InputError
        If the specimen has more than one depth.
    """
    specimen = scene.specimen
    if len(specimen.topography.layer_heights_um) > 1 or specimen.topography.fold_um:
        raise InputError("A slide with folds or layers has no single surface; simulate a thin one without folds.")

    def height_um(x_um: float, y_um: float) -> float:
        view = View(x_um, y_um, (1, 1), scene.pixel_size_um)
        return float(np.asarray(specimen.topography.height_um(view, specimen.seed)).ravel()[0])

    # The optics put best focus a constant distance off the height of a thin sheet; an empty trial field shows it.
    bare = Specimen(specimen.stain, "empty", specimen.seed, specimen.topography)
    trial = Scene(bare, scene.optics, scene.camera, (_TRIAL_PX, _TRIAL_PX))
    offset_um = float(np.median(trial.best_focus_map(0.0, 0.0))) + height_um(0.0, 0.0)
    return lambda x_um, y_um: focus_direction * (offset_um - height_um(x_um, y_um))


def map_of(record: SurveyRecord) -> FocusMap | None:
    """The surface through a survey's points; None where they are too few, or the survey was refused."""
    try:
        return record.focus_map()
    except InputError:
        return None


def summarise_survey(
    record: SurveyRecord, surface: FocusMap | None, truth: TrueSurface | None = None
) -> dict[str, Any]:
    """Outcome, cost and errors of a survey; errors are None without a truth or a surface.

    ``mae_um`` is the mean absolute error of the points, ``between_um`` that of the surface half-way between them.
    """
    errors = point_errors_um(record.points, truth)
    between = np.array([]) if surface is None else between_errors_um(surface, record.places, truth)
    return {
        "method": record.method,
        "outcome": record.outcome,
        "outcomes": record.outcomes,
        "places": len(record.places),
        "exposures": record.exposures,
        "moves": record.moves,
        "seconds": record.seconds,
        "mae_um": _mean(errors),
        "sd_um": float(errors.std()) if errors.size else None,
        "worst_um": float(errors.max()) if errors.size else None,
        "between_um": _mean(between),
        "surface": None if surface is None else surface.surface,
        "left_out_um": None if surface is None or not math.isfinite(surface.error_um) else surface.error_um,
        "tilt_um_per_mm": None if surface is None else surface.tilt_um_per_mm,
        "tilt_error_um_per_mm": None if surface is None else _known(surface.tilt_error_um_per_mm),
        "rejected": 0 if surface is None else len(surface.rejected),
    }


def point_errors_um(points: Sequence[FocusPoint], truth: TrueSurface | None) -> npt.NDArray[np.float64]:
    """Distance of each point that has a focus from the true surface, µm."""
    if truth is None:
        return np.array([])
    with_z = [point for point in points if point.outcome in WITH_FOCUS and point.z_um is not None]
    return np.array([abs((p.z_um or 0.0) - truth(p.x_um, p.y_um)) for p in with_z], np.float64)


def between_errors_um(surface: FocusMap, places: Sequence[Place], truth: TrueSurface | None) -> npt.NDArray[np.float64]:
    """Distance of the surface from the true one half-way between planned places, empty ones included, µm."""
    if truth is None:
        return np.array([])
    half_way = [place for place in middles(places) if surface.covers(*place)]
    return np.array([abs(surface.z_um(*place) - truth(*place)) for place in half_way], np.float64)


def middles(places: Sequence[Place]) -> list[Place]:
    """The middles of the cells of a grid; of places in no grid, the middles between one and the next."""
    xs, ys = (sorted({round(place[axis], 3) for place in places}) for axis in (0, 1))
    if len(xs) * len(ys) != len(places) or min(len(xs), len(ys)) < 2:
        return [((a[0] + b[0]) / 2, (a[1] + b[1]) / 2) for a, b in pairwise(places)]
    return [((x0 + x1) / 2, (y0 + y1) / 2) for y0, y1 in pairwise(ys) for x0, x1 in pairwise(xs)]


def compare_surveys(record: SurveyRecord, other: SurveyRecord) -> dict[str, Any]:
    """What a survey costs beside another of the same places, and how far their points lie apart.

    ``difference_um`` is over places at which both found the focus of the planned field itself.
    """
    theirs = dict(zip(_planned(other), other.points, strict=True))
    apart = [
        point.z_um - match.z_um
        for place, point in zip(_planned(record), record.points, strict=True)
        if (match := theirs.get(place)) is not None
        and point.outcome == match.outcome == "found"
        and point.z_um is not None
        and match.z_um is not None
    ]
    return {
        "time_ratio": record.seconds / other.seconds if other.seconds else None,
        "exposures_ratio": record.exposures / other.exposures if other.exposures else None,
        "difference_um": _mean(np.abs(np.array(apart, np.float64))),
        "compared": len(apart),
    }


def _planned(record: SurveyRecord) -> list[Place]:
    return [record.places[number] for number in record.numbers]


def _known(errors: tuple[float, float]) -> tuple[float, float] | None:
    return errors if all(math.isfinite(error) for error in errors) else None


def _mean(values: npt.NDArray[np.float64]) -> float | None:
    return float(values.mean()) if values.size else None
