"""A focus map as a picture: its z over a grid of stage positions, the same as a mesh, and the colours of its points.

No Qt and no napari layer; computed beside the GUI.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_autofocus.slide.focus_map import FocusMap, FocusPoint

FloatImage = npt.NDArray[np.float32]
Limits = tuple[float, float]

SIDE_PX = 160
_MESH_SIDE = 40
_LEAST_SPAN_UM = 0.5
_RISE_SHARE = 0.3
"""A mesh is stretched in z until it rises by about this share of its width."""


@dataclass(frozen=True, eq=False)
class MapPicture:
    """A surface over a grid of stage positions.

    Parameters
    ----------
    z_um, error_um : np.ndarray, shape (Y, X)
        Drive position of best focus and its standard error, µm; NaN where the map does not reach.
    origin_um : tuple of float
        y and x of the centre of the first pixel, µm.
    step_um : tuple of float
        Size of a pixel along y and x, µm.
    """

    z_um: FloatImage
    error_um: FloatImage
    origin_um: tuple[float, float]
    step_um: tuple[float, float]


@dataclass(frozen=True, eq=False)
class Mesh:
    """A surface of triangles, z stretched.

    Parameters
    ----------
    vertices : np.ndarray, shape (N, 3)
        z (stretched), y and x, µm.
    faces : np.ndarray, shape (M, 3)
        Corners of the triangles.
    values : np.ndarray, shape (N,)
        z that is not stretched, µm.
    stretch : float
        How often z is exaggerated.
    """

    vertices: npt.NDArray[np.float32]
    faces: npt.NDArray[np.int32]
    values: FloatImage
    stretch: float


def picture_of(fitted: FocusMap, side_px: int = SIDE_PX) -> MapPicture:
    """A picture of a map, its longer side ``side_px`` long, a little larger than its points."""
    places = np.array([(point.x_um, point.y_um) for point in fitted.points if point.z_um is not None])
    low, high = places.min(axis=0), places.max(axis=0)
    margin = 0.06 * max((high - low).max(), 1.0)
    low, high = low - margin, high + margin
    pixel_um = float((high - low).max()) / side_px
    columns, rows = (max(round(float(length) / pixel_um), 2) for length in high - low)
    step_um = float(high[1] - low[1]) / rows, float(high[0] - low[0]) / columns
    origin_um = float(low[1]) + step_um[0] / 2, float(low[0]) + step_um[1] / 2
    y, x = np.meshgrid(
        origin_um[0] + step_um[0] * np.arange(rows), origin_um[1] + step_um[1] * np.arange(columns), indexing="ij"
    )
    inside = np.asarray(fitted.covers(x, y))
    values, errors = (
        np.where(inside, np.asarray(of(x, y)), np.nan).astype(np.float32) for of in (fitted.z_um, fitted.error_at_um)
    )
    return MapPicture(values, errors, origin_um, step_um)


def mesh_of(picture: MapPicture) -> Mesh | None:
    """The surface as triangles, its z stretched to be seen; None where nothing of it is covered."""
    every = max(round(max(picture.z_um.shape) / _MESH_SIDE), 1)
    z = picture.z_um[::every, ::every]
    step_um = every * picture.step_um[0], every * picture.step_um[1]
    corners = np.arange(z.size, dtype=np.int32).reshape(z.shape)
    a, b, c, d = corners[:-1, :-1], corners[:-1, 1:], corners[1:, :-1], corners[1:, 1:]
    triangles = np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([b, d, c], -1).reshape(-1, 3)])
    values = z.ravel()
    faces = triangles[np.isfinite(values[triangles]).all(axis=1)]
    if not len(faces):
        return None
    y, x = np.indices(z.shape, np.float32)
    filled = np.where(np.isfinite(values), values, np.nanmean(values)).astype(np.float32)
    width_um = max(z.shape[0] * step_um[0], z.shape[1] * step_um[1])
    stretch = stretch_for(float(np.nanmax(values) - np.nanmin(values)), width_um)
    vertices = np.stack(
        [
            # napari's own z points away from who looks
            -stretch * (filled - np.float32(np.nanmean(values))),
            picture.origin_um[0] + step_um[0] * y.ravel(),
            picture.origin_um[1] + step_um[1] * x.ravel(),
        ],
        axis=1,
    )
    return Mesh(vertices.astype(np.float32), faces, filled, stretch)


def stretch_for(rise_um: float, width_um: float) -> float:
    """How often z is exaggerated for a surface to be seen as one: 1, 2 or 5 times a power of ten."""
    wanted = _RISE_SHARE * width_um / max(rise_um, _LEAST_SPAN_UM)
    power = 10.0 ** math.floor(math.log10(max(wanted, 1.0)))
    return max(step * power for step in (1, 2, 5) if step * power <= max(wanted, 1.0))


def limits_of(points: Iterable[FocusPoint], left_out: Iterable[int] = ()) -> Limits:
    """Lowest and highest z of the points that count, µm, for their colours; never nearer to each other than 0.5 µm."""
    out = set(left_out)
    known = [point.z_um for index, point in enumerate(points) if point.z_um is not None and index not in out]
    if not known:
        return 0.0, 1.0
    low, high = min(known), max(known)
    spare = max(_LEAST_SPAN_UM - (high - low), 0.0) / 2
    return low - spare, high + spare


def spacing_of(given: npt.ArrayLike) -> float:
    """Distance between neighbouring places, µm: the median over them.

    Parameters
    ----------
    given : array-like, shape (N, 2)
        Stage positions, µm.
    """
    places = np.asarray(given, np.float64).reshape(-1, 2)
    if len(places) < 2:
        return 100.0
    some = places[:: max(len(places) // 50, 1)]
    distances = np.hypot(*(some[:, None, :] - places[None, :, :]).transpose(2, 0, 1))
    distances[distances <= 0] = np.inf
    nearest = distances.min(axis=1)
    return float(np.median(nearest[np.isfinite(nearest)])) if np.isfinite(nearest).any() else 100.0
