"""Brent's search for a maximum, as a generator that asks for one sample at a time.

The libraries that have Brent's method call a function; a routine that can be watched and cancelled has to be asked.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass

from napari_autofocus.records import CurvePoint

GOLDEN = (3 - math.sqrt(5)) / 2
"""Share of the longer part at which a golden section cuts."""


@dataclass
class _Bracket:
    """The interval that holds the peak, its three best places (Brent's x, w and v) and the last two steps (d, e)."""

    low_um: float
    high_um: float
    best: CurvePoint
    second: CurvePoint
    third: CurvePoint
    step_um: float = 0.0
    step_before_um: float = 0.0

    @property
    def middle_um(self) -> float:
        return (self.low_um + self.high_um) / 2

    def parabola_step_um(self) -> float | None:
        """From the best place to the vertex of the parabola through the three; None if there is no maximum inside."""
        x, w, v = self.best, self.second, self.third
        r = (x.z_um - w.z_um) * (x.sharpness - v.sharpness)
        q = (x.z_um - v.z_um) * (x.sharpness - w.sharpness)
        denominator = 2 * (q - r)
        if denominator == 0:
            return None
        step = -((x.z_um - v.z_um) * q - (x.z_um - w.z_um) * r) / denominator
        inside = self.low_um < x.z_um + step < self.high_um
        # A parabola must beat half of the step before last, or the bracket would shrink too slowly.
        return step if inside and abs(step) < abs(self.step_before_um) / 2 else None

    def golden_step_um(self) -> float:
        """From the best place into the longer part of the bracket."""
        longer = self.high_um if self.best.z_um < self.middle_um else self.low_um
        return GOLDEN * (longer - self.best.z_um)

    def choose_step(self, tolerance_um: float) -> float:
        """The next step: a parabola's where that may be trusted, else a golden section's; at least the tolerance."""
        step = self.parabola_step_um()
        longer = (self.high_um if self.best.z_um < self.middle_um else self.low_um) - self.best.z_um
        self.step_before_um = self.step_um if step is not None else longer
        self.step_um = self.golden_step_um() if step is None else step
        return math.copysign(max(abs(self.step_um), tolerance_um), self.step_um)

    def learn(self, point: CurvePoint) -> None:
        """Narrow the bracket by a new sample."""
        better = point.sharpness >= self.best.sharpness
        inner = self.best if better else point
        if (point.z_um > self.best.z_um) == better:
            self.low_um = inner.z_um
        else:
            self.high_um = inner.z_um
        if better:
            self.best, self.second, self.third = point, self.best, self.second
        elif point.sharpness >= self.second.sharpness or self.second is self.best:
            self.second, self.third = point, self.second
        elif point.sharpness >= self.third.sharpness or self.third in (self.best, self.second):
            self.third = point


def brent_maximum(
    low_um: float, high_um: float, best: CurvePoint, *, tolerance_um: float, most: int = 20
) -> Generator[float, CurvePoint, None]:
    """Close in on the maximum of a function that rises and falls once between two ends.

    Parameters
    ----------
    low_um, high_um : float
        Ends of the bracket, µm.
    best : CurvePoint
        A sample inside the bracket or at one of its ends.
    tolerance_um : float
        The search ends when the peak is known to about twice this, µm.
    most : int
        Largest number of samples.

    Yields
    ------
    float
        Position to sample, µm; the sample is sent back.

    References
    ----------
    R. P. Brent, Algorithms for Minimization without Derivatives (1973), chapter 5, section 8.
    """
    bracket = _Bracket(low_um, high_um, best, best, best)
    for _ in range(most):
        if abs(bracket.best.z_um - bracket.middle_um) + (bracket.high_um - bracket.low_um) / 2 <= 2 * tolerance_um:
            return
        target = bracket.best.z_um + bracket.choose_step(tolerance_um)
        bracket.learn((yield min(max(target, low_um), high_um)))
