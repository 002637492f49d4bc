"""How far a field's defocus and its sign can be trusted, from what its patches say and a calibration.

The formulas are ours and stand with :class:`~napari_autofocus.focus.deciding.settings.Calibration`; its coefficients
are fitted in ``calibration.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from napari_autofocus.focus.deciding.pooling import FloatArray, robust_scatter
from napari_autofocus.focus.deciding.reading import Reading
from napari_autofocus.focus.deciding.relief import Relief, judge_relief
from napari_autofocus.focus.deciding.settings import Calibration, DecisionSettings
from napari_autofocus.focus.estimate import PatchPrediction


@dataclass(frozen=True)
class FieldFeatures:
    """What a calibration looks at.

    Parameters
    ----------
    value_um : float
        Defocus of the field, µm.
    patch_sigma_um : float
        Median uncertainty that its patches state, µm.
    scatter_um : float
        Robust standard deviation of the patches about the field's relief, µm.
    count : float
        How many equal patches the value stands on.
    evidence : float
        Mean log-odds, over the patches that lie out of focus (all, where none does), for the side on which the field's
        relief puts them: against the field being its own mirror image.
    sided : bool
        Whether the evidence is about the sign of ``value_um`` itself: not so where a tilted or uneven field's value
        lies near focus and the evidence comes from patches elsewhere.
    """

    value_um: float
    patch_sigma_um: float
    scatter_um: float
    count: float
    evidence: float
    sided: bool = True


def field_features(
    patches: Sequence[PatchPrediction],
    settings: DecisionSettings,
    *,
    field_shape: tuple[int, int],
    pixel_size_um: float | None,
) -> FieldFeatures | None:
    """What a calibration looks at in one field; None where no patch counts. Parameters as for ``decision.decide``."""
    reading = Reading.of(patches, settings, field_shape, pixel_size_um)
    return None if reading is None else features_of(reading, judge_relief(reading, settings), settings.dof_um)


def features_of(reading: Reading, relief: Relief, dof_um: float) -> FieldFeatures:
    """The features of a field whose relief has been judged."""
    out_of_focus = np.abs(relief.at_patches_um) > dof_um / 2
    speaking = out_of_focus if out_of_focus.any() else np.ones(len(reading), np.bool_)
    votes = np.sign(relief.at_patches_um) * reading.log_odds
    return FieldFeatures(
        value_um=relief.value_um,
        patch_sigma_um=float(np.median(reading.sigma_um)),
        scatter_um=robust_scatter(relief.residuals_um(reading)),
        count=relief.count,
        evidence=float(votes[speaking].mean()),
        sided=relief.kind == "flat" or abs(relief.value_um) > dof_um / 2,
    )


def field_sigma_um(
    patch_sigma_um: npt.ArrayLike, scatter_um: npt.ArrayLike, count: npt.ArrayLike, calibration: Calibration
) -> FloatArray:
    """Standard uncertainty of a field's defocus, µm, for one field or many.

    Parameters
    ----------
    patch_sigma_um, scatter_um, count : array-like, shape (N,) or ()
        As in :class:`FieldFeatures`.
    """
    n = np.asarray(count, np.float64)
    stated = (calibration.patch_scale * np.asarray(patch_sigma_um)) ** 2
    seen = (calibration.scatter_scale * np.asarray(scatter_um)) ** 2
    common = calibration.shared
    variance = calibration.floor_um**2 + stated * (common + (1 - common) / n) + seen / n
    return np.asarray(np.sqrt(variance), np.float64)


def direction_probability(evidence: npt.ArrayLike, calibration: Calibration) -> FloatArray:
    """Probability that a field is not its own mirror image, at least 0.5: what contradicts itself knows nothing."""
    log_odds = calibration.direction_scale * np.asarray(evidence) + calibration.direction_offset
    return np.asarray(np.maximum(expit(log_odds), 0.5), np.float64)
