"""What the samples of a sweep say: one verdict from sharpness, and from contrast where the specimen is transparent.

The rules for a curve are in ``focus/curve.py``, those for transparent specimens in ``focus/phase.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import chdtri

from napari_autofocus.focus.curve import FocusCurve, Polarity, judge_curve
from napari_autofocus.focus.phase import Reduced, phase_evidence
from napari_autofocus.records import CurvePoint

NOISE_CONFIDENCE = 0.9


@dataclass(frozen=True, eq=False)
class Look:
    """One frame of a sweep as it is remembered: its sample and, where polarity is open, a reduced copy of the image."""

    point: CurvePoint
    reduced: Reduced | None = None


@dataclass(frozen=True, eq=False)
class Judgement:
    """The verdict, and the range of what it rests on: sharpness, or contrast of a transparent specimen."""

    curve: FocusCurve
    by_contrast: bool = False
    least: float = 0.0
    most: float = 0.0

    @property
    def middle(self) -> float:
        """Halfway between the least and the most that was seen of the quantity the verdict rests on."""
        return (self.least + self.most) / 2


@dataclass(frozen=True)
class JudgeSettings:
    """How samples are judged: polarity, noise of one sample (None: unknown), depth of field, merging distance (µm)."""

    polarity: Polarity
    noise: float | None
    dof_um: float | None
    same_place_um: float


def noise_bound(repeated: Sequence[float]) -> float | None:
    """Upper limit on the standard deviation of sharpness, from frames repeated at one place; None from a single frame.

    Few frames may agree by chance, so the 90 % confidence limit of the deviation is taken rather than its estimate:
    three frames give 3.1 times their standard deviation, ten 1.5 times.
    """
    freedom = len(repeated) - 1
    if freedom < 1:
        return None
    return float(np.std(repeated, ddof=1) * np.sqrt(freedom / chdtri(freedom, NOISE_CONFIDENCE)))


def contrast(reduced: Reduced) -> float:
    """Root mean square of a reduced plane: what is least in focus on a transparent specimen."""
    return float(np.sqrt(np.mean(np.square(reduced, dtype=np.float64))))


def judge_looks(looks: Sequence[Look], settings: JudgeSettings) -> Judgement:
    """Judge the frames of a sweep, in any order.

    With polarity ``auto`` the frames themselves decide: contrast that is least somewhere and inverts across it makes a
    transparent specimen, everything else is judged by the maximum of sharpness.
    """
    places = merged(looks, settings.same_place_um)
    z_um = np.array([look.point.z_um for look in places])
    values = np.array([look.point.sharpness for look in places])
    curve = judge_curve(z_um, values, noise=settings.noise, polarity=settings.polarity, dof_um=settings.dof_um)
    sharpest = Judgement(curve, False, float(values.min()), float(values.max()))
    if settings.polarity == "max" or (settings.polarity == "auto" and curve.verdict == "no_peak"):
        return sharpest
    return _by_contrast(places, curve, settings.polarity) or sharpest


def _by_contrast(places: Sequence[Look], curve: FocusCurve, polarity: Polarity) -> Judgement | None:
    """The verdict on a transparent specimen; None where the frames do not show one."""
    reduced = [look.reduced for look in places if look.reduced is not None]
    if len(reduced) != len(places):
        return None
    evidence = phase_evidence(curve.z_um, reduced, curve.sharpness)
    if evidence is None or not (evidence.is_phase or (polarity == "min" and evidence.is_minimum)):
        return None
    least = evidence.flank * evidence.depth
    return Judgement(evidence.on(curve.z_um, curve.sharpness), True, least, evidence.flank)


def merged(looks: Sequence[Look], within_um: float) -> list[Look]:
    """The looks by rising z, those of one place as one: mean sample, newest image."""
    places: list[list[Look]] = []
    for look in sorted(looks, key=lambda look: look.point.z_um):
        if places and look.point.z_um - places[-1][0].point.z_um <= within_um:
            places[-1].append(look)
        else:
            places.append([look])
    return [_one_place(place) for place in places]


def _one_place(place: Sequence[Look]) -> Look:
    if len(place) == 1:
        return place[0]
    z_um = float(np.mean([look.point.z_um for look in place]))
    return Look(CurvePoint(z_um, float(np.mean([look.point.sharpness for look in place]))), place[-1].reduced)
