"""Fields as a predictor would see them: patches with a known defocus, noise, sign and place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_autofocus.focus.deciding.decision import decide
from napari_autofocus.focus.deciding.settings import DecisionSettings
from napari_autofocus.focus.estimate import FocusEstimate, PatchPrediction
from napari_autofocus.focus.patches import PatchGrid

FIELD = (1024, 1216)
PIXEL_UM = 0.325
SETTINGS = DecisionSettings(dof_um=1.0, range_um=10.0)
GRID = PatchGrid(FIELD, 128, 128)
FloatArray = npt.NDArray[np.float64]


def places(count: int, seed: int = 0) -> list[tuple[int, int]]:
    """Corners (y, x) of that many patches, scattered over the field."""
    corners = list(GRID)
    order = np.random.default_rng(seed).permutation(len(corners))[:count]
    return [corners[index] for index in order]


def centre_offset_mm(corners: Sequence[tuple[int, int]]) -> tuple[FloatArray, FloatArray]:
    """Distance of patches' centres from the field's along x and y, mm."""
    y, x = np.array(corners, np.float64).T + GRID.size / 2
    return (x - FIELD[1] / 2) * PIXEL_UM / 1000, (y - FIELD[0] / 2) * PIXEL_UM / 1000


def patches_of(
    defocus_um: Sequence[float] | FloatArray,
    *,
    sigma_um: float | Sequence[float] | FloatArray = 0.2,
    positive: float | Sequence[float] | FloatArray | None = None,
    importance: float = 0.8,
    corners: Sequence[tuple[int, int]] | None = None,
) -> list[PatchPrediction]:
    """Chosen patches of those defocus values; sure of their side as their uncertainty allows, unless told."""
    defocus = np.asarray(defocus_um, np.float64)
    sigma = np.broadcast_to(np.asarray(sigma_um, np.float64), defocus.shape)
    if positive is None:
        positive = 1 / (1 + np.exp(-1.7 * defocus / sigma))
    sure = np.broadcast_to(np.asarray(positive, np.float64), defocus.shape)
    corners = corners or places(defocus.size)
    return [
        PatchPrediction(y, x, GRID.size, importance, True, float(d), float(s), float(p))
        for (y, x), d, s, p in zip(corners, defocus, sigma, sure, strict=True)
    ]


def judged(patches: Sequence[PatchPrediction], settings: DecisionSettings = SETTINGS, **given: Any) -> FocusEstimate:
    """The decision on patches of the standard field."""
    return decide(patches, settings, **{"field_shape": FIELD, "pixel_size_um": PIXEL_UM, **given})


Surface = Callable[[FloatArray, FloatArray], FloatArray]


def relief_patches(surface: Surface, count: int = 24, noise_um: float = 0.1, seed: int = 0) -> list[PatchPrediction]:
    """Patches whose defocus follows a surface over x and y (mm from the centre), with noise they know of."""
    corners = places(count, seed)
    noise = np.random.default_rng(seed + 1).normal(0, noise_um, count)
    return patches_of(surface(*centre_offset_mm(corners)) + noise, sigma_um=noise_um, corners=corners)
