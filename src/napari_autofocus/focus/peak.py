"""Where exactly a focus curve peaks: a peak model fitted through the samples around the highest one.

Says where and how precisely, not whether to believe it; that is in ``curve.py``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares, leastsq

FloatArray = npt.NDArray[np.float64]

MODEL_ERROR_STEPS = 0.04  # interpolation error of the peak model, in local steps: our own, from simulated stacks
COLOUR_SHIFT_WIDTHS = 0.015  # how far colour and aberration may pull a peak: our own, from simulated stains
_EXPONENT = 1.5
_TIE_SIDES, _TIE_HEIGHT = 0.15, 0.05
_MOFFAT_HALF = float(np.sqrt(2 ** (1 / _EXPONENT) - 1))


@dataclass(frozen=True)
class Peak:
    """A located peak: position, standard uncertainty and full width at half height, µm; height over the baseline."""

    z_um: float
    uncertainty_um: float
    width_um: float
    height: float


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
    near = neighbourhood(sharpness, top, base + 0.3 * height)
    z, s = z_um[near], (sharpness[near] - base) / height
    start = _parabola_vertex(z_um, sharpness, top)
    step = float(z[-1] - z[0]) / max(z.size - 1, 1) or 1.0
    width = max(_half_width(z_um, sharpness, top, base), step)
    moffat = _Moffat(z, s)
    found = _fit_moffat(moffat, start, width, _bracket(z_um, sharpness, top, base + 0.8 * height))
    full_width = float(np.exp(found[1:3]).sum() * _MOFFAT_HALF)
    error = float(np.hypot(_position_error(moffat, found, noise / height, step), COLOUR_SHIFT_WIDTHS * full_width))
    return Peak(float(found[0]), error, full_width, height)


def baseline(sharpness: FloatArray) -> float:
    """Level of the curve far from focus: its tenth percentile (``np.quantile`` takes ten times as long for it)."""
    rank = 0.1 * (sharpness.size - 1)
    low = int(rank)
    ordered = np.sort(sharpness)
    return float(ordered[low] + (rank - low) * (ordered[min(low + 1, sharpness.size - 1)] - ordered[low]))


@dataclass(frozen=True, eq=False)
class _Moffat:
    """The two-sided Moffat beside samples s that run from 0 (baseline) to 1 (top); p = (z0, log w−, log w+, A)."""

    z: FloatArray
    s: FloatArray

    def _parts(self, p: FloatArray) -> tuple[npt.NDArray[np.bool_], FloatArray, FloatArray, FloatArray]:
        left = self.z < p[0]
        side = np.where(left, np.exp(p[1]), np.exp(p[2]))
        away = (self.z - p[0]) / side
        return left, side, away, 1 + away**2

    def residual(self, p: FloatArray) -> FloatArray:
        found = np.empty(self.z.size + 2)
        found[:-2] = p[3] / self._parts(p)[3] ** _EXPONENT - self.s
        # With few samples the two sides and the height are held together by weak expectations.
        found[-2:] = _TIE_SIDES * (p[1] - p[2]), _TIE_HEIGHT * (p[3] - 1)
        return found

    def jacobian(self, p: FloatArray) -> FloatArray:
        left, side, away, q = self._parts(p)
        fallen = q**-_EXPONENT
        steep = 2 * _EXPONENT * p[3] * away * fallen / q
        wider = steep * away
        found = np.zeros((self.z.size + 2, 4))
        found[:-2, 0], found[:-2, 1], found[:-2, 2], found[:-2, 3] = steep / side, wider * left, wider * ~left, fallen
        found[-2, 1:3], found[-1, 3] = (_TIE_SIDES, -_TIE_SIDES), _TIE_HEIGHT
        return found


def _fit_moffat(moffat: _Moffat, start: float, width: float, bracket: tuple[float, float]) -> FloatArray:
    """Least squares of the two-sided Moffat, its top inside the bracket.

    Hardly a peak touches its bounds: a search without them (MINPACK's) takes a fifth of the time, and what it finds
    inside them is what is looked for.
    """
    w = np.log(width / _MOFFAT_HALF)
    x0 = np.array([np.clip(start, *bracket), w, w, 1.0])
    lower = np.array([bracket[0] - 1e-9, w - 3, w - 3, 0.3])
    upper = np.array([bracket[1] + 1e-9, w + 3, w + 3, 3.0])
    scale = np.array([width, 1.0, 1.0, 1.0])
    # Asked for all it knows, it does not warn of a failure: what is done about that comes next.
    found, *_, ended = leastsq(moffat.residual, x0, Dfun=moffat.jacobian, diag=1 / scale, full_output=True)
    if 1 <= ended <= 4 and np.all((lower < found) & (found < upper)):
        return np.asarray(found, np.float64)
    bound = least_squares(moffat.residual, x0, jac=moffat.jacobian, bounds=(lower, upper), x_scale=scale)
    return np.asarray(bound.x, np.float64)


def _position_error(moffat: _Moffat, found: FloatArray, relative_noise: float, step: float) -> float:
    """Standard uncertainty of the position: from residuals or noise, whichever is larger, and from the model."""
    jacobian, residual = moffat.jacobian(found), moffat.residual(found)
    freedom = max(jacobian.shape[0] - jacobian.shape[1], 1)
    scatter = max(float(np.sqrt(residual @ residual / freedom)), relative_noise)
    covariance = np.linalg.pinv(jacobian.T @ jacobian)
    return float(np.hypot(scatter * np.sqrt(max(covariance[0, 0], 0.0)), MODEL_ERROR_STEPS * step))


def neighbourhood(s: FloatArray, top: int, level: float, margin: int = 1) -> npt.NDArray[np.bool_]:
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
    inside = z[neighbourhood(s, top, level)]
    return float(inside[0]), float(inside[-1])


def _half_width(z: FloatArray, s: FloatArray, top: int, base: float) -> float:
    """Rough half width at half height, µm."""
    wide = z[neighbourhood(s, top, base + 0.5 * (s[top] - base), margin=0)]
    return float(wide[-1] - wide[0]) / 2


def _parabola_vertex(z: FloatArray, s: FloatArray, top: int) -> float:
    """Vertex of the parabola through the highest sample and its neighbours; the sample itself at an end."""
    if top in (0, z.size - 1):
        return float(z[top])
    x, y = z[top - 1 : top + 2] - z[top], s[top - 1 : top + 2]
    a, b, _ = np.polyfit(x, y, 2)
    return float(z[top] - b / (2 * a)) if a < 0 else float(z[top])
