"""The arithmetic behind a focus map: weights, outliers, the choice of a surface, its hull, and what lies beyond it."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.spatial import ConvexHull, QhullError, cKDTree

from napari_autofocus.errors import InputError
from napari_autofocus.slide.outliers import BoolArray, fills_a_plane, find_outliers
from napari_autofocus.slide.surfaces import (
    LEAST_POINTS,
    FittedSurface,
    FloatArray,
    Kind,
    Stiffness,
    fit_stiffness,
    fit_surface,
)

ALIKE = 1.05
"""A simpler surface is taken if it errs by no more than this factor (ours)."""
_WEIGHTS = 0.05, 4.0
_EDITED_WEIGHT = 4.0


@dataclass(frozen=True, eq=False)
class PointArrays:
    """Points that have a z.

    Parameters
    ----------
    index : np.ndarray, shape (N,)
        Of each among all points.
    places_um : np.ndarray, shape (N, 2)
        Stage positions (x, y), µm.
    z_um, uncertainty_um : np.ndarray, shape (N,)
        Uncertainties are NaN where unknown, µm.
    trusted : np.ndarray, shape (N,), bool
        Set by a person: never rejected.
    """

    index: npt.NDArray[np.intp]
    places_um: FloatArray
    z_um: FloatArray
    uncertainty_um: FloatArray
    trusted: BoolArray

    def without(self, rejected: Collection[int]) -> PointArrays:
        """Those whose index is not rejected."""
        kept = ~np.isin(self.index, list(rejected))
        return PointArrays(
            self.index[kept], self.places_um[kept], self.z_um[kept], self.uncertainty_um[kept], self.trusted[kept]
        )

    @cached_property
    def weight(self) -> FloatArray:
        """One over the variance that each point states, against the typical one; within bounds, for models err."""
        known = np.isfinite(self.uncertainty_um) & (self.uncertainty_um > 0)
        if known.sum() < 3:
            return np.where(self.trusted, _EDITED_WEIGHT, 1.0)
        typical = float(np.median(self.uncertainty_um[known]))
        weight = np.where(known, (typical / np.where(known, self.uncertainty_um, 1.0)) ** 2, 1.0)
        return np.where(self.trusted, _EDITED_WEIGHT, np.clip(weight, *_WEIGHTS))


@dataclass(frozen=True, eq=False)
class FittedMap:
    """A surface in µm, and where it may be believed.

    Parameters
    ----------
    surface, plane : FittedSurface
        The surface, and the plane through the same points.
    points : PointArrays
        Those that count.
    centre_um : np.ndarray, shape (2,)
        Origin of the surfaces' places.
    spacing_um : float
        Their unit.
    """

    surface: FittedSurface
    plane: FittedSurface
    points: PointArrays
    centre_um: FloatArray
    spacing_um: float

    @property
    def stiffness(self) -> Stiffness:
        """How the surface bends."""
        return self.surface.stiffness

    @property
    def left_out_um(self) -> float:
        """Mean absolute leave-one-out residual, µm."""
        return self.surface.error_um

    @property
    def tilt_um_per_mm(self) -> tuple[float, float]:
        """Of the plane, along x and y."""
        x, y = self.plane.coefficients[-2:] * 1000 / self.spacing_um
        return float(x), float(y)

    @property
    def tilt_error_um_per_mm(self) -> tuple[float, float]:
        """Standard errors of the tilt, by how far the points lie off the plane; NaN where nothing says.

        Of three points, which lie on it, by what they state of themselves.
        """
        variance = self._stated_um2 if math.isnan(self.plane.variance_um2) else self.plane.variance_um2
        shape = np.maximum(-np.diagonal(self.plane.inverse)[-2:], 0.0)
        x, y = np.sqrt(variance * shape) * 1000 / self.spacing_um
        return float(x), float(y)

    def z_um(self, places_um: FloatArray) -> FloatArray:
        """The surface at places (M, 2), µm."""
        places = self._in_spacings(places_um)
        nearer, _ = self._drawn_near(places)
        return self.surface.at(nearer) + self.plane.at(places) - self.plane.at(nearer)

    def error_um(self, places_um: FloatArray) -> FloatArray:
        """Standard error of the surface at places (M, 2), µm.

        What the surface itself says, what it leaves unexplained, and, beyond the hull, how far a surface of such waves
        may have gone from the plane.
        """
        places = self._in_spacings(places_um)
        nearer, beyond = self._drawn_near(places)
        sigma = self.surface.sigma_at(nearer if self.surface.kind != "plane" else places)
        squares = sigma**2 + self._misfit_um2 + (self._waves_um * beyond) ** 2
        if math.isnan(self.surface.variance_um2):  # three points: the plane is as good as they are
            squares = self._stated_um2 * self.plane.shape_at(places)
        return np.asarray(np.sqrt(squares))

    def covers(self, places_um: FloatArray) -> BoolArray:
        """Whether places (M, 2) lie in the hull of the points, or within a spacing of it."""
        beyond = self._beyond(self._in_spacings(places_um))[1]
        return np.asarray(beyond <= 1.0 + 1e-9)

    def _in_spacings(self, places_um: FloatArray) -> FloatArray:
        return np.asarray((places_um - self.centre_um) / self.spacing_um)

    def _drawn_near(self, places: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Places beyond the hull brought to within a spacing of it, evenly; and how far beyond it they were."""
        edge, beyond = self._beyond(places)
        with np.errstate(invalid="ignore"):
            share = np.where(beyond > 0, -np.expm1(-beyond) / np.maximum(beyond, 1e-12), 1.0)
        return edge + (places - edge) * share[:, None], beyond

    def _beyond(self, places: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Nearest place in the hull, and the distance to it in spacings: 0 inside."""
        starts, ends = self._hull, np.roll(self._hull, -1, axis=0)
        along = ends - starts
        outward = np.column_stack([along[:, 1], -along[:, 0]])
        inside = np.ones(len(places), bool)
        nearest, least = places.copy(), np.full(len(places), np.inf)
        for start, side, out in zip(starts, along, outward, strict=True):
            inside &= (places - start) @ out <= 1e-9
            share = np.clip(((places - start) @ side) / (side @ side), 0.0, 1.0)
            there = start + share[:, None] * side
            apart = np.hypot(*(places - there).T)
            nearer = apart < least
            nearest[nearer], least[nearer] = there[nearer], apart[nearer]
        lost = ~np.isfinite(places).all(axis=1)
        beyond = np.where(lost, np.nan, np.where(inside, 0.0, least))
        return np.where(inside[:, None], places, nearest), beyond

    @cached_property
    def _hull(self) -> FloatArray:
        """Corners of the hull in order, counter-clockwise."""
        places = self.surface.places
        try:
            return np.asarray(places[ConvexHull(places).vertices])
        except QhullError as error:
            raise InputError("The points of this focus map lie on a line; survey places beside it too.") from error

    @cached_property
    def _misfit_um2(self) -> float:
        """Variance that neighbours share in their residuals: the surface missed it."""
        if len(self.points.z_um) < LEAST_POINTS["spline"]:
            return 0.0
        residual = self.points.z_um - self.surface.at(self.surface.places)
        return max(0.0, float(np.mean(residual * residual[self._neighbour])))

    @cached_property
    def _waves_um(self) -> float:
        """Typical change of the surface against the plane over a spacing, µm."""
        off_plane = self.surface.at(self.surface.places) - self.plane.at(self.surface.places)
        apart = np.hypot(*(self.surface.places - self.surface.places[self._neighbour]).T)
        changes = (off_plane - off_plane[self._neighbour])[apart > 0] / apart[apart > 0]
        return float(np.sqrt(np.mean(changes**2))) if changes.size else 0.0

    @cached_property
    def _neighbour(self) -> npt.NDArray[np.intp]:
        """Index of the point nearest to each."""
        return np.asarray(cKDTree(self.surface.places).query(self.surface.places, 2)[1][:, 1])

    @cached_property
    def _stated_um2(self) -> float:
        """Variance that the points state of themselves; NaN if they do not."""
        known = self.points.uncertainty_um[np.isfinite(self.points.uncertainty_um)]
        return float(np.mean(known**2)) if known.size else math.nan


def fit_map(
    points: PointArrays, kinds: Sequence[Kind], *, reject: bool
) -> tuple[FittedMap, dict[int, str], dict[str, float]]:
    """The best of some surfaces, which points it left out and why, and how much each of them errs, µm.

    Raises
    ------
    InputError
        If the points lie on a line.
    """
    _refuse_a_line(points.places_um)
    centre_um, spacing_um = _frame(points.places_um)
    rejected: dict[int, str] = {}
    if reject:
        found = find_outliers((points.places_um - centre_um) / spacing_um, points.z_um, points.weight, points.trusted)
        rejected = {int(points.index[at]): reason for at, reason in found.items()}
    kept = points.without(rejected)
    places = (kept.places_um - centre_um) / spacing_um
    tried = [
        fit_surface(kind, places, kept.z_um, kept.weight)
        for kind in kinds
        if len(kept.z_um) >= LEAST_POINTS[kind] or len(kinds) == 1
    ]
    best = _best(tried)
    plane = fit_stiffness(Stiffness("plane"), places, kept.z_um, kept.weight)
    compared = {str(surface.kind): surface.error_um for surface in tried}
    return FittedMap(best, plane, kept, centre_um, spacing_um), rejected, compared


def refit_map(points: PointArrays, rejected: Collection[int], stiffness: Stiffness) -> FittedMap:
    """The surface of points whose outliers and stiffness are known."""
    centre_um, spacing_um = _frame(points.places_um)
    kept = points.without(rejected)
    places = (kept.places_um - centre_um) / spacing_um
    surface, plane = (fit_stiffness(each, places, kept.z_um, kept.weight) for each in (stiffness, Stiffness("plane")))
    return FittedMap(surface, plane, kept, centre_um, spacing_um)


def _best(tried: Sequence[FittedSurface]) -> FittedSurface:
    """Surfaces come with the simplest first."""
    least = min((each.error_um for each in tried if math.isfinite(each.error_um)), default=math.inf)
    return next((each for each in tried if each.error_um <= ALIKE * least), tried[0])


def _refuse_a_line(places_um: FloatArray) -> None:
    if not fills_a_plane(places_um):
        raise InputError(
            f"All {len(places_um)} points with a focus lie on a line, which leaves the tilt across it open; survey at"
            " least one point beside it."
        )


def _frame(places_um: FloatArray) -> tuple[FloatArray, float]:
    """Middle of places and their typical distance from one to the next, µm."""
    apart = cKDTree(places_um).query(places_um, min(5, len(places_um)))[0]
    nearest = np.where(apart > 0, apart, np.inf).min(axis=1)  # a place may have been surveyed twice
    return places_um.mean(axis=0), float(np.median(nearest[np.isfinite(nearest)]))
