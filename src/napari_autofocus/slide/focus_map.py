"""A surface through the focus points of a slide: where best focus lies between them, and how far to believe it.

Positions are those of the stage and of the focus drive, µm; nothing here knows defocus, images or hardware.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError
from napari_autofocus.plain_json import UNUSABLE, read_plain_json, rebuilt
from napari_autofocus.slide.fitted_map import FittedMap, PointArrays, fit_map, refit_map
from napari_autofocus.slide.prediction import predict_next
from napari_autofocus.slide.surfaces import LEAST_POINTS, Kind, Stiffness

__all__ = ["FocusMap", "FocusPoint", "Outcome", "Surface", "edited", "fit_focus_map", "predict_next"]

Outcome = Literal["found", "nearby", "empty", "refused", "out_of_reach", "failed", "edited"]
Surface = Literal["auto", "plane", "spline", "rbf"]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class FocusPoint:
    """One place of a survey.

    Parameters
    ----------
    x_um, y_um : float
        Stage position, µm.
    z_um : float or None
        Drive position of best focus, µm; None where none was found.
    uncertainty_um : float or None
        Standard uncertainty of it, µm; None if unknown.
    outcome : str
        ``found``; ``nearby`` (found at a field beside it); ``empty``; ``refused`` (not to be trusted);
        ``out_of_reach`` of stage or drive; ``failed``; or ``edited`` by a person.
    reason : str
        Why, in a sentence.
    model : str
        What found it.

    Raises
    ------
    InputError
        If a number is not finite, or the outcome unknown.
    """

    x_um: float
    y_um: float
    z_um: float | None
    uncertainty_um: float | None = None
    outcome: Outcome = "found"
    reason: str = ""
    model: str = ""

    def __post_init__(self) -> None:
        numbers = [self.x_um, self.y_um, *(value for value in (self.z_um, self.uncertainty_um) if value is not None)]
        if not all(math.isfinite(number) for number in numbers):
            raise InputError(
                f"A focus point takes finite numbers of µm, and None for a z that is not known; found {self}."
            )
        if self.uncertainty_um is not None and self.uncertainty_um < 0:
            raise InputError(f"The uncertainty of a focus point is not negative; found {self.uncertainty_um:g} µm.")
        if self.outcome not in get_args(Outcome):
            raise InputError(f"A focus point is one of {', '.join(get_args(Outcome))}; found {self.outcome!r}.")


@dataclass(frozen=True, eq=False)
class FocusMap:
    """The surface of best focus over a slide; made by :func:`fit_focus_map`.

    Parameters
    ----------
    points : tuple of FocusPoint
        All of them, in their order.
    surface : str
        ``plane``, ``spline`` (thin-plate smoothing spline) or ``rbf`` (Gaussian radial basis functions).
    rejected : mapping
        Why a point does not count, by its index.
    error_um : float
        Mean absolute error of the surface at each point if that point is left out, µm: the noise of the points is in
        it. NaN for three points.
    tilt_um_per_mm : tuple of float
        Slope of the plane through the points along x and along y, µm for each mm.
    tilt_error_um_per_mm : tuple of float
        Its standard errors, by how far the points lie off that plane; NaN for three points without an uncertainty.
    compared_um : mapping
        ``error_um`` of each surface that was tried.
    """

    points: tuple[FocusPoint, ...]
    surface: Surface
    rejected: Mapping[int, str]
    error_um: float
    tilt_um_per_mm: tuple[float, float]
    tilt_error_um_per_mm: tuple[float, float]
    compared_um: Mapping[str, float]
    _fitted: FittedMap

    def z_um(self, x_um: npt.ArrayLike, y_um: npt.ArrayLike) -> Any:
        """Drive position of best focus, µm: a float for a place, an array for arrays of them.

        Beyond the points the surface goes on like the plane through them.
        """
        return _each(self._fitted.z_um, x_um, y_um)

    def error_at_um(self, x_um: npt.ArrayLike, y_um: npt.ArrayLike) -> Any:
        """Standard error of :meth:`z_um`, µm; grows away from the points.

        NaN for a map of three points that do not state their uncertainty.
        """
        return _each(self._fitted.error_um, x_um, y_um)

    def covers(self, x_um: npt.ArrayLike, y_um: npt.ArrayLike) -> Any:
        """Whether a place lies among the points that count, or no farther from them than their spacing."""
        return _each(self._fitted.covers, x_um, y_um)

    @property
    def spacing_um(self) -> float:
        """Typical distance of a point that counts from the next, µm."""
        return self._fitted.spacing_um

    @cached_property
    def residuals_um(self) -> FloatArray:
        """By how much each point lies above the surface, µm; NaN for points without z."""
        surface = np.asarray(self.z_um([p.x_um for p in self.points], [p.y_um for p in self.points]))
        return np.asarray(np.array([math.nan if p.z_um is None else p.z_um for p in self.points]) - surface)

    def to_json(self) -> str:
        """The map as one JSON object."""
        return json.dumps(
            {
                "kind": _KIND,
                "surface": self.surface,
                "stiffness": asdict(self._fitted.stiffness),
                "error_um": self.error_um if math.isfinite(self.error_um) else None,
                "tilt_um_per_mm": list(self.tilt_um_per_mm),
                "tilt_error_um_per_mm": [
                    value if math.isfinite(value) else None for value in self.tilt_error_um_per_mm
                ],
                "compared_um": {
                    name: value if math.isfinite(value) else None for name, value in self.compared_um.items()
                },
                "points": [asdict(point) for point in self.points],
                "rejected": {str(index): reason for index, reason in self.rejected.items()},
            },
            allow_nan=False,
        )

    @classmethod
    def from_json(cls, text: str) -> FocusMap:
        """The map that :meth:`to_json` wrote: the same surface. Raises InputError if the text is not one."""
        try:
            found = read_plain_json(text)
            if found["kind"] != _KIND:
                raise ValueError(f"it calls itself {found['kind']}")
            points = tuple(rebuilt(FocusPoint, point) for point in found["points"])
            rejected = {int(index): str(reason) for index, reason in found["rejected"].items()}
            stiffness = rebuilt(Stiffness, found["stiffness"])
            compared = {name: _number(value) for name, value in found["compared_um"].items()}
            fitted = refit_map(_arrays(points), set(rejected), stiffness)
        except (*UNUSABLE, np.linalg.LinAlgError) as error:
            raise InputError(f"This is not a focus map ({error}); choose a file that a survey has written.") from error
        made = _made(points, rejected, fitted, compared)
        made.covers(0.0, 0.0)  # its points span an area
        return made


_KIND = "focus map"


def fit_focus_map(points: Sequence[FocusPoint], *, surface: Surface = "auto", reject: bool = True) -> FocusMap:
    """Lay a surface through focus points.

    Parameters
    ----------
    points : sequence of FocusPoint
        In any order; those without z do not count. The uncertainties weigh them against each other.
    surface : str
        ``auto`` takes the one that errs least where a point is left out, the simpler of two alike.
    reject : bool
        Whether to leave out points that contradict their neighbours: never more than a third, never edited ones.

    Raises
    ------
    InputError
        If there are too few points for the surface, or all lie on a line.
    """
    if surface not in get_args(Surface):
        raise InputError(f"A focus map is one of {', '.join(get_args(Surface))}; found {surface!r}.")
    arrays = _arrays(points)
    count = len(arrays.z_um)
    least = LEAST_POINTS["plane" if surface == "auto" else surface]
    if count < least:
        raise InputError(
            f"A focus map by {'a plane' if least == 3 else surface} takes at least {least} points with a focus; found"
            f" {count} of {len(points)}: survey more points{'' if least == 3 else ', or take a plane'}."
        )
    kinds: tuple[Kind, ...] = ("plane", "spline", "rbf") if surface == "auto" else (surface,)
    fitted, rejected, compared = fit_map(arrays, kinds, reject=reject)
    return _made(tuple(points), rejected, fitted, compared)


def edited(points: Sequence[FocusPoint], index: int, z_um: float | None) -> tuple[FocusPoint, ...]:
    """The points with one z set by a person, or taken away (None); fit them again for the new surface.

    Raises
    ------
    InputError
        If there is no such point, or the z is not finite.
    """
    if not 0 <= index < len(points):
        raise InputError(f"There is no focus point {index}; they count from 0 to {len(points) - 1}.")
    what = "Taken away by hand." if z_um is None else "Set by hand."
    changed = replace(points[index], z_um=z_um, uncertainty_um=None, outcome="edited", reason=what, model="")
    return (*points[:index], changed, *points[index + 1 :])


def _made(
    points: tuple[FocusPoint, ...], rejected: Mapping[int, str], fitted: FittedMap, compared: Mapping[str, float]
) -> FocusMap:
    return FocusMap(
        points=points,
        surface=fitted.stiffness.kind,
        rejected=rejected,
        error_um=fitted.left_out_um,
        tilt_um_per_mm=fitted.tilt_um_per_mm,
        tilt_error_um_per_mm=fitted.tilt_error_um_per_mm,
        compared_um=compared,
        _fitted=fitted,
    )


def _arrays(points: Sequence[FocusPoint]) -> PointArrays:
    known = [(index, point) for index, point in enumerate(points) if point.z_um is not None]
    return PointArrays(
        index=np.array([index for index, _ in known], np.intp),
        places_um=np.array([(point.x_um, point.y_um) for _, point in known], np.float64).reshape(-1, 2),
        z_um=np.array([point.z_um for _, point in known], np.float64),
        uncertainty_um=np.array([point.uncertainty_um or math.nan for _, point in known], np.float64),
        trusted=np.array([point.outcome == "edited" for _, point in known], bool),
    )


def _each(told: Callable[[FloatArray], npt.NDArray[Any]], x_um: npt.ArrayLike, y_um: npt.ArrayLike) -> Any:
    x, y = np.broadcast_arrays(np.asarray(x_um, np.float64), np.asarray(y_um, np.float64))
    values = told(np.column_stack([x.ravel(), y.ravel()])).reshape(x.shape)
    return values if x.ndim else values.item()


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
