"""Two frames of one field, a known way apart, read by a model of one: which side of focus they lie on.

Where one frame shows how far from focus it is but not on which side (even optics; one colour, whose only trace of a
side is a little spherical aberration), a second one tells: on one side the distance grows by the way between them, on
the other it shrinks. The likelihood and its numbers are ours.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace

import numpy as np

from napari_autofocus.focus.deciding.pooling import robust_scatter, weighted_median
from napari_autofocus.focus.estimate import FocusEstimate

LEAST_PROBABILITY = 0.95
"""Probability of the place at which a side counts as settled."""
LEAST_CHANGE_DOF = 1.0
"""Frames nearer to each other than this, in depths of field, settle nothing."""
LARGEST_MISMATCH, LARGEST_MISMATCH_DOF = 3.0, 1.0
"""Standard deviations, and depths of field, by which the two distances may miss the way between the frames."""
_LEAST_SIGMA_DOF = 0.15
_STRAY_SHARE, _STRAYS_OVER_DOF = 0.05, 20.0  # one distance in twenty may be anything within so many depths of field
_SUREST_SIDE = 0.9  # no frame that could not tell its side says more about it than this
_NORMAL90 = 1.645


@dataclass(frozen=True)
class _Distance:
    """How far from focus a frame lies, µm, and the probability that its defocus is positive."""

    um: float
    sigma_um: float
    positive: float

    @classmethod
    def of(cls, estimate: FocusEstimate, dof_um: float) -> _Distance | None:
        """By the patches' own distances: patches that are torn between the two sides agree on those."""
        value, sigma = estimate.defocus_um, estimate.uncertainty_um
        if value is None or sigma is None or not math.isfinite(value) or not math.isfinite(sigma):
            return None
        read = [patch for patch in estimate.patches if patch.counts]
        if read:
            found = np.array([(p.defocus_um, p.uncertainty_um, p.importance) for p in read], np.float64)
            apart, own = np.abs(found[:, 0]), np.maximum(found[:, 1], _LEAST_SIGMA_DOF * dof_um)
            um = weighted_median(apart, np.maximum(found[:, 2], 1e-3) / own**2)
            sigma = max(float(np.median(own)), robust_scatter(apart - um))
        else:
            um = abs(value)
        positive = estimate.direction_probability if value > 0 else 1 - estimate.direction_probability
        likely = min(max(positive, 1 - _SUREST_SIDE), _SUREST_SIDE)
        return cls(um, max(sigma, _LEAST_SIGMA_DOF * dof_um), likely)

    def weight(self, side: int) -> float:
        """What the frame itself says for a side."""
        return self.positive if side > 0 else 1 - self.positive


@dataclass(frozen=True)
class _Place:
    """One way in which two distances can lie: the second frame's defocus, the mismatch, µm, and how likely it is."""

    um: float
    mismatch_um: float
    likelihood: float


def settle(
    first: FocusEstimate, second: FocusEstimate, change_um: float, *, dof_um: float, range_um: float
) -> FocusEstimate | None:
    """The second frame's estimate with its side settled by the first; None where the two do not settle it.

    Parameters
    ----------
    first, second : FocusEstimate
        Of a model of one shot; what they say of the side counts little.
    change_um : float
        Defocus of the second frame minus that of the first, by the way between them, µm.
    dof_um, range_um : float
        The model's.

    Returns
    -------
    FocusEstimate or None
        ``flat``, or ``out_of_range`` beyond the model's range. Its uncertainty is that of the two distances, not
        divided by the number of patches: those of one field share their error.
    """
    one, two = _Distance.of(first, dof_um), _Distance.of(second, dof_um)
    if one is None or two is None or not abs(change_um) >= LEAST_CHANGE_DOF * dof_um:
        return None
    sigma = math.hypot(one.sigma_um, two.sigma_um)
    sides = itertools.product((-1, 1), (-1, 1))
    places = [_place(one, two, side, change_um, dof_um) for side in sides]
    best = max(places, key=lambda place: place.likelihood)
    alike = sum(place.likelihood for place in places if abs(place.um - best.um) <= dof_um / 2)
    probability = alike / sum(place.likelihood for place in places)
    borne_um = min(LARGEST_MISMATCH * sigma, LARGEST_MISMATCH_DOF * dof_um)
    if probability < LEAST_PROBABILITY or abs(best.mismatch_um) > borne_um:
        return None
    fused = one.sigma_um * two.sigma_um / sigma
    half = _NORMAL90 * fused
    reason = (
        f"Two frames {abs(change_um):.2f} µm apart settle the side of focus with a probability of {probability:.1%}:"
        f" they lie {one.um:.2f} and {two.um:.2f} µm from it, so the second at {best.um:+.2f} µm; the distances agree"
        f" with the way between them within {abs(best.mismatch_um):.2f} µm."
    )
    return replace(
        second,
        verdict="flat" if abs(best.um) <= range_um + dof_um / 2 else "out_of_range",
        defocus_um=best.um,
        uncertainty_um=fused,
        interval90_um=(best.um - half, best.um + half),
        direction_probability=probability,
        reasons=(reason,),
        scan_um=None,
        tilt_um_per_mm=None,
    )


def _place(one: _Distance, two: _Distance, sides: tuple[int, int], change_um: float, dof_um: float) -> _Place:
    """The second frame's defocus if the frames lie on these sides, and how well that fits the way between them."""
    by_first, by_second = sides[0] * one.um + change_um, sides[1] * two.um
    variance = one.sigma_um**2 + two.sigma_um**2
    mismatch = by_second - by_first
    share = one.sigma_um**2 / variance
    density = math.exp(-(mismatch**2) / (2 * variance)) / math.sqrt(2 * math.pi * variance)
    stray = _STRAY_SHARE / (_STRAYS_OVER_DOF * dof_um)
    likelihood = one.weight(sides[0]) * two.weight(sides[1]) * ((1 - _STRAY_SHARE) * density + stray)
    return _Place(share * by_second + (1 - share) * by_first, mismatch, likelihood)
