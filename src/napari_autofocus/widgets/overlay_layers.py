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
from napari.layers import Image, Points
from napari.utils import Colormap

from napari_autofocus.focus.estimate import PatchPrediction
from napari_autofocus.widgets.colours import CLEAR_DIVERGING, CLEAR_IMPORTANCE
from napari_autofocus.widgets.focus_state import OVERLAY, Estimated, Seen
from napari_autofocus.widgets.patch_cells import PatchCells
from napari_autofocus.widgets.redraw import canvas_only, redraw

MOST_NUMBERS = 64
"""With more patches than this the numbers would hide the image, and slow it down."""
FULL_COLOUR_DOF = 4.0
"""Defocus, in depths of field, at which the colours are full."""

_PATCHES = "Chosen patches (µm)"
_WITHOUT_NUMBERS = "Chosen patches (too many: numbers left out)"
_OUTLINE_SHARE = 0.02
_TEXT_POINTS = 9
_BAR_PX, _BAR_POINTS = (10, 80), 8
_BRIGHT = 0.45
_INK = {True: "#101418", False: "#ffffff"}
_LEFT_OUT = {True: "#b3261e", False: "#ff8a80"}


@dataclass(frozen=True, eq=False)
class Content:
    """What a layer is to show: its data, where they lie, and whatever else changes with them."""

    data: np.ndarray
    place: Mapping[str, Any]
    features: Mapping[str, Any] | None = None
    style: Mapping[str, Any] | None = None


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
    read = [(patch.y, patch.x, patch.size) for patch in estimated.estimate.chosen_patches]
    squares = np.array([*read, *left_out], float).reshape(-1, 3)
    size = float(squares[0, 2]) if len(squares) else 1.0
    bright = is_bright(estimated.seen.image)
    ink = [_INK[bright]] * len(read) + [_LEFT_OUT[bright]] * len(left_out)
    return Content(
        squares[:, :2] + (squares[:, 2:] - 1) / 2,
        _place(estimated.seen),
        {"label": _labels(estimated.estimate.chosen_patches) + ["×"] * len(left_out)},
        {"size": size, "ink": tuple(ink), "name": _PATCHES if len(read) <= MOST_NUMBERS else _WITHOUT_NUMBERS},
    )


class OverlayLayer:
    """A layer of ours, and what it was last told.

    Parameters
    ----------
    layer : Image or Points
        Made to show ``content``.
    content : Content
        What it shows.
    """

    def __init__(self, layer: Image | Points, content: Content) -> None:
        self.layer = layer
        self._place = content.place
        self._style: Mapping[str, Any] = {}
        self._dress(content)

    def fill(self, viewer: ViewerModel, content: Content) -> None:
        """Show something else."""
        layer = self.layer
        if layer.data.shape == content.data.shape and self._place == content.place:
            np.copyto(layer.data, content.data)
        else:
            layer.data = content.data
            self._move(content.place)
        if content.features is not None:
            with canvas_only(viewer):
                layer.features = dict(content.features)
        self._dress(content)
        redraw(viewer, layer)

    def _move(self, place: Mapping[str, Any]) -> None:
        for name, value in place.items():
            if self._place[name] != value:
                setattr(self.layer, name, value)
        self._place = place

    def _dress(self, content: Content) -> None:
        """Size and ink, told to napari only where they are new."""
        if content.style is None or content.style == self._style or not len(content.data):
            return
        self._style, layer = content.style, self.layer
        size, ink = content.style["size"], content.style["ink"]
        layer.name = content.style["name"]
        layer.size = size
        layer.border_color = list(ink)
        layer.text.color = ink[0]
        # In the upper left quarter, where no overlapping patch's outline crosses them.
        layer.text.translation = np.array([-size / 4, -size / 4])


def make_importance(content: Content) -> OverlayLayer:
    """The heat map of content importance."""
    return OverlayLayer(_colours("Content importance", content, CLEAR_IMPORTANCE, (0.0, 1.0)), content)


def make_defocus(content: Content) -> OverlayLayer:
    """The map of defocus around zero."""
    layer = _colours("Patch defocus (DOF)", content, CLEAR_DIVERGING, (-FULL_COLOUR_DOF, FULL_COLOUR_DOF))
    bar = layer.colorbar
    bar.size, bar.font_size, bar.tick_length, bar.visible = _BAR_PX, _BAR_POINTS, 3, True
    return OverlayLayer(layer, content)


def make_patches(content: Content) -> OverlayLayer:
    """Outlines and numbers."""
    layer = Points(
        content.data,
        name=_PATCHES,
        symbol="square",
        face_color="transparent",
        border_width=_OUTLINE_SHARE,
        features=dict(content.features or {}),
        text={"string": "{label}", "size": _TEXT_POINTS},
        metadata=OVERLAY,
        **content.place,
    )
    layer.editable = False
    return OverlayLayer(layer, content)


def is_bright(image: np.ndarray) -> bool:
    """Whether dark ink is read better on an image than light ink."""
    few = image[::16, ::16, :3] if image.ndim == 3 else image[::16, ::16]
    full = np.iinfo(image.dtype).max if np.issubdtype(image.dtype, np.integer) else 1.0
    return bool(few.size and np.nanmedian(few) > _BRIGHT * full)


def _labels(patches: tuple[PatchPrediction, ...]) -> list[str]:
    if len(patches) > MOST_NUMBERS:
        return [""] * len(patches)
    return ["" if patch.defocus_um is None else _number(patch.defocus_um) for patch in patches]


def _number(defocus_um: float) -> str:
    """One decimal with its sign and a true minus; zero has none."""
    return f"{defocus_um:+.1f}".replace("-", "−") if abs(defocus_um) >= 0.05 else "0.0"


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
