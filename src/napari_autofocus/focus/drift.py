"""How fast best focus drifts, from positions of best focus over time, with jumps told apart from drift.

A drift is a steady rate; a jump happens between two looks (a knock, a slide that slips, a filter wheel). Both are
fitted together: a line and as many steps as the data ask for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError

FloatArray = npt.NDArray[np.float64]

LEAST_POINTS = 5
"""Looks that it takes to speak of a rate (ours)."""
JUMP = 6.0
"""A step is a jump that is so many times its standard error (ours): chance among hundreds of places rarely gives 4."""
LEAST_JUMP_SCATTERS = 3.0
"""And so many times the scatter of single looks (ours): drift that is no line is no chain of jumps."""
MOST_JUMPS = 5
LEAST_BESIDE = 3
"""Looks that must lie on either side of a jump (ours): a single wild look is none."""
SIGNIFICANT = 3.0
"""A rate is told as a drift that is so many times its error (ours)."""
_HUBER = 1.345
_ROUNDS = 8
_MOST_CANDIDATES = 16
_LOOKS_BESIDE = 6
_MAD_TO_SIGMA = 1.4826


@dataclass(frozen=True)
class Jump:
    """A sudden change of best focus: when, and by how much (µm of drive position)."""

    at_s: float
    by_um: float
    error_um: float


@dataclass(frozen=True)
class Drift:
    """How best focus moves.

    Parameters
    ----------
    rate_um_h, error_um_h : float
        Rate and its standard error, µm of drive position per hour.
    jumps : tuple of Jump
        Sudden changes, in the order of time.
    start_um : float
        Best focus by the line at the first look, µm.
    scatter_um : float
        Of single looks about line and jumps, µm (robust).
    points : int
        Looks that were used.
    span_s : float
        From the first to the last.
    """

    rate_um_h: float
    error_um_h: float
    jumps: tuple[Jump, ...]
    start_um: float
    scatter_um: float
    points: int
    span_s: float

    @property
    def is_significant(self) -> bool:
        """Whether there is a drift to speak of."""
        return abs(self.rate_um_h) >= SIGNIFICANT * self.error_um_h

    def at_um(self, since_s: float | FloatArray) -> Any:
        """Best focus by line and jumps so long after the first look, µm."""
        since = np.asarray(since_s, np.float64)
        value = self.start_um + self.rate_um_h / 3600 * since
        for jump in self.jumps:
            value = value + np.where(since > jump.at_s, jump.by_um, 0.0)
        return float(value) if value.ndim == 0 else value

    def sentence(self) -> str:
        """In words and numbers."""
        rate, error, unit = self._said()
        about = f"{rate:+.2f} ± {error:.2f} {unit}".replace("-", "−")
        if not self.is_significant:
            limit = abs(rate) + 2 * error
            told = f"No drift beyond {limit:.2f} {unit}"
        else:
            told = f"Drifts {about}"
        if self.jumps:
            what = ", ".join(
                f"{jump.by_um:+.2f} µm after {_minutes(jump.at_s)}".replace("-", "−") for jump in self.jumps
            )
            told += f"; jumped {what}"
        return f"{told}."

    def _said(self) -> tuple[float, float, str]:
        """Per minute where it is quick, otherwise per hour."""
        if abs(self.rate_um_h) >= 6:
            return self.rate_um_h / 60, self.error_um_h / 60, "µm/min"
        return self.rate_um_h, self.error_um_h, "µm/h"

    def to_json(self) -> dict[str, Any]:
        """The numbers, in types that JSON knows."""
        return {
            "rate_um_h": self.rate_um_h,
            "error_um_h": self.error_um_h,
            "significant": self.is_significant,
            "jumps": [{"at_s": jump.at_s, "by_um": jump.by_um, "error_um": jump.error_um} for jump in self.jumps],
            "scatter_um": self.scatter_um,
            "points": self.points,
            "span_s": self.span_s,
        }


def drift_of(
    at_s: Sequence[float] | FloatArray,
    best_z_um: Sequence[float] | FloatArray,
    uncertainty_um: Sequence[float] | FloatArray | None = None,
) -> Drift | None:
    """Rate of drift with its error, and jumps.

    Looks that are not finite are left out; wild ones count little (Huber's weights). The error takes in that looks
    which follow each other may err alike (first-order correlation of the residuals).

    Parameters
    ----------
    at_s : sequence of float
        When each look was taken, s, in any order and by any clock.
    best_z_um : sequence of float
        Where best focus lay, µm of drive position.
    uncertainty_um : sequence of float, optional
        Standard uncertainty of each; alike where not given.

    Returns
    -------
    Drift or None
        None where fewer than five looks are finite, or all were taken at once.

    Raises
    ------
    InputError
        If the sequences differ in length.
    """
    times, places, weights = _sound(at_s, best_z_um, uncertainty_um)
    if times.size < LEAST_POINTS or not times[-1] > times[0]:
        return None
    since = times - times[0]
    breaks: list[int] = []
    fit = _fitted(since, places, weights, breaks)
    while len(breaks) < MOST_JUMPS:
        found = _next_jump(since, places, weights, breaks)
        if found is None:
            break
        breaks, fit = found
    return _drift(since, fit, breaks, times.size)


@dataclass(frozen=True, eq=False)
class _Fit:
    solution: FloatArray
    errors: FloatArray
    residual: FloatArray
    scatter: float


def _sound(
    at_s: Sequence[float] | FloatArray,
    best_z_um: Sequence[float] | FloatArray,
    uncertainty_um: Sequence[float] | FloatArray | None,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Times, places and weights (of mean 1), those that are finite, in the order of time."""
    times, places = np.asarray(at_s, np.float64), np.asarray(best_z_um, np.float64)
    sigma = np.ones_like(places) if uncertainty_um is None else np.asarray(uncertainty_um, np.float64)
    if not times.shape == places.shape == sigma.shape or times.ndim != 1:
        raise InputError(
            f"A drift needs a time, a place and an uncertainty for each look; found {times.size}, {places.size} and"
            f" {sigma.size}."
        )
    good = np.isfinite(times) & np.isfinite(places) & np.isfinite(sigma) & (sigma > 0)
    times, places, sigma = times[good], places[good], sigma[good]
    order = np.argsort(times, kind="stable")
    times, places, sigma = times[order], places[order], sigma[order]
    if not sigma.size:
        return times, places, sigma
    # No look outvotes all others: models are now and then surer than they may be.
    weights = 1 / np.maximum(sigma, np.median(sigma) / 2) ** 2
    return times, places, weights / weights.mean()


def _columns(since: FloatArray, breaks: Sequence[int]) -> FloatArray:
    """A line, and a step before each look that a jump precedes."""
    steps = [(np.arange(since.size) >= index).astype(np.float64) for index in breaks]
    return np.column_stack([np.ones_like(since), since, *steps])


def _fitted(since: FloatArray, places: FloatArray, weights: FloatArray, breaks: Sequence[int]) -> _Fit:
    """Huber's fit of line and steps, with standard errors."""
    columns, robust = _columns(since, breaks), np.ones_like(places)
    scatter = 0.0
    for _ in range(_ROUNDS):
        total = weights * robust
        root = np.sqrt(total)
        solution = np.linalg.lstsq(columns * root[:, None], places * root, rcond=None)[0]
        residual = places - columns @ solution
        scaled = residual * np.sqrt(weights)
        scatter = float(_MAD_TO_SIGMA * np.median(np.abs(scaled)))
        robust = np.minimum(1.0, _HUBER * max(scatter, 1e-12) / np.maximum(np.abs(scaled), 1e-12))
    freedom = max(since.size - columns.shape[1], 1)
    variance = float(np.sum(total * residual**2)) / freedom
    covariance = np.linalg.pinv(columns.T @ (columns * total[:, None])) * max(variance, 1e-12)
    alike = _correlation(residual)
    stretched = math.sqrt((1 + alike) / (1 - alike))
    return _Fit(
        np.asarray(solution, np.float64),
        np.asarray(np.sqrt(np.diag(covariance)) * stretched, np.float64),
        residual,
        scatter,
    )


def _correlation(residual: FloatArray) -> float:
    """Of each residual with the next, from 0 to 0.9: what scatters back and forth is not believed to err less."""
    power = float(residual @ residual)
    if residual.size < 2 * LEAST_POINTS or power <= 0:
        return 0.0
    found = float(residual[1:] @ residual[:-1]) / power
    return min(max(found + 2 / residual.size, 0.0), 0.9)


def _next_jump(
    since: FloatArray, places: FloatArray, weights: FloatArray, breaks: list[int]
) -> tuple[list[int], _Fit] | None:
    """The most certain jump that is not known yet; None where there is none."""
    best: tuple[float, list[int], _Fit] | None = None
    for index in _candidates(places, breaks):
        trial = sorted([*breaks, index])
        fit = _fitted(since, places, weights, trial)
        column = 2 + trial.index(index)
        size, error = abs(float(fit.solution[column])), float(fit.errors[column])
        certain = size / max(error, 1e-12)
        if certain < JUMP or size < LEAST_JUMP_SCATTERS * fit.scatter:
            continue
        cost = float(np.abs(fit.residual).sum())
        if best is None or cost < best[0]:
            best = cost, trial, fit
    return None if best is None else (best[1], best[2])


def _candidates(places: FloatArray, breaks: Sequence[int]) -> list[int]:
    """Looks that a jump may precede: those between whose neighbours on either side most lies."""
    edges = [0, *breaks, places.size]
    allowed = [i for i in range(places.size) if all(abs(i - edge) >= LEAST_BESIDE for edge in edges)]

    def step(index: int) -> float:
        before, after = places[max(index - _LOOKS_BESIDE, 0) : index], places[index : index + _LOOKS_BESIDE]
        return abs(float(np.median(after) - np.median(before)))

    return sorted(allowed, key=step)[-_MOST_CANDIDATES:]


def _drift(since: FloatArray, fit: _Fit, breaks: Sequence[int], points: int) -> Drift:
    jumps = tuple(
        Jump(float(since[index - 1] + since[index]) / 2, float(size), float(error))
        for index, size, error in zip(breaks, fit.solution[2:], fit.errors[2:], strict=True)
    )
    rate, error = float(fit.solution[1]) * 3600, float(fit.errors[1]) * 3600
    return Drift(rate, error, jumps, float(fit.solution[0]), fit.scatter, points, float(since[-1]))


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.1f} min"
