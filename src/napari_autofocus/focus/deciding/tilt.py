"""A plane through the defocus of a field's patches that a few wild ones cannot turn.

Fits only; whether the plane explains the field is judged in ``relief.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from napari_autofocus.focus.deciding.field_tilt import FieldTilt
from napari_autofocus.focus.deciding.pooling import MAD_TO_SIGMA, FloatArray
from napari_autofocus.focus.deciding.reading import Reading
from napari_autofocus.focus.deciding.selection import BoolArray

TUKEY = 4.685  # residuals beyond this many scales count nothing (Tukey's biweight, 95 % efficient)
OUTLIER = 3.0  # an outlier lies this many scales off the plane
ROUNDS = 20
LEAST_INLIERS = 0.75  # share of the patches that must lie on a plane for its slope to be the sample's (ours)
CLAIM_SHARE = 0.5  # patches that agree by chance are not believed beyond this share of what they claim (ours)


@dataclass(frozen=True, eq=False)
class TiltPlane:
    """Defocus as a plane over the field.

    Parameters
    ----------
    centre_um : float
        Defocus at the centre of the field, µm.
    slope : tuple of float
        Growth of the defocus along x and y, µm per unit of the patches' place.
    at_patches_um : np.ndarray, shape (N,)
        Defocus of the plane at each patch, µm.
    inlier : np.ndarray, shape (N,), bool
        Patches that the plane passes close to.
    count : float
        How many equal patches the value at the centre stands on: one over its leverage.
    surrounds_centre : bool
        Whether the inliers lie all around the centre; otherwise its value is extrapolated.
    well_placed : bool
        Whether the inliers lie in a plane rather than on a line.
    """

    centre_um: float
    slope: tuple[float, float]
    at_patches_um: FloatArray
    inlier: BoolArray
    count: float
    surrounds_centre: bool
    well_placed: bool


def fit_tilt(reading: Reading) -> TiltPlane:
    """Fit a plane to at least four patches, weighted by importance over variance.

    Least absolute residuals first, which a minority of wild patches does not turn, then Tukey's biweight from there.
    The same patches always give the same plane.
    """
    extent = max(float(np.ptp(reading.x_um)), float(np.ptp(reading.y_um)), reading.patch_um)
    places = np.column_stack([np.ones(len(reading)), reading.x_um / extent, reading.y_um / extent])
    weight, values = reading.weight / reading.weight.max(), reading.defocus_um
    finest = float(np.median(reading.sigma_um))
    tiny = 3e-3 * finest

    def least_absolute(residual: FloatArray) -> FloatArray:
        return np.asarray(weight / np.maximum(np.abs(residual), tiny))

    def biweight(residual: FloatArray) -> FloatArray:
        far = np.minimum(np.abs(residual) / (TUKEY * _scale(residual, finest)), 1.0)
        return np.asarray(weight * (1 - far**2) ** 2)

    solution = _solve(places, values, weight)
    for reweigh in (least_absolute, biweight):
        solution = _reweighted(places, values, solution, reweigh, tiny)
    fitted = places @ solution
    inlier = np.abs(values - fitted) <= OUTLIER * _scale(values - fitted, finest)
    return TiltPlane(
        centre_um=float(solution[0]),
        slope=(float(solution[1] / extent), float(solution[2] / extent)),
        at_patches_um=fitted,
        inlier=inlier,
        count=_count_at_centre(places[inlier], weight[inlier]),
        surrounds_centre=_surrounds_origin(reading.x_um[inlier], reading.y_um[inlier]),
        well_placed=_fills_a_plane(reading.x_um[inlier], reading.y_um[inlier], reading.patch_um),
    )


def field_tilt(reading: Reading, field_um: tuple[float, float], fewest: int) -> FieldTilt | None:
    """The slope of the sample over a field with its error, whether or not it is worth telling.

    Parameters
    ----------
    reading : Reading
        With places in µm.
    field_um : tuple of float
        Height and width of the field, µm.
    fewest : int
        Patches that it takes.

    Returns
    -------
    FieldTilt or None
        None where there are too few patches, they lie along a line, or too many lie off the plane.
    """
    if len(reading) < max(fewest, 4):
        return None
    plane = fit_tilt(reading)
    keep = plane.inlier
    if not plane.well_placed or keep.sum() < max(fewest, 4) or keep.mean() < LEAST_INLIERS:
        return None
    places = np.column_stack([np.ones(int(keep.sum())), reading.x_um[keep], reading.y_um[keep]])
    weight = reading.weight[keep] / reading.weight[keep].max()
    residual = (reading.defocus_um - plane.at_patches_um)[keep]
    scatter = float(np.sqrt(np.sum(weight * residual**2) / weight.sum() * len(residual) / (len(residual) - 3)))
    finest = float(np.median(reading.sigma_um[keep])) * CLAIM_SHARE
    inverse = np.linalg.pinv(places.T @ (places * weight[:, None]))
    # The variance of a weighted fit to values of one scatter: the sandwich, since importance is in the weights.
    spread = inverse @ (places.T @ (places * weight[:, None] ** 2)) @ inverse
    errors = np.sqrt(np.diag(spread)[1:]) * max(scatter, finest) * 1000
    if not np.isfinite(errors).all() or not (errors > 0).all():
        return None
    along_x, along_y = (1000 * value for value in plane.slope)
    return FieldTilt(along_x, along_y, float(errors[0]), float(errors[1]), field_um[1], field_um[0])


def _reweighted(
    places: FloatArray,
    values: FloatArray,
    solution: FloatArray,
    reweigh: Callable[[FloatArray], FloatArray],
    close: float,
) -> FloatArray:
    """Least squares whose weights follow from the residuals of the round before, until they change no more."""
    for _ in range(ROUNDS):
        before, solution = solution, _solve(places, values, reweigh(values - places @ solution))
        if np.abs(solution - before).max() < close:
            break
    return solution


def _solve(places: FloatArray, values: FloatArray, weight: FloatArray) -> FloatArray:
    """Weighted least squares; about the shortest solution where the places leave it open."""
    weighted = places.T * (weight / weight.sum())
    return np.asarray(np.linalg.solve(weighted @ places + 1e-9 * np.eye(3), weighted @ values))


def _scale(residual: FloatArray, finest: float) -> float:
    """Robust standard deviation of the residuals, never below what the patches claim of themselves."""
    return max(float(MAD_TO_SIGMA * np.median(np.abs(residual))), finest)


def _count_at_centre(places: FloatArray, weight: FloatArray) -> float:
    """One over the variance of the plane's value at the centre for patches of unit variance."""
    if len(places) == 0:
        return 1.0
    inverse = np.linalg.pinv(places.T @ (places * weight[:, None]))
    pull = (inverse @ places.T)[0] * weight
    return float(max(1 / np.sum(pull**2), 1.0))


def _surrounds_origin(x: FloatArray, y: FloatArray) -> bool:
    """Whether no half plane through the origin holds all points; a point on the origin is there itself."""
    if np.any((x == 0) & (y == 0)):
        return True
    angles = np.sort(np.arctan2(y, x))
    if angles.size < 3:
        return False
    gaps = np.diff(np.append(angles, angles[0] + 2 * np.pi))
    return bool(gaps.max() < np.pi)


def _fills_a_plane(x: FloatArray, y: FloatArray, patch: float) -> bool:
    """Whether points spread by half a patch, and by a seventh of their length, across the line through them."""
    if x.size < 3:
        return False
    across, along = np.sqrt(np.maximum(np.linalg.eigvalsh(np.cov(x, y, ddof=0)), 0.0))
    return bool(across >= max(0.5 * patch, along / 7))
