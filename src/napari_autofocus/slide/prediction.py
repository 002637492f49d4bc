"""Where the next focus point will lie, from those around it: cheap, while a survey is under way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from typing import Protocol

import numpy as np

from napari_autofocus.slide.surfaces import FloatArray

_NEAREST = 12
_TILT_UM_PER_MM = 5.0
"""Slope of a slide that nothing is known of yet, standard deviation: mounts tilt by 30 µm over 10 mm, tissue adds to it
(ours)."""
_BEND_UM_PER_MM2 = 1.5
"""By how much a surface leaves its tangent plane at 1 mm, standard deviation (ours)."""
_UNCERTAINTY_UM = 0.3
"""Of a point that does not say."""
_ROUNDS = 5
_TUKEY = 4.685
_WILD = 3.0


class HasPlace(Protocol):
    """A place with or without a focus."""

    @property
    def x_um(self) -> float:
        """Stage position, µm."""

    @property
    def y_um(self) -> float:
        """Stage position, µm."""

    @property
    def z_um(self) -> float | None:
        """Drive position of best focus, µm."""

    @property
    def uncertainty_um(self) -> float | None:
        """Of it, µm."""


def predict_next(points: Sequence[HasPlace], x_um: float, y_um: float) -> tuple[float, float] | None:
    """Where best focus will be found at a place, by a plane through its neighbours that a wild one cannot turn.

    Parameters
    ----------
    points : sequence of FocusPoint
        Those found so far; without z they do not count.
    x_um, y_um : float
        The place, µm.

    Returns
    -------
    (z_um, error_um) or None
        Drive position and its standard error, µm; None where no point has a z.
    """
    found = [point for point in points if point.z_um is not None]
    found.sort(key=lambda point: math.hypot(point.x_um - x_um, point.y_um - y_um))
    if not found:
        return None
    found = found[:_NEAREST]
    apart_mm = np.array([(point.x_um - x_um, point.y_um - y_um) for point in found]) / 1000
    z_um = np.array([point.z_um for point in found], np.float64)
    sigma_um = np.array([point.uncertainty_um or _UNCERTAINTY_UM for point in found], np.float64)
    return _plane_here(apart_mm, z_um, np.hypot(sigma_um, _BEND_UM_PER_MM2 * (apart_mm**2).sum(axis=1)))


def _plane_here(apart_mm: FloatArray, z_um: FloatArray, sigma_um: FloatArray) -> tuple[float, float]:
    """Value and standard error, at the origin, of a plane whose slope is small unless the points say otherwise.

    Planes that leave out each one and each two of the points are tried, for one wild point close by could turn any that
    has it; the one that most points agree with is refined.
    """
    terms = np.column_stack([np.ones(len(z_um)), apart_mm])
    middle = float(np.median(z_um))
    off_um = (z_um - middle) / sigma_um
    scaled = terms / sigma_um[:, None]
    planes = _solved(scaled, off_um, _subsets(len(z_um)))[0]
    costs = np.square(np.minimum(np.abs(off_um - planes @ scaled.T), _WILD)).sum(axis=1)
    plane = planes[int(np.argmin(costs))]
    for _ in range(_ROUNDS):
        size = np.abs(off_um - scaled @ plane)
        size /= max(1.0, 1.4826 * float(np.median(size)))
        count = np.maximum(1 - np.minimum(size / _TUKEY, 1.0) ** 2, 1e-3) ** 2
        found, normals = _solved(scaled, off_um, count[None])
        plane = found[0]
    excess = float(np.sum(count * (off_um - scaled @ plane) ** 2) / max(float(count.sum()) - 1, 1.0))
    error_um = math.sqrt(float(np.linalg.inv(normals[0])[0, 0]) * max(1.0, excess))
    return middle + float(plane[0]), error_um


def _solved(terms: FloatArray, values: FloatArray, counts: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Planes (S, 3) and normal matrices (S, 3, 3) for the counts (S, N) of points."""
    normals = np.einsum("sn,ni,nj->sij", counts, terms, terms) + np.diag([1e-9, *[_TILT_UM_PER_MM**-2] * 2])
    sides = np.einsum("sn,ni,n->si", counts, terms, values)
    return np.linalg.solve(normals, sides[..., None])[..., 0], normals


def _subsets(count: int) -> FloatArray:
    """All points, all but one, all but two: 1 for those that take part; at least three do."""
    left_out = [out for size in (0, 1, 2) if count - size >= 3 or not size for out in combinations(range(count), size)]
    subsets = np.ones((len(left_out), count))
    for row, out in zip(subsets, left_out, strict=True):
        row[list(out)] = 0.0
    return subsets
