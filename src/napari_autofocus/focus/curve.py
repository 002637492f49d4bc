"""Focus curves: where sharpness peaks between the planes, how precisely that is known, and whether to believe it.

Works on numbers alone (z and sharpness), so that z-stacks, live sweeps and saved records are judged alike. What
needs the images themselves (contrast inversion of phase objects) is in ``phase.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError
from napari_autofocus.focus.peak import FloatArray, Peak, baseline, fit_peak, neighbourhood

CurveVerdict = Literal["peak", "phase_minimum", "no_peak", "peak_at_edge", "several_peaks", "spike", "undersampled"]
Polarity = Literal["auto", "max", "min"]

# Our own thresholds, chosen on simulated fields and checked on real stacks (docs/focus_curves.md).
SIGNIFICANT = 6.0  # height of a peak over the noise of one sample
NOISE_FREE = 1e6  # height over the noise above which there is no noise to speak of: simulated or averaged frames
EDGE_FALL = 0.25  # share of its height by which a peak must fall on both sides inside the range
RIVAL_HEIGHT = 0.5  # a second peak this high, relative to the first, makes the curve ambiguous
SUPPORT_HEIGHT = 0.12  # planes above this share of the height carry the peak
SUPPORT_PLANES = 3
MIN_POINTS_FOR_NOISE = 15  # with fewer, the curvature of the peak itself would pass for noise
BROADEST = 0.7  # width at half height over the range, above which a curve has no peak inside the range
VAGUE = 0.25  # uncertainty over width, above which a peak is not located


@dataclass(frozen=True, eq=False)
class FocusCurve:
    """Sharpness against z, and what it says about focus.

    Parameters
    ----------
    z_um : np.ndarray, shape (N,)
        Positions, strictly increasing, µm.
    sharpness : np.ndarray, shape (N,)
        In the unit of the measure.
    verdict : str
        ``peak`` and ``phase_minimum`` locate focus; every other verdict says why the curve does not.
    trusted : bool
        Whether the position may be used without a second look.
    best_z_um, uncertainty_um : float or None
        Position of best focus between the samples and its standard uncertainty, µm. For an untrusted curve the best
        guess, or None where there is none.
    significance : float
        Height of the peak over the noise of a single sample.
    width_um : float or None
        Full width of the peak at half height, µm.
    reasons : tuple of str
        The numbers behind the verdict, in words.
    """

    z_um: FloatArray
    sharpness: FloatArray
    verdict: CurveVerdict
    trusted: bool
    best_z_um: float | None
    uncertainty_um: float | None
    significance: float
    reasons: tuple[str, ...]
    width_um: float | None = None


def judge_curve(
    z_um: npt.ArrayLike,
    sharpness: npt.ArrayLike,
    *,
    noise: float | None = None,
    polarity: Polarity = "auto",
    dof_um: float | None = None,
) -> FocusCurve:
    """Find best focus on a focus curve, however it was sampled, and say whether to trust it.

    Parameters
    ----------
    z_um, sharpness : array-like, shape (N,)
        Samples in any order; samples at the same z are averaged.
    noise : float, optional
        Standard deviation of one sample where it is known (repeated frames, pixel statistics). Otherwise estimated from
        how far each sample lies from the line between its neighbours, which takes at least fifteen samples.
    polarity : {'auto', 'max', 'min'}
        ``max`` expects a peak; ``min`` a minimum between two rises, as phase objects show. ``auto`` expects a peak and
        names two equal peaks ``several_peaks``: numbers alone cannot tell two depths from a phase object.
    dof_um : float, optional
        Depth of field. Tells a spike (narrower than optics allow) from a peak that was sampled too coarsely.

    Returns
    -------
    FocusCurve

    Raises
    ------
    InputError
        If the samples are not finite, or z and sharpness differ in length.
    """
    z, s = _merged(z_um, sharpness)
    sigma = _noise_of(z, s, noise)
    if polarity == "min":
        return _judge_minimum(z, s, sigma)
    return _judge_maximum(z, s, sigma, dof_um)


def curve_noise(z_um: FloatArray, sharpness: FloatArray) -> float:
    """Standard deviation of one sample, from the distances of samples to the line between their neighbours.

    Robust against the peak itself (median absolute deviation); 0 where there are too few samples to tell.
    """
    if z_um.size < MIN_POINTS_FOR_NOISE:
        return 0.0
    left, right = np.diff(z_um)[:-1], np.diff(z_um)[1:]
    a, b = right / (left + right), left / (left + right)
    residual = (sharpness[1:-1] - a * sharpness[:-2] - b * sharpness[2:]) / np.sqrt(1 + a**2 + b**2)
    return float(1.4826 * np.median(np.abs(residual)))


def _judge_maximum(z: FloatArray, s: FloatArray, noise: float, dof_um: float | None) -> FocusCurve:
    top = int(np.argmax(s))
    height = float(s[top] - baseline(s))
    significance = height / noise if noise > 0 else (np.inf if height > 0 else 0.0)

    def verdict(name: CurveVerdict, reason: str, peak: Peak | None = None, *, guess: float | None = None) -> FocusCurve:
        best, error = (peak.z_um, peak.uncertainty_um) if peak else (guess, None)
        width = peak.width_um if peak else None
        return FocusCurve(z, s, name, name == "peak", best, error, float(min(significance, 1e9)), (reason,), width)

    if z.size < SUPPORT_PLANES:
        return verdict("undersampled", f"{z.size} planes cannot show a peak; take at least {SUPPORT_PLANES}.")
    if np.ptp(s) == 0:
        return verdict("no_peak", "Sharpness is the same at every z: there is nothing to focus on.")
    if significance < SIGNIFICANT:
        return verdict(
            "no_peak",
            f"The highest sample rises {significance:.1f} times the noise over the others;"
            f" {SIGNIFICANT:g} times is needed.",
        )
    if (doubt := _doubt_where(z, s, top, noise)) is not None:
        return verdict(*doubt, guess=float(z[top]))
    narrow = _narrow_verdict(z, s, top, noise, dof_um)
    peak = fit_peak(z, s, noise)
    if narrow:
        return verdict(narrow[0], narrow[1], Peak(_centroid(z, s, top), narrow[2], 0.0, height))
    if peak.width_um > BROADEST * np.ptp(z) or peak.uncertainty_um > VAGUE * peak.width_um:
        return verdict(
            "no_peak",
            f"The highest part is {peak.width_um:.2f} µm wide in a range of {np.ptp(z):.2f} µm and located to only"
            f" {peak.uncertainty_um:.2f} µm: a trend, not a peak.",
            peak,
        )
    high = f"{significance:.0f} times the noise high and" if significance < NOISE_FREE else "free of noise and"
    return verdict("peak", f"One peak, {high} {peak.width_um:.2f} µm wide.", peak)


def _doubt_where(z: FloatArray, s: FloatArray, top: int, noise: float) -> tuple[CurveVerdict, str] | None:
    """Why a significant maximum does not say where focus is; None where it may."""
    if edge := _edge_reason(z, s, top, noise):
        return "peak_at_edge", edge
    if (rival := _rival(s, top, noise)) is not None:
        where = f"{z[top]:.2f} and {z[rival]:.2f} µm"
        return "several_peaks", f"Two peaks, at {where}: content at two depths, or a phase object."
    return None


def _centroid(z: FloatArray, s: FloatArray, top: int) -> float:
    """Centre of the few planes that carry a narrow peak, µm."""
    base = baseline(s)
    carrying = neighbourhood(s, top, base + SUPPORT_HEIGHT * (s[top] - base), margin=0)
    return float(np.average(z[carrying], weights=s[carrying] - base))


def _judge_minimum(z: FloatArray, s: FloatArray, noise: float) -> FocusCurve:
    """The curve upside down, with the range cut to the rises on both sides so that far tails do not matter."""
    left, right = flanks(s)
    if left is None or right is None:
        return FocusCurve(
            z, s, "no_peak", False, None, None, 0.0, ("The curve has no minimum between two rises inside the range.",)
        )
    inside = slice(left, right + 1)
    found = _judge_maximum(z[inside], float(s[inside].max()) - s[inside], noise, None)
    renamed: CurveVerdict = "phase_minimum" if found.verdict == "peak" else found.verdict
    reason = found.reasons[0].replace("One peak", "A minimum between two peaks")
    return replace(found, z_um=z, sharpness=s, verdict=renamed, reasons=(reason,))


def flanks(sharpness: FloatArray) -> tuple[int | None, int | None]:
    """Indices of the two rises around the deepest interior minimum; None for a side that does not rise.

    The minimum is the sample that lies deepest below the lower of the highest samples on its two sides.
    """
    n = sharpness.size
    if n < SUPPORT_PLANES:
        return None, None
    left_high = np.maximum.accumulate(sharpness)
    right_high = np.maximum.accumulate(sharpness[::-1])[::-1]
    depth = np.minimum(left_high, right_high) - sharpness
    bottom = int(np.argmax(depth))
    if depth[bottom] <= 0 or bottom in (0, n - 1):
        return None, None
    return int(np.argmax(sharpness[:bottom])), bottom + 1 + int(np.argmax(sharpness[bottom + 1 :]))


def _merged(z_um: npt.ArrayLike, sharpness: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    z, s = np.asarray(z_um, np.float64).ravel(), np.asarray(sharpness, np.float64).ravel()
    if z.size != s.size:
        raise InputError(f"A focus curve needs one sharpness for each z; found {z.size} z and {s.size} values.")
    if not (np.isfinite(z).all() and np.isfinite(s).all()):
        raise InputError("A focus curve holds values that are not finite; leave out the planes that failed.")
    unique, where = np.unique(z, return_inverse=True)
    return unique, np.asarray(np.bincount(where, weights=s) / np.bincount(where), np.float64)


def _noise_of(z: FloatArray, s: FloatArray, known: float | None) -> float:
    if known is not None and not (np.isfinite(known) and known >= 0):
        raise InputError(f"The noise of a focus curve must be a number of at least 0; found {known}.")
    estimated = curve_noise(z, s)
    if known is None:
        # Too few samples to estimate: fluctuations of 2 % of the curve's range are taken for granted.
        return estimated if z.size >= MIN_POINTS_FOR_NOISE else 0.02 * float(np.ptp(s)) if s.size else 0.0
    return max(known, estimated)


def _edge_reason(z: FloatArray, s: FloatArray, top: int, noise: float) -> str | None:
    height = float(s[top] - s.min())
    sides: Sequence[tuple[str, FloatArray]] = (("below", s[:top]), ("above", s[top + 1 :]))
    for side, values in sides:
        fall = float(s[top] - values.min()) if values.size else 0.0
        if fall < max(EDGE_FALL * height, 2 * noise):
            end = "lower" if side == "below" else "upper"
            return (
                f"Sharpness still rises towards the {end} end: {side} {z[top]:.2f} µm it falls by only"
                f" {100 * fall / height:.0f} % of its range; extend the range that way."
            )
    return None


def _rival(s: FloatArray, top: int, noise: float) -> int | None:
    """Index of a second peak that is nearly as high as the first and stands apart from it, or None."""
    base = baseline(s)
    height = s[top] - base
    for direction in (-1, 1):
        side = s[top::direction]
        valley = np.minimum.accumulate(side)
        prominence = side - valley
        candidate = int(np.argmax(prominence))
        enough = max(RIVAL_HEIGHT * (s[top] - base), 4 * noise)
        if side[candidate] - base >= enough and prominence[candidate] >= max(0.3 * height, 4 * noise):
            return top + direction * candidate
    return None


def _narrow_verdict(
    z: FloatArray, s: FloatArray, top: int, noise: float, dof_um: float | None
) -> tuple[CurveVerdict, str, float] | None:
    """Whether too few planes carry the peak: (verdict, reason, least uncertainty in µm), or None."""
    base = baseline(s)
    level = base + max(SUPPORT_HEIGHT * (s[top] - base), 3 * noise)
    support = np.flatnonzero(neighbourhood(s, top, level, margin=0))
    # Planes taken almost at the same place support each other, not the peak.
    distinct = 1 + np.count_nonzero(np.diff(z[support]) > 0.1 * np.median(np.diff(z)))
    if distinct >= SUPPORT_PLANES:
        return None
    gap = float(max(z[min(support[-1] + 1, z.size - 1)] - z[top], z[top] - z[max(support[0] - 1, 0)]))
    fine = gap <= dof_um if dof_um is not None else gap <= 1.5 * float(np.median(np.diff(z)))
    if support.size == 1 and fine:
        return (
            "spike",
            f"Only the plane at {z[top]:.2f} µm stands out from its neighbours: a disturbance, not focus.",
            gap,
        )
    return (
        "undersampled",
        f"Only {support.size} planes carry the peak at {z[top]:.2f} µm and the next ones are {gap:.2f} µm away;"
        " take smaller steps.",
        gap / 2,
    )
