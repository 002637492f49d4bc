"""From measured points to the curve of a tunable lens: monotone, smoothed, or refused with the place that turns back.

The rules are ours: how far neighbouring points may disagree, and how much is smoothed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from napari_autofocus.errors import InputError
from napari_autofocus.focus.lens_curve import LEAST_POINTS, LensCurve, LensFacts, LensPoint
from napari_autofocus.focus.monotone import monotone_fit

_ALLOWED_SIGMAS = 3.0


def fit_lens_curve(points: Sequence[LensPoint], facts: LensFacts, *, tolerance_um: float = 0.3) -> LensCurve:
    """A monotone curve through what was measured.

    Smooth as far as the points themselves ask for it (generalised cross-validation), never turning back.

    Parameters
    ----------
    points : sequence of LensPoint
        In any order; several at one value count as their mean.
    facts : LensFacts
        Whose curve it is.
    tolerance_um : float
        How far a point may lie on the wrong side of its neighbour, as noise, µm; three standard uncertainties where
        the points state more.

    Raises
    ------
    InputError
        Too few values; NaN; or the focus turns back by more than noise: between which values, and by how much.
    """
    for point in points:
        if not (math.isfinite(point.value) and math.isfinite(point.shift_um)):
            raise InputError(f"A point of the lens curve is no number: {point.shift_um} µm at {point.value:g}.")
    kept = _by_value(points)
    if len(kept) < LEAST_POINTS:
        raise InputError(
            f"A lens curve needs {LEAST_POINTS} different values at least; found {len(kept)}: widen the range, or take"
            " a smaller step."
        )
    values = np.array([point.value for point in kept])
    shift_um = np.array([point.shift_um for point in kept])
    sign = _require_one_way(kept, facts, tolerance_um)
    fitted = sign * monotone_fit(values, sign * shift_um)
    return LensCurve(facts, kept, tuple(float(each) for each in fitted))


def _by_value(points: Sequence[LensPoint]) -> tuple[LensPoint, ...]:
    """One point a value, by growing value."""
    found: dict[float, list[LensPoint]] = {}
    for point in points:
        found.setdefault(float(point.value), []).append(point)
    return tuple(_mean(found[value]) for value in sorted(found))


def _mean(points: Sequence[LensPoint]) -> LensPoint:
    known = [point.uncertainty_um for point in points if point.uncertainty_um is not None]
    uncertainty_um = float(np.mean(known) / math.sqrt(len(known))) if known else None
    return LensPoint(points[0].value, float(np.mean([point.shift_um for point in points])), uncertainty_um)


def _require_one_way(points: Sequence[LensPoint], facts: LensFacts, tolerance_um: float) -> int:
    """Whether the shift rises (+1) or falls (−1) with the value. Raises InputError where it does neither."""
    shifts = np.array([point.shift_um for point in points])
    sign = 1 if np.median(shifts[len(shifts) // 2 :]) >= np.median(shifts[: len(shifts) // 2]) else -1
    noise_um = max(tolerance_um, _ALLOWED_SIGMAS * math.sqrt(2) * max(point.uncertainty_um or 0.0 for point in points))
    if not sign * (shifts[-1] - shifts[0]) > noise_um:
        raise InputError(
            f"{facts.name} shifts the focus by no more than {np.ptp(shifts):.2f} µm over the whole range; choose"
            " another property or a wider range, and check that the lens is on."
        )
    highest = np.maximum.accumulate(sign * shifts)
    back_um = highest - sign * shifts
    worst = int(np.argmax(back_um))
    if back_um[worst] > noise_um:
        before = int(np.argmax(sign * shifts[: worst + 1]))
        raise InputError(
            f"The focus turns back by {back_um[worst]:.2f} µm between {points[before].value:g} and"
            f" {points[worst].value:g} {facts.unit}".rstrip()
            + f" of {facts.name}, where the rest of the curve {'rises' if sign > 0 else 'falls'}; measure these values"
            " again, or a range without the turn."
        )
    return sign
