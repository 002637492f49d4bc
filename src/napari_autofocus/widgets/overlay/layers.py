"""The layers that are laid over an image: one for each kind, made once, then only filled anew.

A redraw under software rendering costs more the more napari is told: data of the same shape are written into the layer
in place, and only the canvas hears of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image
from napari.utils import Colormap

from napari_autofocus.focus.estimate import PatchPrediction
from napari_autofocus.widgets.focus_state import OVERLAY, Estimated, Seen
from napari_autofocus.widgets.layers.redraw import redraw
from napari_autofocus.widgets.overlay.patch_cells import PatchCells
from napari_autofocus.widgets.overlay.patch_picture import is_bright, marks_of, paint, reduction_for
from napari_autofocus.widgets.parts.colours import CLEAR_DIVERGING, CLEAR_IMPORTANCE

FULL_COLOUR_DOF = 4.0
"""Defocus, in depths of field, at which the colours are full."""

_PATCHES = "Chosen patches (µm)"


@dataclass(frozen=True, eq=False)
class Content:
    """What a layer is to show: its pixels, and where they lie."""

    data: np.ndarray
    place: Mapping[str, Any]


def importance_content(estimated: Estimated, *, spare_read: bool) -> Content:
    """Content importance of each cell, 0 to 1; clear where patches were read if the colours of defocus lie there."""
    patches = estimated.estimate.patches
    content = _cells_content(estimated.seen, patches, [patch.importance for patch in patches])
    if spare_read:
        read = PatchCells.of(patches).mean([patch.defocus_um for patch in patches])
        content.data[np.isfinite(read)] = np.nan
    return content


def defocus_content(estimated: Estimated, dof_um: float) -> Content:
    """Defocus of each cell that was read, in depths of field."""
    patches = estimated.estimate.patches
    in_dof = [None if patch.defocus_um is None else patch.defocus_um / dof_um for patch in patches]
    return _cells_content(estimated.seen, patches, in_dof)


def patches_content(estimated: Estimated, left_out: tuple[tuple[int, int, int], ...]) -> Content:
    """Outlines of the patches that were read, with their defocus in µm, and of those the user has left out."""
    seen, marks = estimated.seen, marks_of(estimated.estimate.chosen_patches, left_out)
    factor = reduction_for(seen.shape)
    centre = (factor - 1) / 2
    pixels = paint(seen.shape, marks, bright=is_bright(seen.image))
    return Content(pixels, _place(seen, factor, (centre, centre)))


class OverlayLayer:
    """A layer of ours, and where it was last put.

    Parameters
    ----------
    layer : Image
        Made to show ``content``.
    content : Content
        What it shows.
    """

    def __init__(self, layer: Image, content: Content) -> None:
        self.layer = layer
        self._place = content.place

    def fill(self, viewer: ViewerModel, content: Content) -> None:
        """Show something else."""
        layer = self.layer
        if layer.data.shape == content.data.shape and self._place == content.place:
            np.copyto(layer.data, content.data)
        else:
            layer.data = content.data
            self._move(content.place)
        redraw(viewer, layer)

    def _move(self, place: Mapping[str, Any]) -> None:
        for name, value in place.items():
            if self._place[name] != value:
                setattr(self.layer, name, value)
        self._place = place


def make_importance(content: Content) -> OverlayLayer:
    """The heat map of content importance."""
    return OverlayLayer(_colours("Content importance", content, CLEAR_IMPORTANCE, (0.0, 1.0)), content)


def make_defocus(content: Content) -> OverlayLayer:
    """The map of defocus around zero."""
    layer = _colours("Patch defocus (DOF)", content, CLEAR_DIVERGING, (-FULL_COLOUR_DOF, FULL_COLOUR_DOF))
    return OverlayLayer(layer, content)


def make_patches(content: Content) -> OverlayLayer:
    """Outlines and numbers."""
    layer = Image(content.data, name=_PATCHES, rgb=True, blending="translucent", metadata=OVERLAY, **content.place)
    return OverlayLayer(layer, content)


def _cells_content(seen: Seen, patches: tuple[PatchPrediction, ...], values: list[float | None]) -> Content:
    cells = PatchCells.of(patches)
    return Content(cells.mean(values), _place(seen, cells.cell_px, cells.centre_px))


def _place(seen: Seen, cell_px: int = 1, centre_px: tuple[float, float] = (0.0, 0.0)) -> dict[str, Any]:
    """Scale, translate and units of a layer whose pixels are ``cell_px`` of the image's and begin at ``centre_px``."""
    return {
        "scale": tuple(scale * cell_px for scale in seen.scale),
        "translate": tuple(
            at + scale * first for at, scale, first in zip(seen.translate, seen.scale, centre_px, strict=True)
        ),
        "units": seen.units,
    }


def _colours(name: str, content: Content, colormap: str | Colormap, limits: tuple[float, float]) -> Image:
    return Image(
        content.data,
        name=name,
        colormap=colormap,
        contrast_limits=limits,
        interpolation2d="nearest",
        blending="translucent",
        metadata=OVERLAY,
        **content.place,
    )
