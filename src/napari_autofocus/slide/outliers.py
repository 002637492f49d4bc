"""Focus points that contradict all the others: found one after the other, each with its numbers in a sentence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from napari_autofocus.slide.surfaces import (
    LEAST_POINTS,
    FittedSurface,
    FloatArray,
    Kind,
    choose_stiffness,
    fit_stiffness,
)

BoolArray = npt.NDArray[np.bool_]

LEAST_POINTS_TO_REJECT = 6
"""Of fewer points nobody can say which is wrong."""
FAR = 6.0
"""A point that lies so many times its scatter off the surface of the others is rejected (ours)."""
_LEAST_SCATTER_UM = 0.05  # points that agree better than this do so by chance
_MAD_TO_SIGMA = 1.4826
_NEAR = 8
_ROUNDS = 20


def find_outliers(places: FloatArray, z_um: FloatArray, weight: FloatArray, trusted: BoolArray) -> dict[int, str]:
    """Which points lie too far off the surface through all the others, and by how much.

    At most a third is rejected: where more contradict each other, nobody knows who is right.

    Parameters
    ----------
    places : np.ndarray, shape (N, 2)
        In spacings, not all on a line.
    z_um, weight : np.ndarray, shape (N,)
        As for :func:`~napari_autofocus.slide.surfaces.fit_surface`.
    trusted : np.ndarray, shape (N,), bool
        Points that are never rejected.
    """
    count = len(z_um)
    if count < LEAST_POINTS_TO_REJECT:
        return {}
    kind: Kind = "spline" if count - count // 3 >= LEAST_POINTS["spline"] else "plane"
    near = cKDTree(places).query(places, min(_NEAR + 1, count))[1]
    kept = np.ones(count, bool)
    for _ in range(_ROUNDS):
        stiffness = choose_stiffness(kind, places[kept], z_um[kept], weight[kept], robust=True)
        surface = fit_stiffness(stiffness, places[kept], z_um[kept], weight[kept])
        off = _off(surface, places, z_um, weight, kept)
        far = np.where(kept & ~trusted, off.times, 0.0)
        worst = (far > FAR) & (far >= far[near].max(axis=1))  # one of each neighbourhood: it spoils those around it
        room = count // 3 - int((~kept).sum())
        if room <= 0 or not worst.any():
            break
        kept[sorted(np.flatnonzero(worst), key=lambda index: -far[index])[:room]] = False
        if not fills_a_plane(places[kept]):
            return {}
    return _sentences(np.flatnonzero(~kept & (off.times > FAR)), off)  # what a later surface explains is forgiven


@dataclass(frozen=True, eq=False)
class _Off:
    """How far each point lies off the surface of the others, µm, and how many times its scatter that is."""

    away_um: FloatArray
    times: FloatArray


def _off(surface: FittedSurface, places: FloatArray, z_um: FloatArray, weight: FloatArray, kept: BoolArray) -> _Off:
    """Points that were kept are left out for it; 0 times where the others make no surface."""
    away_um, shape = z_um.copy(), np.full(len(z_um), np.nan)
    away_um[kept], shape[kept] = surface.left_out_um, surface.left_out_shape
    known = np.isfinite(shape)
    scale = _MAD_TO_SIGMA * float(np.median(np.abs(away_um[known]) / np.sqrt(shape[known]))) if known.any() else np.nan
    if not kept.all():
        away_um[~kept] -= surface.at(places[~kept])
        shape[~kept] = surface.shape_at(places[~kept]) + surface.stiffness.smoothing / weight[~kept]
    scatter = np.maximum(scale * np.sqrt(shape), _LEAST_SCATTER_UM)
    return _Off(away_um, np.where(np.isfinite(scatter), np.abs(away_um) / scatter, 0.0))


def fills_a_plane(places: FloatArray) -> bool:
    """Whether places lie in a plane rather than on a line: a hundredth of their length across it."""
    sizes = np.linalg.svd(places - places.mean(axis=0), compute_uv=False)
    return bool(len(sizes) > 1 and sizes[1] > 0.01 * sizes[0] > 0)


def _sentences(rejected: npt.NDArray[np.intp], off: _Off) -> dict[int, str]:
    return {
        int(index): f"It lies {abs(off.away_um[index]):.1f} µm {'above' if off.away_um[index] > 0 else 'below'} the"
        f" surface of its neighbours, {off.times[index]:.0f} times their scatter."
        for index in rejected
    }
