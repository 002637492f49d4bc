"""How the focus of a field varies over it: one focus for all, a plane, or neither.

Says nothing about direction, range or trust; that is in ``decision.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from napari_autofocus.focus.deciding.pooling import FloatArray, excess_spread, spread
from napari_autofocus.focus.deciding.reading import Reading
from napari_autofocus.focus.deciding.settings import DecisionSettings
from napari_autofocus.focus.deciding.tilt import TiltPlane, fit_tilt

# Our own thresholds.
MOST_OUTLIERS = 0.25  # share of the patches that a plane may leave aside
LEAST_EXPLAINED = 0.5  # share of the spread that a plane has to account for by itself
SCAN_QUANTILE = 0.05  # patches beyond are not scanned for; with fewer than twenty every patch is


@dataclass(frozen=True, eq=False)
class Relief:
    """How focus varies over a field.

    Parameters
    ----------
    kind : {'flat', 'tilted', 'uneven'}
        As the verdicts of the same names.
    value_um : float
        Defocus of the field, µm: that of its centre where a plane fits and the patches surround it, otherwise pooled.
    count : float
        How many equal patches the value stands on.
    at_patches_um : np.ndarray, shape (N,)
        Defocus that the relief gives each patch, µm; the patch's own where uneven.
    spread_um : float
        10th to 90th percentile of the patches' defocus, µm.
    slope : tuple of float or None
        Of a tilted field along x and y, µm per unit of the patches' place.
    reasons : tuple of str
        Sentences with the numbers.
    """

    kind: Literal["flat", "tilted", "uneven"]
    value_um: float
    count: float
    at_patches_um: FloatArray
    spread_um: float
    slope: tuple[float, float] | None
    reasons: tuple[str, ...]

    def residuals_um(self, reading: Reading) -> FloatArray:
        """How far each patch lies off the relief, µm; off the pooled value where uneven."""
        return reading.defocus_um - (self.value_um if self.kind == "uneven" else self.at_patches_um)


def judge_relief(reading: Reading, settings: DecisionSettings) -> Relief:
    """Say whether one focus fits all patches, a plane does, or neither.

    A field is flat where the spread stays below the depth of field, or would without the patches' own uncertainties:
    far from focus each prediction scatters, and that is no unevenness.
    """
    value, count = reading.pooled(settings)
    wide, excess = spread(reading.defocus_um), excess_spread(reading.defocus_um, reading.sigma_um)
    if excess < settings.dof_um:
        everywhere = np.full(len(reading), value)
        reason = _why_flat(len(reading), wide, excess, settings.dof_um)
        return Relief("flat", value, count, everywhere, wide, None, (f"{reason}.",))
    fault = f"{len(reading)} patches are too few to tell a tilt, which takes {settings.least_plane_patches}"
    if len(reading) >= settings.least_plane_patches:
        plane = fit_tilt(reading)
        fault = _fault_of(plane, reading, excess, settings.dof_um)
        if not fault:
            return _tilted(plane, reading, value, count, wide, settings.dof_um)
    told = _told(wide, excess, settings.dof_um)
    return Relief("uneven", value, count, reading.defocus_um, wide, None, (f"{told}; {fault}.",))


def scan_range(defocus_um: FloatArray, dof_um: float) -> tuple[float, float]:
    """Lowest and highest defocus to scan over so that every part of an uneven field is sharp once, µm."""
    low = np.quantile(defocus_um, SCAN_QUANTILE, method="lower")
    high = np.quantile(defocus_um, 1 - SCAN_QUANTILE, method="higher")
    return float(low) - dof_um / 2, float(high) + dof_um / 2


def in_dof(length_um: float, dof_um: float, sign: str = "") -> str:
    """A length as a reader wants it: ``3.20 µm (3.2 DOF)``."""
    return f"{length_um:{sign}.2f} µm ({abs(length_um) / dof_um:.1f} DOF)"


def _why_flat(n: int, wide: float, excess: float, dof: float) -> str:
    if n == 1:
        return "Only 1 patch was read, so that the field counts as flat by what was seen of it"
    if wide < dof:
        return f"The defocus of the {n} patches read spreads over {in_dof(wide, dof)}, less than the depth of field"
    rest = f" but for {in_dof(excess, dof)}" if excess >= 0.005 else ""
    return (
        f"The defocus of the {n} patches read spreads over {in_dof(wide, dof)}, which their own uncertainties explain"
        f"{rest}"
    )


def _told(wide: float, excess: float, dof: float) -> str:
    return (
        f"The patches' defocus spreads over {in_dof(wide, dof)}, of which their own uncertainties leave"
        f" {in_dof(excess, dof)} unexplained"
    )


def _fault_of(plane: TiltPlane, reading: Reading, excess: float, dof: float) -> str:
    """Why a plane does not explain the spread; empty where it does."""
    outliers = int(np.count_nonzero(~plane.inlier))
    if outliers > MOST_OUTLIERS * len(reading):
        return f"no plane fits, for {outliers} of {len(reading)} patches would lie off it"
    residual = (reading.defocus_um - plane.at_patches_um)[plane.inlier]
    left = excess_spread(residual, reading.sigma_um[plane.inlier])
    if left >= dof:
        return f"a plane would leave {in_dof(left, dof)} of it"
    if spread(plane.at_patches_um) < LEAST_EXPLAINED * excess:
        return f"a plane accounts for {in_dof(spread(plane.at_patches_um), dof)} only"
    return "" if plane.well_placed else "the patches lie along a line, across which no tilt can be seen"


def _tilted(plane: TiltPlane, reading: Reading, value: float, count: float, wide: float, dof: float) -> Relief:
    residual = spread((reading.defocus_um - plane.at_patches_um)[plane.inlier])
    outliers = int(np.count_nonzero(~plane.inlier))
    aside = f"; {outliers} of {len(reading)} patches were left aside as outliers" if outliers else ""
    reasons = [
        f"The patches' defocus spreads over {in_dof(wide, dof)}, and a plane explains it but for"
        f" {in_dof(residual, dof)}{aside}"
    ]
    if plane.surrounds_centre:
        value, count = plane.centre_um, plane.count
    else:
        reasons.append(
            "The patches read do not surround the field's centre, so that the defocus is theirs, not the centre's"
        )
    sentences = tuple(f"{reason}." for reason in reasons)
    return Relief("tilted", value, count, plane.at_patches_um, wide, plane.slope, sentences)
