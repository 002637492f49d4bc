"""An area of the slide drawn in the viewer: a layer whose numbers are stage µm, laid where the camera's image is."""

from __future__ import annotations

import math

import numpy as np
from napari.components import ViewerModel
from napari.layers import Shapes

from napari_autofocus.errors import InputError
from napari_autofocus.microscope.protocol import Frame
from napari_autofocus.routines.acquire_config import Place
from napari_autofocus.routines.acquire_places import Area
from napari_autofocus.widgets.focus_state import OVERLAY

AREA_LAYER = "Where to acquire"
_COLOUR = "#ffb000"
_EDGE_SHARE = 0.01


class DrawnArea:
    """Rectangles or polygons in stage µm, of which the last one drawn counts.

    Parameters
    ----------
    viewer : ViewerModel
        Where they are drawn.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._layer: Shapes | None = None
        self._here: Place | None = None
        self._centre_um: Place = (0.0, 0.0)

    def show_frame(self, frame: Frame) -> None:
        """A frame says where the stage stands: its centre is that place."""
        if not math.isfinite(frame.x_um):
            return
        height, width = frame.image.shape[:2]
        pixel_um = frame.pixel_size_um or 1.0
        self._here, self._centre_um = (frame.x_um, frame.y_um), (width * pixel_um / 2, height * pixel_um / 2)
        if self._layer is not None and self._layer in self._viewer.layers:
            translate = self._translate()
            if not np.allclose(self._layer.translate, translate):
                self._layer.translate = translate

    def draw(self, side_um: float) -> None:
        """Show a square around here, µm; napari's own tools change it or draw another."""
        here = self._here or (0.0, 0.0)
        if self._layer is None or self._layer not in self._viewer.layers:
            self._layer = Shapes(
                ndim=2,
                name=AREA_LAYER,
                edge_color=_COLOUR,
                face_color="transparent",
                edge_width=_EDGE_SHARE * side_um,
                translate=self._translate(),
                units=("um", "um"),
                metadata=OVERLAY,
            )
            self._viewer.add_layer(self._layer)
        if self._layer.nshapes == 0:
            corners = np.array(Area.around(here, side_um).corners)[:, ::-1]
            self._layer.add(corners, shape_type="rectangle")
        self._viewer.layers.selection.active = self._layer
        self._layer.mode = "add_polygon" if self._layer.nshapes > 1 else "direct"
        self._viewer.reset_view()

    def area(self) -> Area:
        """The area that was drawn last. Raises InputError if there is none, or it encloses nothing."""
        layer = self._layer
        if layer is None or layer not in self._viewer.layers or not layer.nshapes:
            raise InputError("No area is drawn; press Draw the area and change the square as you like.")
        corners = np.asarray(layer.data[-1], float)[:, -2:]
        return Area(tuple((float(x), float(y)) for y, x in corners))

    def close(self) -> None:
        """Take the drawing out of the viewer."""
        if self._layer is not None and self._layer in self._viewer.layers:
            self._viewer.layers.remove(self._layer)
        self._layer = None

    def _translate(self) -> tuple[float, float]:
        """What brings the stage's place under the objective to the middle of the camera's image."""
        here = self._here or (0.0, 0.0)
        return self._centre_um[1] - here[1], self._centre_um[0] - here[0]
