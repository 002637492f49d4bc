"""The patches of a frame that count, as arrays: where they lie, what they say and how they weigh."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_autofocus.focus.deciding.pooling import FloatArray, effective_count, pool
from napari_autofocus.focus.deciding.settings import DecisionSettings
from napari_autofocus.focus.estimate import PatchPrediction

SIGMA_FLOOR_DOF = 0.1
"""Uncertainty, in depths of field, below which a patch gains no more weight: none may outvote all others (ours)."""
LARGEST_LOG_ODDS = 6.0
"""A patch is never surer of its side than this, 99.75 % (ours)."""


@dataclass(frozen=True, eq=False)
class Reading:
    """The patches that count.

    Parameters
    ----------
    x_um, y_um : np.ndarray, shape (N,)
        Centres of the patches from the centre of the field, µm; in px where the pixel size is unknown.
    defocus_um, sigma_um : np.ndarray, shape (N,)
        Predicted defocus and its standard uncertainty.
    log_odds : np.ndarray, shape (N,)
        Of a positive defocus, clipped.
    weight : np.ndarray, shape (N,)
        Importance over variance, in a unit of its own.
    patch_um : float
        Side of a patch, in the unit of its place.
    """

    x_um: FloatArray
    y_um: FloatArray
    defocus_um: FloatArray
    sigma_um: FloatArray
    log_odds: FloatArray
    weight: FloatArray
    patch_um: float

    def __len__(self) -> int:
        return int(self.defocus_um.size)

    @classmethod
    def of(
        cls,
        patches: Sequence[PatchPrediction],
        settings: DecisionSettings,
        field_shape: tuple[int, int],
        pixel_size_um: float | None,
    ) -> Reading | None:
        """The patches that count, or None where none does."""
        counted = [patch for patch in patches if patch.counts]
        if not counted:
            return None
        pixel = pixel_size_um or 1.0
        values = np.array(
            [(p.x, p.y, p.size, p.importance, p.defocus_um, p.uncertainty_um, p.positive_probability) for p in counted],
            np.float64,
        )
        x, y, size, importance, defocus, sigma, positive = values.T
        return cls(
            x_um=(x + size / 2 - field_shape[1] / 2) * pixel,
            y_um=(y + size / 2 - field_shape[0] / 2) * pixel,
            defocus_um=defocus,
            sigma_um=sigma,
            log_odds=_log_odds(positive),
            weight=_weights(importance, sigma, SIGMA_FLOOR_DOF * settings.dof_um),
            patch_um=float(size.mean()) * pixel,
        )

    def pooled(self, settings: DecisionSettings) -> tuple[float, float]:
        """Pooled defocus, µm, and how many equal patches it stands on."""
        value = pool(self.defocus_um, self.weight, settings.pooling, settings.dof_um)
        return value, effective_count(self.weight, settings.pooling)


def _log_odds(probability: FloatArray) -> FloatArray:
    least = 1 / (1 + np.exp(LARGEST_LOG_ODDS))
    inside = np.clip(probability, least, 1 - least)
    return np.asarray(np.log(inside / (1 - inside)))


def _weights(importance: FloatArray, sigma: FloatArray, floor: float) -> FloatArray:
    """Importance over variance, positive throughout; the variance alone where importance says nothing."""
    useful = np.isfinite(importance) & (importance > 0)
    shares = np.where(useful, importance, importance[useful].min() if useful.any() else 1.0)
    return np.asarray(shares * (floor / np.maximum(sigma, floor)) ** 2)
