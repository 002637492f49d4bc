"""Transparent specimens: their contrast is *least* in focus and inverts across it.

A Brenner peak is wrong or absent on such objects (Rai Dastidar 2019 saw two false ones). What tells them from stained
objects at two depths is the sign of the contrast: bright on one side of focus, dark on the other. This module keeps a
reduced copy of each plane and looks for a contrast minimum with inverted contrast around it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from napari_autofocus.focus.curve import FocusCurve, flanks, judge_curve
from napari_autofocus.focus.peak import FloatArray

REDUCED_PX = 384  # longest side of the reduced planes
BACKGROUND_SHARE = 1 / 12  # structure larger than this share of the field counts as illumination
INVERTED = -0.15  # correlation of the two flanks below which contrast has inverted; stained objects stay positive
UNRELATED = 0.1  # laser speckle hides the inversion; the flanks then do not resemble each other at all
OUTWARDS = 2.5  # contrast at both ends over contrast at the minimum, in coherent light
DEEP = 0.6  # contrast at the minimum, relative to the lower flank, above which it is no minimum

Reduced = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class PhaseEvidence:
    """A contrast minimum and what happens around it.

    Parameters
    ----------
    curve : FocusCurve
        The judged contrast (root mean square of the flattened planes): ``phase_minimum`` where it has a minimum.
    correlation : float
        Correlation of the planes on the two flanks; negative where contrast inverts.
    grows_outwards : bool
        Whether contrast is high at both ends of the range while sharpness is not: out-of-focus fringes of coherent
        light. Blur alone can only lower contrast.
    """

    curve: FocusCurve
    correlation: float
    grows_outwards: bool

    @property
    def is_phase(self) -> bool:
        """Whether the minimum is focus of a transparent specimen."""
        inverts = self.correlation < INVERTED or (self.grows_outwards and self.correlation < UNRELATED)
        return self.curve.verdict == "phase_minimum" and inverts


def reduce_plane(grey: npt.NDArray[Any]) -> Reduced:
    """A plane's structure at reduced size: area-averaged, divided by its mean, slow illumination taken off.

    Parameters
    ----------
    grey : np.ndarray, shape (Y, X)
        Luminance of the plane.

    Returns
    -------
    np.ndarray, float32, at most ``REDUCED_PX`` px long; dimensionless contrast around 0
    """
    height, width = grey.shape
    scale = min(1.0, REDUCED_PX / max(height, width))
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    small = cv2.resize(grey.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    small /= max(float(small.mean()), 1e-9)
    slow = cv2.GaussianBlur(small, (0, 0), max(BACKGROUND_SHARE * max(size), 1.0), borderType=cv2.BORDER_REFLECT)
    return np.asarray(small - slow, np.float32)


def phase_evidence(z_um: FloatArray, planes: list[Reduced], sharpness: FloatArray) -> PhaseEvidence | None:
    """Look for a contrast minimum with inverted contrast; None where contrast has no interior minimum.

    Parameters
    ----------
    z_um : np.ndarray, shape (Z,)
        Positions, increasing, µm.
    planes : list of np.ndarray
        From :func:`reduce_plane`, or a part of each.
    sharpness : np.ndarray, shape (Z,)
        Focus measure of each plane.
    """
    contrast = np.array([float(np.sqrt(np.mean(np.square(p, dtype=np.float64)))) for p in planes])
    left, right = _nearest_flanks(contrast)
    if left is None or right is None:
        return None
    bottom = left + int(np.argmin(contrast[left : right + 1]))
    if contrast[bottom] > DEEP * min(contrast[left], contrast[right]):
        return None
    inside = slice(left, right + 1)
    curve = judge_curve(z_um[inside], contrast[inside], polarity="min")
    # What does not change with z (dust, speckle, stray light) would count as agreement: take the minimum's plane off.
    still = planes[bottom]
    correlation = _correlation(planes[left] - still, planes[right] - still)
    return PhaseEvidence(curve, correlation, _grows_outwards(contrast, bottom, sharpness))


def _grows_outwards(contrast: FloatArray, bottom: int, sharpness: FloatArray) -> bool:
    ends = min(contrast[0], contrast[-1])
    blurred = max(sharpness[0], sharpness[-1]) < 0.8 * sharpness.max()
    return bool(ends > OUTWARDS * contrast[bottom] and blurred)


def _nearest_flanks(contrast: FloatArray) -> tuple[int | None, int | None]:
    """The rises next to the minimum: on each side the first sample that reaches half of that side's height."""
    left, right = flanks(contrast)
    if left is None or right is None:
        return None, None
    bottom = left + int(np.argmin(contrast[left : right + 1]))
    low = contrast[bottom]

    def first(indices: range, top: float) -> int:
        return next(i for i in indices if contrast[i] - low >= 0.5 * (top - low))

    return first(range(bottom, -1, -1), contrast[left]), first(range(bottom, contrast.size), contrast[right])


def _correlation(a: Reduced, b: Reduced) -> float:
    """Pearson correlation of two planes around their means."""
    x, y = a - a.mean(), b - b.mean()
    scale = float(np.sqrt(np.sum(x * x, dtype=np.float64) * np.sum(y * y, dtype=np.float64)))
    return float(np.sum(x * y, dtype=np.float64) / scale) if scale > 0 else 0.0
