"""From the values of patches to those of their field: pooled value, spread, and the spread that noise alone would give.

Arrays of numbers only; which patches count and what follows from them is in ``relief.py`` and ``decision.py``.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from napari_autofocus.focus.deciding.settings import Pooling

FloatArray = npt.NDArray[np.float64]

TAIL = 0.1  # the spread runs from this quantile to one minus this
TAIL_SIGMAS = 1.2816  # the same quantile of the normal distribution
CHANCE = 2.1  # 2.33 standard deviations of 0.9
MAD_TO_SIGMA = 1.4826
HUBER_DOF = 0.3  # beyond this, in depths of field, a value counts by its side and no more by its distance (ours)
_HUBER_STEPS = 8


def pool(values: FloatArray, weights: FloatArray, pooling: Pooling, dof_um: float) -> float:
    """One value for the field.

    Parameters
    ----------
    values, weights : np.ndarray, shape (N,)
        At least one; weights are used by the weighted kinds only, and are positive.
    pooling : {'median', 'mean', 'weighted_median', 'weighted_mean', 'weighted_huber'}
        How.
    dof_um : float
        Depth of field, µm: the scale on which a value lies far off, for the Huber kind.
    """
    order = np.lexsort((weights, values))  # sums of the same numbers in another order differ in their last digit
    values, weights = values[order], weights[order]
    if pooling == "median":
        return float(np.median(values))
    if pooling == "mean":
        return float(np.mean(values))
    if pooling == "weighted_mean":
        return float(np.average(values, weights=weights))
    if pooling == "weighted_huber":
        return weighted_huber(values, weights, HUBER_DOF * dof_um)
    return weighted_median(values, weights)


def weighted_median(values: FloatArray, weights: FloatArray) -> float:
    """Where half of the weight lies on either side, between the values; the plain median for equal weights."""
    order = np.argsort(values, kind="stable")
    ordered = weights[order]
    middles = np.cumsum(ordered) - ordered / 2
    return float(np.interp(ordered.sum() / 2, middles, values[order]))


def weighted_huber(values: FloatArray, weights: FloatArray, reach: float) -> float:
    """Huber's location: the weighted mean of what lies within ``reach`` of it, while what lies farther pulls no harder.

    Starts at the weighted median. As steady against strays as that, and like the mean it uses all that the others say.
    """
    location = weighted_median(values, weights)
    for _ in range(_HUBER_STEPS):
        location = float(np.average(values, weights=_pulls(values, weights, location, reach)))
    return location


def _pulls(values: FloatArray, weights: FloatArray, location: float, reach: float) -> FloatArray:
    """Weights with which the plain weighted mean is Huber's location, once that is reached."""
    held = np.minimum(1.0, reach / np.maximum(np.abs(values - location), reach * 1e-9))
    return np.asarray(weights * held, np.float64)


def shares(values: FloatArray, weights: FloatArray, pooling: Pooling, dof_um: float) -> FloatArray:
    """Part of each value in the pooled one, shape (N,), adding up to 1; parameters as for :func:`pool`.

    Medians have no such parts: Huber's, with the weights of their kind, stand in for them.
    """
    counted = weights if pooling.startswith("weighted") else np.ones_like(weights)
    if pooling not in ("mean", "weighted_mean"):
        reach = HUBER_DOF * dof_um
        counted = _pulls(values, counted, weighted_huber(values, counted, reach), reach)
    return np.asarray(counted / counted.sum(), np.float64)


def effective_count(weights: FloatArray, pooling: Pooling) -> float:
    """How many equal patches a pooled value stands on: (Σw)²/Σw² where weighted."""
    if pooling in ("median", "mean"):
        return float(weights.size)
    return float(weights.sum() ** 2 / np.sum(weights**2))


def spread(values: FloatArray) -> float:
    """10th to 90th percentile."""
    low, high = np.quantile(values, (TAIL, 1 - TAIL))
    return float(high - low)


def expected_spread(sigma: FloatArray) -> float:
    """Spread that values would have if nothing but their own uncertainties kept them apart.

    For many equal uncertainties 2.56 sigma; unequal ones are taken as the mixture they are. Few values reach less far:
    (n - 1)/(n + 0.4) fits the root mean square spread of 3 to 64 normal values within 2 %, of two within 6 %.

    Parameters
    ----------
    sigma : np.ndarray, shape (N,)
        Standard uncertainties, above zero.
    """
    low, high = TAIL_SIGMAS * sigma.min(), TAIL_SIGMAS * sigma.max()
    while high - low > 4e-3 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if ndtr(-middle / sigma).mean() > TAIL else (low, middle)
    n = sigma.size
    return float(low + high) * (n - 1) / (n + 0.4)


def excess_spread(values: FloatArray, sigma: FloatArray) -> float:
    """What is left of the spread once the values' own uncertainties are taken out of it, in quadrature.

    Nothing is left of a spread that chance alone reaches in about one field of a hundred: the spread of n normal values
    varies from field to field by 0.9/√n of itself.
    """
    wide, noise = spread(values), expected_spread(sigma)
    if wide <= noise * (1 + CHANCE / np.sqrt(values.size)):
        return 0.0
    return float(np.sqrt(wide**2 - noise**2))


def robust_scatter(residuals: FloatArray) -> float:
    """Standard deviation about zero from the median absolute residual; of a single patch, 0."""
    return float(MAD_TO_SIGMA * np.median(np.abs(residuals))) if residuals.size > 1 else 0.0
