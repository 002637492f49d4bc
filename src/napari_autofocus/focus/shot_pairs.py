"""Two shots of a field a known distance apart: how far apart to take them, and whether they are what they should be.

All thresholds are ours. Of 100 simulated pairs, 2 µm apart, none had a trace below 0.26 or a likeness below 0.95; of
pairs whose stage had not moved none had a trace above 0.02, of pairs of two slides none a likeness above 0.32.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from napari_autofocus.focus.estimate import FocusPredictor, PairPredictor, PatchPrediction

if TYPE_CHECKING:
    from typing_extensions import TypeIs

Float32 = npt.NDArray[np.float32]
Window = tuple[slice, slice]

LEAST_TRACE = 0.05
"""Below this share of structure, the difference of two shots is noise: the stage did not move."""
LEAST_LIKENESS = 0.5
"""Below this correlation, two shots show different places."""
_APART_PX = 2
_SHADING_PX = 33
_REDUCTION = 8


def takes_two_shots(predictor: FocusPredictor | PairPredictor) -> TypeIs[PairPredictor]:
    """Whether a predictor is asked about two shots, not one."""
    return hasattr(predictor, "estimate_pair")


@dataclass(frozen=True)
class PairLikeness:
    """How two shots compare where they were looked at.

    Parameters
    ----------
    trace : float
        Correlation of the difference's pixels with those 2 px away, brightness and shading taken off: 0 for noise
        alone, towards 1 for structure. Exactly 0 too where the shots are the same.
    likeness : float
        Correlation of the two shots, reduced eightfold; the median over the windows.
    """

    trace: float
    likeness: float

    def doubt(self, dz_um: float) -> str:
        """Why the two shots are not what they should be, a sentence; empty where they are."""
        if self.likeness < LEAST_LIKENESS:
            return (
                f"The two shots do not show the same place (their correlation is {self.likeness:.2f}, at least"
                f" {LEAST_LIKENESS:g} is asked for); take both of one field, with nothing but the focus drive moved."
            )
        if self.trace < LEAST_TRACE:
            return (
                f"The two shots differ by noise alone, as if the focus drive had not moved by {dz_um:+.2f} µm between"
                " them; check the drive, and take both again."
            )
        return ""


def pair_likeness(first: npt.NDArray[Any], second: npt.NDArray[Any], windows: Sequence[Window]) -> PairLikeness | None:
    """Compare two shots in some windows; None where there is none.

    Parameters
    ----------
    first, second : np.ndarray, shape (Y, X) or (Y, X, 3)
        Of one shape.
    windows : sequence of tuple of slice
        Rows and columns of each, some 32 px and more.
    """
    compared = [_compared(_grey(first[window]), _grey(second[window])) for window in windows]
    if not compared:
        return None
    structure, power, likeness = np.array(compared).T
    trace = float(structure.sum() / power.sum()) if power.sum() > 0 else 0.0
    return PairLikeness(trace, float(np.median(likeness)))


def _compared(first: Float32, second: Float32) -> tuple[float, float, float]:
    """Of one window: covariance of the difference's pixels, its variance, and the correlation of the shots."""
    first, second = first - first.mean(), second - second.mean()
    strength = float(np.vdot(first, first))
    gain = float(np.vdot(first, second)) / strength if strength > 0 else 1.0
    difference = second - np.float32(gain) * first
    difference = difference - cv2.blur(difference, (_SHADING_PX, _SHADING_PX))
    along = (difference[:, _APART_PX:] * difference[:, :-_APART_PX]).mean()
    down = (difference[_APART_PX:] * difference[:-_APART_PX]).mean()
    return float(along + down) / 2, float(np.square(difference).mean()), _correlation(first, second)


def _correlation(first: Float32, second: Float32) -> float:
    shape = max(first.shape[1] // _REDUCTION, 2), max(first.shape[0] // _REDUCTION, 2)
    low, high = (cv2.resize(shot, shape, interpolation=cv2.INTER_AREA) for shot in (first, second))
    strength = math.sqrt(float(np.vdot(low, low)) * float(np.vdot(high, high)))
    return float(np.vdot(low, high)) / strength if strength > 0 else 1.0


def _grey(image: npt.NDArray[Any]) -> Float32:
    plain = image.astype(np.float32)
    return plain if plain.ndim == 2 else np.asarray(plain @ np.array([0.299, 0.587, 0.114], np.float32))


def moved_prediction(patch: PatchPrediction, by_um: float) -> PatchPrediction:
    """What is known of a patch once it has been moved: its defocus, and on which side it then is.

    Doubt about the side that the prediction's own width does not explain (a mirror image on the other side) stays as
    large as it is.

    Parameters
    ----------
    patch : PatchPrediction
        As predicted.
    by_um : float
        How much its defocus grows, µm.
    """
    if by_um == 0 or not patch.counts or patch.defocus_um is None or patch.uncertainty_um is None:
        return patch
    at, sigma, positive = patch.defocus_um, patch.uncertainty_um, patch.positive_probability or 0.0
    mirrored = abs(positive - float(ndtr(at / sigma)))
    beyond = float(ndtr((at + by_um) / sigma))
    positive = beyond * (1 - mirrored) + (1 - beyond) * mirrored
    return PatchPrediction(patch.y, patch.x, patch.size, patch.importance, patch.chosen, at + by_um, sigma, positive)
