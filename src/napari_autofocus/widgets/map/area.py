"""The area of a focus map as it is drawn in the viewer: rectangles and polygons in stage µm."""

from __future__ import annotations

from typing import Literal

import numpy as np
from napari.components import ViewerModel
from napari.layers import Layer, Shapes
from qtpy.QtCore import QObject, Signal

from napari_autofocus.errors import InputError
from napari_autofocus.widgets.map.marks import MAP

AREA_LAYER = "Area of the focus map"
_COLOUR = "#ffb000"
_EDGE_SHARE = 0.003
_ENCLOSING = ("rectangle", "polygon")

Corners = tuple[tuple[float, float], ...]
Tool = Literal["rectangle", "polygon", "change"]
_MODES = {"rectangle": "add_rectangle", "polygon": "add_polygon", "change": "direct"}


class MapArea(QObject):
    """Outlines that a user draws; ``changed`` tells of each change.

    Parameters
    ----------
    viewer : ViewerModel
        Where they are drawn.
    """

    changed = Signal()

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = viewer
        self._layer: Shapes | None = None

    @property
    def layer(self) -> Shapes | None:
        """The layer that is drawn in; None where there is none."""
        return self._layer if self._layer is not None and self._layer in self._viewer.layers else None

    def draw(self, tool: Tool, view_um: float) -> None:
        """Let the user draw with a tool of napari; ``view_um`` is about the width of what is seen, for the line."""
        layer = self._ready(view_um)
        self._viewer.layers.selection.active = layer
        layer.mode = _MODES[tool]

    def put_square(self, centre_um: tuple[float, float], side_um: float) -> None:
        """Take a square around a place (x, y), µm, in place of what was drawn, to be changed as one likes."""
        layer = self._ready(side_um)
        (x, y), half = centre_um, side_um / 2
        corners = [(y - half, x - half), (y - half, x + half), (y + half, x + half), (y + half, x - half)]
        layer.data = []
        layer.add(np.array(corners), shape_type="rectangle", edge_width=_EDGE_SHARE * side_um)
        self.draw("change", side_um)
        self._viewer.reset_view()
        self.changed.emit()

    def outlines(self) -> tuple[Corners, ...]:
        """Corners (x, y) in stage µm of each area drawn. Raises InputError if there is none."""
        layer = self.layer
        shapes = [] if layer is None else list(zip(layer.data, layer.shape_type, strict=True))
        found = tuple(
            tuple((float(x), float(y)) for y, x in np.asarray(corners, float)[:, -2:])
            for corners, kind in shapes
            if kind in _ENCLOSING
        )
        if not found:
            raise InputError("No area is drawn: press Rectangle or Polygon and draw one, or put a square here.")
        return found

    def let_go(self) -> None:
        """End the drawing: the mouse moves the view again."""
        if self.layer is not None:
            self.layer.mode = "pan_zoom"

    @property
    def shown(self) -> list[Layer]:
        """The layer, where it is to be seen."""
        return [self.layer] if self.layer is not None and self.layer.visible and len(self.layer.data) else []

    def hide(self, hidden: bool) -> None:
        """Take the drawing from view, or bring it back."""
        if self.layer is not None:
            self.layer.visible = not hidden

    def let_all_go(self) -> list[Layer]:
        """Listen no more; returns the layer, to be taken out of the viewer."""
        gone, standing = self._layer, self.layer
        self._layer = None
        if gone is not None:
            gone.events.data.disconnect(self._on_data)
        return [] if standing is None else [standing]

    def _ready(self, view_um: float) -> Shapes:
        """The layer, made where there is none."""
        if self.layer is None:
            if self._layer is not None:
                self._layer.events.data.disconnect(self._on_data)
            self._layer = Shapes(
                ndim=2,
                name=AREA_LAYER,
                edge_color=_COLOUR,
                face_color="transparent",
                edge_width=_EDGE_SHARE * view_um,
                units=("um", "um"),
                metadata=MAP,
            )
            self._layer.events.data.connect(self._on_data)
            self._viewer.add_layer(self._layer)
        assert self._layer is not None
        self._layer.visible = True
        self._layer.current_edge_width = _EDGE_SHARE * view_um
        return self._layer

    def _on_data(self, *_: object) -> None:
        self.changed.emit()
