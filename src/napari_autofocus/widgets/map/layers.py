"""What a focus map shows in the viewer, all of it in stage µm: places, points, the surface, its 3-D form, differences.

x of the stage runs to the right and y downwards, as in stitched slides. Layers are made when they are first needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Layer
from napari.layers import Surface as SurfaceLayer
from qtpy.QtCore import QTimer

from napari_autofocus.slide.focus_map import FocusPoint
from napari_autofocus.widgets.layers.looking import look_at
from napari_autofocus.widgets.layers.redraw import REMOVE_EVERY_MS, remove_in_turn
from napari_autofocus.widgets.map.marks import COLOURS, DARK, MAP, border_of, face_colours, points_layer, symbol_of
from napari_autofocus.widgets.map.picture import FloatImage, Limits, MapPicture, mesh_of, spacing_of
from napari_autofocus.widgets.parts.colours import DIVERGING

POINTS, SURFACE, MESH, PLAN, ERROR, STAGE = (
    "Focus points",
    "Focus map (µm)",
    "Focus map in 3-D",
    "Planned points",
    "Brenner − model (µm)",
    "Stage",
)
_LIMITS_PX = (7, 20)
_HERE = "#ff4fd8"
_FROM_THE_SIDE = (-20.0, 0.0, 55.0)


class MapLayers:
    """The layers of one map.

    Parameters
    ----------
    viewer : ViewerModel
        Where they are shown.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._made: dict[str, Layer] = {}
        self._picture: MapPicture | None = None
        self._veiled: set[str] = set()

    def layer(self, name: str) -> Any:
        """A layer of ours; None where it was not made, or the user has removed it."""
        made = self._made.get(name)
        return made if made is not None and made in self._viewer.layers else None

    # places

    def show_plan(self, places: Sequence[tuple[float, float]]) -> None:
        """Show where a survey would look."""
        data = np.array([(y, x) for x, y in places], float).reshape(-1, 2)
        size = 0.3 * spacing_of(data)
        layer = self.layer(PLAN)
        if layer is None:
            settings = {"face_color": "transparent", "border_color": "#00c8ff", "border_width": 0.15}
            self._add(PLAN, points_layer(data, PLAN, size, (4, 12), **settings))
        else:
            layer.data = data
            layer.size = size

    def show_points(self, points: Sequence[FocusPoint], rejected: dict[int, str], limits: Limits) -> None:
        """Colour each place by its z: hollow where it is empty, crossed where it failed, ringed where left out."""
        data = np.array([(point.y_um, point.x_um) for point in points], float).reshape(-1, 2)
        layer = self.layer(POINTS)
        size = 0.6 * spacing_of(data)
        if layer is None:
            layer = self._add(POINTS, points_layer(data, POINTS, size, _LIMITS_PX, border_width=0.1))
        else:
            layer.data = data
        if len(points):
            layer.size = size
            layer.symbol = [symbol_of(point) for point in points]
            layer.face_color = face_colours(points, limits)
            layer.border_color = [border_of(point, index in rejected) for index, point in enumerate(points)]
            layer.border_width = [0.3 if index in rejected else 0.12 for index in range(len(points))]
        self._place(PLAN, not len(points))

    def select(self, index: int | None) -> None:
        """Mark a point."""
        layer = self.layer(POINTS)
        if layer is not None:
            layer.selected_data = set() if index is None else {index}

    def show_stage(self, x_um: float, y_um: float) -> None:
        """Mark where the stage stands."""
        layer = self.layer(STAGE)
        if not np.isfinite([x_um, y_um]).all():
            return
        if layer is None:
            settings = {"face_color": _HERE, "border_color": _HERE, "symbol": "cross"}
            self._add(STAGE, points_layer(np.array([[y_um, x_um]]), STAGE, 200.0, (14, 16), **settings))
        else:
            layer.data = np.array([[y_um, x_um]])

    # the surface

    def show_surface(self, picture: MapPicture | None, limits: Limits, *, flat: bool = True) -> None:
        """Show the surface below the points, or from the side; none takes it away from view."""
        self._picture = picture
        if not flat:
            self.show_mesh(limits)
            return
        self._fill(SURFACE, picture, None if picture is None else picture.z_um, limits, COLOURS)

    def show_mesh(self, limits: Limits) -> float | None:
        """Show the surface in 3-D; returns how often z is exaggerated, None where there is no surface."""
        mesh = None if self._picture is None else mesh_of(self._picture)
        if mesh is None:
            return None
        layer = self.layer(MESH)
        if layer is None:
            layer = SurfaceLayer(
                (mesh.vertices, mesh.faces, mesh.values),
                name=MESH,
                colormap=COLOURS,
                shading="none",  # shades would change the colours, which mean something
                units=("um", "um", "um"),
                metadata=MAP,
            )
            layer.wireframe.color, layer.wireframe.width = DARK, 0.5
            layer.wireframe.visible = True
            self._add(MESH, layer)
        else:
            layer.data = (mesh.vertices, mesh.faces, mesh.values)
        layer.contrast_limits = limits
        if self._viewer.dims.ndisplay != 3:
            self._viewer.dims.ndisplay = 3
            getattr(self._viewer, "scene", self._viewer).camera.angles = _FROM_THE_SIDE  # napari 0.9 moved the camera
            look_at(self._viewer, [layer])
        return mesh.stretch

    def hide_mesh(self) -> None:
        """Back to the flat map."""
        self._viewer.dims.ndisplay = 2
        layer = self.layer(MESH)
        if layer is not None:
            del self._made[MESH]
            layer.visible = False
            # Not at once: napari crashes if a layer goes that has come since the canvas was last drawn.
            QTimer.singleShot(REMOVE_EVERY_MS, lambda: remove_in_turn(self._viewer, [layer]))

    def show_difference(self, picture: MapPicture | None, values: FloatImage | None, reach_um: float) -> None:
        """Show how far two maps differ, µm; none takes it away from view."""
        self._fill(ERROR, picture, values, (-reach_um, reach_um), DIVERGING)

    def _fill(
        self, name: str, picture: MapPicture | None, values: FloatImage | None, limits: Limits, colours: Any
    ) -> None:
        layer = self.layer(name)
        if picture is None or values is None:
            self._place(name, False)
            return
        where: dict[str, Any] = {"scale": picture.step_um, "translate": picture.origin_um}
        if layer is None:
            layer = Image(
                values,
                name=name,
                colormap=colours,
                contrast_limits=limits,
                blending="translucent",
                opacity=0.65,
                units=("um", "um"),
                metadata=MAP,
                **where,
            )
            self._add(name, layer, below=True)
        else:
            layer.data = values
            for key, value in where.items():
                setattr(layer, key, value)
        layer.contrast_limits = limits
        layer.visible = True

    # all of them

    @property
    def shown(self) -> list[Layer]:
        """Layers that are in the viewer and to be seen, the flat ones."""
        standing = (self.layer(name) for name in self._made if name not in (MESH, STAGE))
        return [layer for layer in standing if layer is not None and layer.visible]

    def hide(self, hidden: bool) -> None:
        """Take all that is flat and seen from view, or bring it back."""
        if hidden:
            self._veiled |= {name for name in self._made if name != MESH and self._is_seen(name)}
        for name in self._veiled:
            self._place(name, not hidden)
        if not hidden:
            self._veiled.clear()

    def leave(self) -> None:
        """Hide all of it, and look at the viewer flat."""
        mesh = self.layer(MESH)
        if mesh is not None:
            mesh.visible = False
        self.hide(True)
        self._viewer.dims.ndisplay = 2

    def close(self, *below: Layer) -> None:
        """Take the layers out of the viewer, one at a time; at last those below them."""
        layers = [layer for layer in self._made.values() if layer in self._viewer.layers]
        self._made.clear()
        self._viewer.dims.ndisplay = 2
        remove_in_turn(self._viewer, [*layers, *below])

    def _is_seen(self, name: str) -> bool:
        layer = self.layer(name)
        return layer is not None and bool(layer.visible)

    def _place(self, name: str, visible: bool) -> None:
        layer = self.layer(name)
        if layer is not None and layer.visible != visible:
            layer.visible = visible

    def _add(self, name: str, layer: Layer, *, below: bool = False) -> Any:
        """Add a layer above all others, or below the points."""
        marks = [made for made in (self.layer(PLAN), self.layer(POINTS), self.layer(STAGE)) if made is not None]
        at = min((self._viewer.layers.index(mark) for mark in marks), default=len(self._viewer.layers))
        active = self._viewer.layers.selection.active
        if below:
            self._viewer.layers.insert(at, layer)
        else:
            self._viewer.add_layer(layer)
        if active is not None:  # whatever the user was drawing in
            self._viewer.layers.selection.active = active
        self._made[name] = layer
        return layer
