"""Classical searches: where to look next, given what has been seen so far.

Each search is a generator that yields a :class:`Visit` and is sent the sample taken there. It knows no hardware, no
image and no clock, never asks for a place outside its plan, and has no say in whether the peak is trusted. Scans run
the way in which the drive makes its final approach, so that they lose no time on backlash.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from napari_autofocus.focus.zstack import FocusCurve
from napari_autofocus.records import CurvePoint
from napari_autofocus.routines.sweeping.brent import brent_maximum

Points = list[CurvePoint]

COARSE = 3
"""Fine steps in a coarse one."""
BRACKET = 4
"""Fine steps between the samples that bracket a peak before it is refined."""
RINGS: tuple[tuple[float, ...], ...] = ((-2, -1, 1, 2), (-4, 4), (-7, 7), (-0.5, 0.5))
"""Where to look around a peak, in fine steps, until it can be judged."""
SAME_PLACE = 0.4
"""Two samples nearer to each other than this share of a step count as one place."""


@dataclass(frozen=True)
class Visit:
    """A place to look at: drive position in µm, why, and how many visits are planned after it (None: not known)."""

    z_um: float
    phase: str
    left: int | None = None


@dataclass(frozen=True)
class SearchPlan:
    """What a search may do.

    Parameters
    ----------
    start : CurvePoint
        The best sample known so far; a local search begins there.
    window_um : tuple of float
        Lowest and highest position to search, µm.
    bounds_um : tuple of float
        Lowest and highest position that may be visited at all, µm; the neighbours of a peak may lie outside the window.
    step_um : float
        Spacing that resolves a peak, µm.
    noise : float
        Standard deviation of the sharpness of repeated frames; 0 where it is not known.
    way : int
        +1 or −1: the direction of z in which scans run.
    early_stop : bool
        Whether a scan may end once a maximum is clearly passed.
    judge : callable
        Gives the verdict on everything seen so far in the run.
    """

    start: CurvePoint
    window_um: tuple[float, float]
    bounds_um: tuple[float, float]
    step_um: float
    noise: float
    way: int
    early_stop: bool
    judge: Callable[[], FocusCurve]


Search = Generator[Visit, CurvePoint, None]
Taken = Generator[Visit, CurvePoint, Points]


@dataclass(frozen=True)
class KnownSearch:
    """A search that a sweep may be told to make.

    Parameters
    ----------
    begin : callable
        Makes the search from its plan.
    summary : str
        What it does, in a few words for menus.
    follows_maximum : bool
        Whether it follows the greatest sharpness and does not see the whole range: no use where contrast is least in
        focus.
    """

    begin: Callable[[SearchPlan], Search]
    summary: str
    follows_maximum: bool = False

    def __call__(self, plan: SearchPlan) -> Search:
        """The search, not yet begun."""
        return self.begin(plan)


SEARCHES: dict[str, KnownSearch] = {}
"""Every search by its name; the order is that of menus."""


def register(
    name: str, summary: str, *, follows_maximum: bool = False
) -> Callable[[Callable[[SearchPlan], Search]], Callable[[SearchPlan], Search]]:
    """Make a generator of a plan known as the search of this name.

    Raises
    ------
    ValueError
        If the name is taken.
    """

    def add(begin: Callable[[SearchPlan], Search]) -> Callable[[SearchPlan], Search]:
        if name in SEARCHES:
            raise ValueError(f"there is a search {name!r} already")
        SEARCHES[name] = KnownSearch(begin, summary, follows_maximum)
        return begin

    return add


@register("uniform", "every step of the range")
def uniform(plan: SearchPlan) -> Search:
    """Sample the whole window at even steps: the slowest search and the hardest to fool."""
    yield from _scan(plan, plan.step_um, "sweep", beyond=3)


@register("coarse-to-fine", "wide steps first, then fine ones around the best")
def coarse_to_fine(plan: SearchPlan) -> Search:
    """Sample the window at coarse steps, then the surroundings of the best place at fine ones."""
    points = yield from _scan(plan, COARSE * plan.step_um, "coarse", then=2 * COARSE + 1)
    curve = plan.judge()
    centre = curve.best_z_um if curve.best_z_um is not None else _sharpest([plan.start, *points]).z_um
    targets = [centre + offset * plan.step_um for offset in range(-COARSE, COARSE + 1)]
    yield from _take(plan, _allowed(plan, targets), "fine")


@register("hill-climb", "uphill with shrinking steps", follows_maximum=True)
def hill_climb(plan: SearchPlan) -> Search:
    """Walk uphill in steps that are halved at each summit.

    Where neither neighbour differs from the start by more than the noise, the next look is taken twice as far away.
    """
    points = [plan.start]
    step, way = COARSE * plan.step_um, 1.0
    while step >= plan.step_um / 2:
        way = yield from _climb(plan, points, step, way)
        flat = _spread(points) <= 4 * plan.noise
        if flat and 2 * step > plan.window_um[1] - plan.window_um[0]:
            break
        step = 2 * step if flat else step / 2
    yield from _surround(plan, points)


@register("brent", "Brent's search for the maximum", follows_maximum=True)
def brent(plan: SearchPlan) -> Search:
    """Bracket the peak by a few samples, then Brent's method: parabolas where they help, golden sections elsewhere.

    References
    ----------
    R. P. Brent, Algorithms for Minimization without Derivatives (1973), chapter 5.
    """
    spacing = BRACKET * plan.step_um
    points = [plan.start, *(yield from _scan(plan, spacing, "bracket"))]
    best = _sharpest(points)
    low, high = _clipped(plan, best.z_um - spacing), _clipped(plan, best.z_um + spacing)
    inner = brent_maximum(low, high, best, tolerance_um=plan.step_um / 4)
    points += yield from _visits(inner, "brent")
    yield from _surround(plan, points)


@register("curve-fit", "few frames, then a fitted peak", follows_maximum=True)
def curve_fit(plan: SearchPlan, most: int = 8) -> Search:
    """Go to the peak of a Lorentzian drawn through few samples, and draw it again there until it stays.

    Near focus the Brenner gradient of a field falls off like a Lorentzian, whose reciprocal is a parabola: three
    samples give the peak. Samples farther off only point the way, so the fit is repeated with the three that lie best.

    References
    ----------
    S. Yazdanfar et al., Simple and robust image-based autofocusing for digital microscopy, Opt. Express 16, 8670
    (2008). The way samples are added and the search ends is our own.
    """
    reach = BRACKET * plan.step_um
    around = _allowed(plan, [plan.start.z_um - reach, plan.start.z_um + reach])
    points = [plan.start, *(yield from _take(plan, around, "samples"))]
    for _ in range(most):
        target = _clipped(plan, _next_by_fit(points, reach))
        if _is_known(target, points, plan.step_um):
            break
        points += yield from _take(plan, [target], "fit")
    yield from _surround(plan, points)


def lorentzian_peak_um(points: Sequence[CurvePoint]) -> float | None:
    """Peak of the Lorentzian through samples: the vertex of a parabola through 1/sharpness, µm.

    Returns
    -------
    float or None
        None where the samples are not those of a peak (no three places, no positive sharpness, curved the wrong way).
    """
    z = np.array([point.z_um for point in points])
    sharpness = np.array([point.sharpness for point in points])
    if len(points) < 3 or np.ptp(z) == 0 or sharpness.min() <= 0:
        return None
    scaled = (z - z.mean()) / np.ptp(z)
    # An error e of the sharpness S becomes e/S² in its reciprocal: weights S² keep the faint samples from ruling.
    curvature, slope, _ = np.polyfit(scaled, sharpness.max() / sharpness, 2, w=sharpness**2 / sharpness.max() ** 2)
    if curvature <= 0:
        return None
    return float(z.mean() - slope / (2 * curvature) * np.ptp(z))


def passed(points: Sequence[CurvePoint], start: CurvePoint, noise: float, beyond: int) -> bool:
    """Whether a rising scan has a maximum clearly behind it.

    That is: the last ``beyond`` samples lie below half of the maximum's height over the lowest sample, the height is
    far above the noise, and the maximum is neither the first sample nor less sharp than where the run began.
    """
    sharpness = np.array([point.sharpness for point in points])
    best = int(sharpness.argmax())
    if best == 0 or len(points) - 1 - best < beyond or sharpness[best] < start.sharpness:
        return False
    height = sharpness[best] - sharpness.min()
    return bool(height > 10 * noise and sharpness[-beyond:].max() < sharpness.min() + height / 2)


def _scan(plan: SearchPlan, step_um: float, phase: str, then: int = 0, beyond: int = 2) -> Taken:
    """Sample the window one way; ends early ``beyond`` samples past a peak; ``then`` visits of the search follow."""
    low, high = plan.window_um
    count = max(math.ceil((high - low) / step_um - 1e-6), 1) + 1
    points: Points = []
    for index, z_um in enumerate(np.linspace(low, high, count)[:: plan.way]):
        points.append((yield Visit(float(z_um), phase, count - 1 - index + then)))
        if plan.early_stop and passed(points, plan.start, plan.noise, beyond):
            break
    return points


def _take(plan: SearchPlan, targets_um: Iterable[float], phase: str) -> Taken:
    """Sample the targets one way."""
    targets = sorted(targets_um, reverse=plan.way < 0)
    points: Points = []
    for index, z_um in enumerate(targets):
        points.append((yield Visit(z_um, phase, len(targets) - 1 - index)))
    return points


def _visits(search: Generator[float, CurvePoint, None], phase: str) -> Taken:
    """Run a search that yields bare positions, and collect its samples."""
    points: Points = []
    try:
        target = next(search)
        while True:
            points.append((yield Visit(target, phase)))
            target = search.send(points[-1])
    except StopIteration:
        return points


def _climb(plan: SearchPlan, points: Points, step_um: float, way: float) -> Generator[Visit, CurvePoint, float]:
    """Step on while it gets sharper, first the way given, then the other; returns the way that led uphill last."""
    for direction in (way, -way):
        while True:
            best = _sharpest(points)
            target = _clipped(plan, best.z_um + direction * step_um)
            if _is_known(target, points, plan.step_um):
                break
            points.append((yield Visit(target, "climb")))
            if points[-1].sharpness <= best.sharpness:
                break
            way = direction
    return way


def _surround(plan: SearchPlan, points: Points) -> Search:
    """Look around the best place until its peak can be judged: two neighbours on either side, then, only if the verdict
    asks for more, places farther off, and closer ones.
    """
    for ring in RINGS:
        yield from _confirm(plan, points, ring)
        if plan.judge().trusted:
            return


def _confirm(plan: SearchPlan, points: Points, ring: Sequence[float], most: int = 3) -> Search:
    """Make sure that the best place has neighbours at these distances (in steps); again if one of them is better."""
    for _ in range(most):
        best = _sharpest(points)
        wanted = _allowed(plan, [best.z_um + offset * plan.step_um for offset in ring])
        missing = [z_um for z_um in wanted if not _is_known(z_um, points, min(map(abs, ring)) * plan.step_um)]
        new = yield from _take(plan, missing, "confirm")
        points += new
        if not new or _sharpest(new).sharpness <= best.sharpness:
            return


def _next_by_fit(points: Points, reach_um: float) -> float:
    """Where the peak should be by the three samples around the best; at most ``reach_um`` past the samples."""
    ordered = sorted(points, key=lambda point: point.z_um)
    index = min(max(ordered.index(_sharpest(points)), 1), max(len(ordered) - 2, 0))
    peak = lorentzian_peak_um(ordered[max(index - 1, 0) : index + 2])
    if peak is None:
        uphill = math.copysign(reach_um, _sharpest(points).z_um - ordered[len(ordered) // 2].z_um)
        peak = _sharpest(points).z_um + uphill
    return min(max(peak, ordered[0].z_um - reach_um), ordered[-1].z_um + reach_um)


def _sharpest(points: Sequence[CurvePoint]) -> CurvePoint:
    return max(points, key=lambda point: point.sharpness)


def _spread(points: Sequence[CurvePoint]) -> float:
    sharpness = [point.sharpness for point in points]
    return max(sharpness) - min(sharpness)


def _is_known(z_um: float, points: Sequence[CurvePoint], step_um: float) -> bool:
    return any(abs(z_um - point.z_um) < SAME_PLACE * step_um for point in points)


def _clipped(plan: SearchPlan, z_um: float) -> float:
    return min(max(z_um, plan.window_um[0]), plan.window_um[1])


def _allowed(plan: SearchPlan, targets_um: Iterable[float]) -> list[float]:
    low, high = plan.bounds_um
    return [z_um for z_um in targets_um if low <= z_um <= high]
