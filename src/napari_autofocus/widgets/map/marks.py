"""How the points of a focus map are marked: colour by z, shape and rim by what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Points
from napari.utils.colormaps import ensure_colormap

from napari_autofocus.slide.focus_map import FocusPoint
from napari_autofocus.widgets.layers.stack_layer import METADATA_KEY
from napari_autofocus.widgets.map.picture import Limits

MAP = {METADATA_KEY: {"overlay": "map"}}
"""Metadata by which a layer in stage µm is told from those in the camera's own."""
COLOURS = "viridis"
DARK = "#202020"
NO_FOCUS = ("failed", "refused", "out_of_reach")
_RING, _CROSS, _DOUBT = "#9a9a9a", "#d55e00", "#cc79a7"
_CLEAR = (0.0, 0.0, 0.0, 0.0)


def face_colours(points: Sequence[FocusPoint], limits: Limits) -> npt.NDArray[np.float64]:
    """Colour of each point, shape (N, 4): by its z, clear where it has none."""
    low, high = limits
    z = np.array([np.nan if point.z_um is None else point.z_um for point in points])
    colours = np.asarray(ensure_colormap(COLOURS).map(np.clip((np.nan_to_num(z) - low) / (high - low), 0, 1)), float)
    colours[~np.isfinite(z)] = _CLEAR
    for index, point in enumerate(points):
        if point.z_um is None and point.outcome in NO_FOCUS:
            colours[index] = _rgba(_CROSS)
    return colours


def _rgba(colour: str) -> tuple[float, float, float, float]:
    """A colour such as ``#d55e00`` in numbers."""
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue, 1.0


def symbol_of(point: FocusPoint) -> str:
    """Shape of a point's mark, by what became of it."""
    if point.outcome == "edited":
        return "diamond" if point.z_um is not None else "ring"
    return "x" if point.z_um is None and point.outcome in NO_FOCUS else "disc"


def border_of(point: FocusPoint, is_left_out: bool) -> str:
    """Colour of its rim: violet where the surface does without it."""
    if is_left_out:
        return _DOUBT
    if point.z_um is None:
        return _CROSS if point.outcome in NO_FOCUS else _RING
    return DARK


def points_layer(data: npt.NDArray[Any], name: str, size: float, limits_px: tuple[int, int], **settings: Any) -> Points:
    """A layer of places in stage µm that nobody can move in the canvas.

    Parameters
    ----------
    data : np.ndarray, shape (N, 2)
        y and x of each, µm.
    name : str
        Of the layer.
    size : float
        Of a mark, µm.
    limits_px : tuple of int
        A mark is never smaller or larger than this on the screen, px.
    **settings
        Of napari's Points.
    """
    layer = Points(
        data,
        ndim=2,
        name=name,
        size=size,
        canvas_size_limits=limits_px,
        units=("um", "um"),
        metadata=MAP,
        **settings,
    )
    layer.editable = False  # places are changed in the table, where it can be undone
    return layer
