"""Smooth surfaces through scattered points, each with leave-one-out residuals and standard error in closed form.

A plane, a thin-plate smoothing spline and Gaussian radial basis functions over a plane are one linear system with
another kernel, so they share this code. ``scipy.interpolate.RBFInterpolator`` solves the same system (the tests hold
both against each other) but tells neither residuals nor errors. Places are in units of the points' spacing here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Kind = Literal["plane", "spline", "rbf"]

LEAST_POINTS: dict[Kind, int] = {"plane": 3, "spline": 6, "rbf": 8}
_LENGTHS = (1.5, 2.5, 4.0, 6.0, 9.0)
"""Lengths of the Gaussian that are tried, in spacings: shorter is not told by the points, longer is as good as flat."""
_SMOOTHINGS: dict[Kind, FloatArray] = {
    "plane": np.ones(1),
    "spline": 10.0 ** np.arange(-4, 4.1, 0.5),
    "rbf": 10.0 ** np.arange(-5, 1.1, 0.5),
}
_ENOUGH = 300
"""How stiff a surface is to be is read from so many of the points; more cost time and change nothing."""
_AT_A_TIME = 512  # fits the cache


@dataclass(frozen=True)
class Stiffness:
    """How a surface bends.

    Parameters
    ----------
    kind : str
        ``plane``, ``spline`` or ``rbf``.
    smoothing : float
        Variance of the points against that of the kernel.
    length : float
        Of the Gaussian, in spacings; means nothing for the others.
    """

    kind: Kind
    smoothing: float = 1.0
    length: float = 1.0


@dataclass(frozen=True, eq=False)
class FittedSurface:
    """A surface through points.

    Parameters
    ----------
    stiffness : Stiffness
        How it bends.
    places : np.ndarray, shape (N, 2)
        Of the points, in spacings.
    coefficients : np.ndarray, shape (N + 3,)
        Of the kernel at each point, and of the plane 1, x, y; µm.
    inverse : np.ndarray, shape (N + 3, N + 3)
        Of the system.
    left_out_um : np.ndarray, shape (N,)
        By how much each point lies above the surface of the others, µm; NaN where the others make none.
    left_out_shape : np.ndarray, shape (N,)
        Variance of that, up to :attr:`variance_um2`.
    variance_um2 : float
        Scale of all variances, by the residuals; NaN where there are none.
    """

    stiffness: Stiffness
    places: FloatArray
    coefficients: FloatArray
    inverse: FloatArray
    left_out_um: FloatArray
    left_out_shape: FloatArray
    variance_um2: float

    @property
    def kind(self) -> Kind:
        """Which of the surfaces it is."""
        return self.stiffness.kind

    @cached_property
    def error_um(self) -> float:
        """Mean absolute leave-one-out residual, µm; NaN where no point can be left out."""
        known = np.isfinite(self.left_out_um)
        return float(np.abs(self.left_out_um[known]).mean()) if known.any() else float("nan")

    def at(self, places: FloatArray) -> FloatArray:
        """The surface, µm, at places of shape (M, 2)."""
        if self.kind == "plane":
            return np.asarray(_plane(places) @ self.coefficients[-3:])
        return np.concatenate([self._terms(part) @ self.coefficients for part in _parts(places)])

    def sigma_at(self, places: FloatArray) -> FloatArray:
        """Standard error of the surface, µm, at places of shape (M, 2), if it bends as assumed."""
        return np.asarray(np.sqrt(self.variance_um2 * self.shape_at(places)))

    def shape_at(self, places: FloatArray) -> FloatArray:
        """Variance of the surface at places of shape (M, 2), up to :attr:`variance_um2`."""
        own = 1.0 if self.kind == "rbf" else 0.0
        shapes = []
        for part in _parts(places):
            terms = self._terms(part)
            shapes.append(own - np.einsum("ij,ij->i", terms @ self.inverse, terms))
        return np.asarray(np.maximum(np.concatenate(shapes), 0.0))

    def _terms(self, places: FloatArray) -> FloatArray:
        return np.hstack([_kernel(self.stiffness, places, self.places), _plane(places)])


def fit_surface(kind: Kind, places: FloatArray, z_um: FloatArray, weight: FloatArray) -> FittedSurface:
    """The surface of a kind whose leave-one-out residuals are the most likely.

    Parameters
    ----------
    kind : str
        ``plane``, ``spline`` or ``rbf``; takes as many points as :data:`LEAST_POINTS` says, not all on a line.
    places : np.ndarray, shape (N, 2)
        In spacings.
    z_um : np.ndarray, shape (N,)
        At the points.
    weight : np.ndarray, shape (N,)
        How much each point counts: one over its variance, of which only the ratios matter.
    """
    return fit_stiffness(choose_stiffness(kind, places, z_um, weight), places, z_um, weight)


def choose_stiffness(
    kind: Kind, places: FloatArray, z_um: FloatArray, weight: FloatArray, *, robust: bool = False
) -> Stiffness:
    """How a surface should bend by its leave-one-out residuals: their likelihood, or their mean size if ``robust``."""
    if kind == "plane":
        return Stiffness("plane")
    part = np.linspace(0, len(z_um) - 1, min(len(z_um), _ENOUGH)).astype(int)
    places, z_um, roots = places[part], z_um[part], np.sqrt(weight[part])
    across = np.linalg.qr(_plane(places) * roots[:, None], mode="complete")[0][:, 3:]
    best, best_score = Stiffness(kind), float("inf")
    for length in _LENGTHS if kind == "rbf" else (1.0,):
        kernel = _kernel(Stiffness(kind, length=length), places, places) * np.outer(roots, roots)
        sizes, turned = np.linalg.eigh(across.T @ kernel @ across)
        modes = across @ turned
        parts, squares = modes.T @ (z_um * roots), modes**2
        for smoothing in _SMOOTHINGS[kind]:
            gains = 1 / (np.maximum(sizes, 0.0) + smoothing)
            precision = squares @ gains
            score = _score((modes @ (parts * gains)) / precision, precision, robust)
            if score < best_score:
                best, best_score = Stiffness(kind, float(smoothing), length), score
    return best


def _score(left_out: FloatArray, precision: FloatArray, robust: bool) -> float:
    """Less is better; the likelihood is that of normal residuals whose common scale is their own."""
    if robust:
        return float(np.abs(left_out).mean())
    scale = float(np.mean(left_out**2 * precision))
    return float(len(left_out) * np.log(max(scale, 1e-300)) - np.log(precision).sum())


def fit_stiffness(stiffness: Stiffness, places: FloatArray, z_um: FloatArray, weight: FloatArray) -> FittedSurface:
    """The surface through points that bends as told."""
    count, plane = len(z_um), _plane(places)
    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = _kernel(stiffness, places, places)
    system[np.arange(count), np.arange(count)] += stiffness.smoothing / weight
    system[:count, count:], system[count:, :count] = plane, plane.T
    inverse = np.asarray(np.linalg.inv(system), np.float64)
    coefficients = np.asarray(inverse @ np.append(z_um, np.zeros(3)), np.float64)
    told = _left_out(coefficients[:count], np.diagonal(inverse)[:count], weight / stiffness.smoothing)
    return FittedSurface(stiffness, places, coefficients, inverse, *told)


def _left_out(own: FloatArray, precision: FloatArray, stated: FloatArray) -> tuple[FloatArray, FloatArray, float]:
    """Leave-one-out residuals, their shape and scale; NaN for points that the surface must pass through."""
    known = precision > 1e-9 * stated
    shape = np.where(known, 1 / np.where(known, precision, 1.0), np.nan)
    left_out = own * shape
    variance = float(np.mean((left_out * own)[known])) if known.any() else float("nan")
    return left_out, shape, variance


def _plane(places: FloatArray) -> FloatArray:
    return np.column_stack([np.ones(len(places)), places])


def _kernel(stiffness: Stiffness, places: FloatArray, centres: FloatArray) -> FloatArray:
    """Kernel between places and centres, shape (M, N)."""
    if stiffness.kind == "plane":
        return np.zeros((len(places), len(centres)))
    squared = np.square(places[:, None, 0] - centres[None, :, 0])
    squared += np.square(places[:, None, 1] - centres[None, :, 1])
    if stiffness.kind == "rbf":
        squared *= -0.5 / stiffness.length**2
        return np.asarray(np.exp(squared, out=squared))
    logs = np.log(np.maximum(squared, 1e-300))
    logs *= 0.5
    logs *= squared
    return np.asarray(logs)


def _parts(places: FloatArray) -> Iterator[FloatArray]:
    """Some places at a time: memory stays flat."""
    for start in range(0, max(len(places), 1), _AT_A_TIME):
        yield places[start : start + _AT_A_TIME]
