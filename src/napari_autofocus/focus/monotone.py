"""A smooth curve through noisy points that never turns back."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.optimize import lsq_linear

Float = npt.NDArray[np.float64]

_STRENGTHS = np.logspace(-4, 4, 17)
_LEAST_STEP = 1e-3
"""A curve that can be inverted has no level stretch: each step is at least this share of a mean one."""


def monotone_fit(x: Float, y: Float) -> Float:
    """Values of a rising curve at x: least squares with a penalty on curvature, which the points themselves choose.

    The strength of the penalty is that of the least generalised cross-validation (Craven and Wahba 1979) among several,
    the weakest of which leaves every point where it was measured.

    Parameters
    ----------
    x : np.ndarray, shape (N,)
        Ascending; at least three.
    y : np.ndarray, shape (N,)
        Rising but for noise.

    Returns
    -------
    np.ndarray, shape (N,)
        Strictly rising.
    """
    span = float(np.ptp(y)) or 1.0
    wanted = y / span
    bend = _curvature(x)
    strength = min(_STRENGTHS, key=lambda each: _cross_validation(bend, wanted, each))
    count = len(x)
    # From a first value and steps that are not negative, so that no constraint is left but simple bounds.
    steps_to_values = np.tril(np.ones((count, count)))
    least = np.full(count, _LEAST_STEP / count)
    least[0] = -np.inf
    system = np.vstack([steps_to_values, np.sqrt(strength) * bend @ steps_to_values])
    target = np.concatenate([wanted, np.zeros(len(bend))])
    found = lsq_linear(system, target, bounds=(least, np.inf), tol=1e-12).x
    return np.asarray(span * np.cumsum(found), np.float64)


def _curvature(x: Float) -> Float:
    """Second differences at x, shape (N − 2, N), in units of the mean distance."""
    distance = np.diff(x) / np.mean(np.diff(x))
    bend = np.zeros((len(x) - 2, len(x)))
    for row, (left, right) in enumerate(pairwise(distance)):
        bend[row, row : row + 3] = 2 / (left * (left + right)), -2 / (left * right), 2 / (right * (left + right))
    return bend


def _cross_validation(bend: Float, y: Float, strength: float) -> float:
    """Generalised cross-validation of the fit without its bounds."""
    count = len(y)
    hat = np.linalg.inv(np.eye(count) + strength * bend.T @ bend)
    freedom = count - float(np.trace(hat))
    residual = y - hat @ y
    return float(count * residual @ residual / freedom**2)
