"""Focus curves: where sharpness peaks between the planes, how precisely that is known, and whether to believe it.

Works on numbers alone (z and sharpness), so that z-stacks, live sweeps and saved records are judged alike. What needs the
images themselves (contrast inversion of phase objects) is in ``phase.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares

from napari_autofocus.errors import InputError

CurveVerdict = Literal["peak", "phase_minimum", "no_peak", "peak_at_edge", "several_peaks", "spike", "undersampled"]
Polarity = Literal["auto", "max", "min"]
FloatArray = npt.NDArray[np.float64]

# Our own thresholds, chosen on simulated fields and checked on real stacks (docs/focus_curves.md).
SIGNIFICANT = 6.0  # height of a peak over the noise of one sample
EDGE_FALL = 0.25  # share of its height by which a peak must fall on both sides inside the range
RIVAL_HEIGHT = 0.5  # a second peak this high, relative to the first, makes the curve ambiguous
SUPPORT_HEIGHT = 0.12  # planes above this share of the height carry the peak
SUPPORT_PLANES = 3
MIN_POINTS_FOR_NOISE = 15  # with fewer, the curvature of the peak itself would pass for noise
BROADEST = 0.7  # width at half height over the range, above which a curve has no peak inside the range
VAGUE = 0.25  # uncertainty over width, above which a peak is not located
MODEL_ERROR_STEPS = 0.04  # interpolation error of the peak model, in local steps


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


@dataclass(frozen=True)
class Peak:
    """A located peak: position and standard uncertainty, full width at half height (all µm), height over the baseline."""

    z_um: float
    uncertainty_um: float
    width_um: float
    height: float


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


def fit_peak(z_um: FloatArray, sharpness: FloatArray, noise: float) -> Peak:
    """Locate the highest peak between the samples.

    The model is a Moffat profile with a width of its own on either side, A/(1 + ((z − z0)/w±)²)^1.5 + c: Brenner curves
    fall off like it, and spherical aberration makes them lopsided. Our own choice.

    Parameters
    ----------
    z_um, sharpness : np.ndarray, shape (N,)
        At least three samples, z increasing.
    noise : float
        Standard deviation of one sample.
    """
    top = int(np.argmax(sharpness))
    base = baseline(sharpness)
    height = float(sharpness[top] - base)
    near = _neighbourhood(sharpness, top, base + 0.3 * height)
    z, s = z_um[near], (sharpness[near] - base) / height
    start = _parabola_vertex(z_um, sharpness, top)
    step = float(np.min(np.diff(z))) if z.size > 1 else 1.0
    width = max(_half_width(z_um, sharpness, top, base), step)
    solution = _fit_moffat(z, s, start, width, _bracket(z_um, sharpness, top, base + 0.8 * height))
    z0, widths = solution.x[0], np.exp(solution.x[1:3])
    full_width = float(np.sum(widths) * _MOFFAT_HALF)
    error = _position_error(solution, noise / height, step)
    return Peak(float(z0), error, full_width, height)


def baseline(sharpness: FloatArray) -> float:
    """Level of the curve far from focus: its tenth percentile."""
    return float(np.quantile(sharpness, 0.1))


_EXPONENT = 1.5
_MOFFAT_HALF = float(np.sqrt(2 ** (1 / _EXPONENT) - 1))


def _fit_moffat(z: FloatArray, s: FloatArray, start: float, width: float, bracket: tuple[float, float]):  # type: ignore[no-untyped-def]  # noqa: ANN202
    """Least squares of the two-sided Moffat; s runs from 0 (baseline) to 1 (top)."""

    def residual(p: FloatArray) -> FloatArray:
        side = np.where(z < p[0], np.exp(p[1]), np.exp(p[2]))
        model = p[3] / (1 + ((z - p[0]) / side) ** 2) ** _EXPONENT
        # With few samples the two sides and the height are held together by weak expectations.
        tie = [0.15 * (p[1] - p[2]), 0.05 * (p[3] - 1)]
        return np.concatenate([(model - s), tie])

    w = np.log(width / _MOFFAT_HALF)
    x0 = [float(np.clip(start, *bracket)), w, w, 1.0]
    lower = [bracket[0] - 1e-9, w - 3, w - 3, 0.3]
    upper = [bracket[1] + 1e-9, w + 3, w + 3, 3.0]
    return least_squares(residual, x0, bounds=(lower, upper), x_scale=[width, 1, 1, 1])


def _position_error(solution, relative_noise: float, step: float) -> float:  # type: ignore[no-untyped-def]  # noqa: ANN001
    """Standard uncertainty of the fitted position: from the residuals or the noise, whichever is larger, and the model."""
    jacobian = solution.jac
    freedom = max(jacobian.shape[0] - jacobian.shape[1], 1)
    scatter = max(float(np.sqrt(2 * solution.cost / freedom)), relative_noise)
    covariance = np.linalg.pinv(jacobian.T @ jacobian)
    return float(np.hypot(scatter * np.sqrt(max(covariance[0, 0], 0.0)), MODEL_ERROR_STEPS * step))


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
    if significance < SIGNIFICANT:
        return verdict(
            "no_peak",
            f"The highest sample rises {significance:.1f} times the noise over the others; {SIGNIFICANT:g} times is needed.",
        )
    edge = _edge_reason(z, s, top, noise)
    if edge:
        return verdict("peak_at_edge", edge, guess=float(z[top]))
    rival = _rival(z, s, top, noise)
    if rival is not None:
        return verdict(
            "several_peaks",
            f"Two peaks, at {z[top]:.2f} and {z[rival]:.2f} µm: content at two depths, or a phase object.",
            guess=float(z[top]),
        )
    narrow = _narrow_verdict(z, s, top, noise, dof_um)
    peak = fit_peak(z, s, noise)
    if narrow:
        return verdict(narrow[0], narrow[1], Peak(float(z[top]), narrow[2], 0.0, height))
    if peak.width_um > BROADEST * np.ptp(z) or peak.uncertainty_um > VAGUE * peak.width_um:
        return verdict(
            "no_peak",
            f"The highest part is {peak.width_um:.2f} µm wide in a range of {np.ptp(z):.2f} µm and located to only"
            f" {peak.uncertainty_um:.2f} µm: a trend, not a peak.",
            peak,
        )
    return verdict(
        "peak",
        f"One peak, {significance:.0f} times the noise high and {peak.width_um:.2f} µm wide.",
        peak,
    )


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
            return (
                f"Sharpness still rises towards the {'lower' if side == 'below' else 'upper'} end: {side} {z[top]:.2f} µm"
                f" it falls by only {100 * fall / height:.0f} % of its range; extend the range that way."
            )
    return None


def _rival(z: FloatArray, s: FloatArray, top: int, noise: float) -> int | None:
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
    support = np.flatnonzero(_neighbourhood(s, top, level, margin=0))
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


def _neighbourhood(s: FloatArray, top: int, level: float, margin: int = 1) -> npt.NDArray[np.bool_]:
    """Samples around ``top`` that stay above ``level`` without a gap, and ``margin`` more on either side."""
    above = s >= level
    low = top
    while low > 0 and above[low - 1]:
        low -= 1
    high = top
    while high < s.size - 1 and above[high + 1]:
        high += 1
    mask = np.zeros(s.size, bool)
    mask[max(low - margin, 0) : high + margin + 1] = True
    return mask


def _bracket(z: FloatArray, s: FloatArray, top: int, level: float) -> tuple[float, float]:
    """The peak lies between the nearest samples on either side that are clearly lower than the highest."""
    inside = z[_neighbourhood(s, top, level)]
    return float(inside[0]), float(inside[-1])


def _half_width(z: FloatArray, s: FloatArray, top: int, base: float) -> float:
    """Rough half width at half height, µm."""
    wide = z[_neighbourhood(s, top, base + 0.5 * (s[top] - base), margin=0)]
    return float(wide[-1] - wide[0]) / 2


def _parabola_vertex(z: FloatArray, s: FloatArray, top: int) -> float:
    """Vertex of the parabola through the highest sample and its neighbours; the sample itself at an end."""
    if top in (0, z.size - 1):
        return float(z[top])
    x, y = z[top - 1 : top + 2] - z[top], s[top - 1 : top + 2]
    a, b, _ = np.polyfit(x, y, 2)
    return float(z[top] - b / (2 * a)) if a < 0 else float(z[top])
