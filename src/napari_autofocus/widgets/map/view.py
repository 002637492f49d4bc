"""What is looked at: the map in stage µm, or the camera's image; clicks on the map, and its 3-D form.

The camera's image lies at the origin of the viewer, where it would cover a part of the map: one of them is shown.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from napari.components import ViewerModel
from napari.layers import Layer
from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QButtonGroup, QHBoxLayout, QWidget

from napari_autofocus.slide.focus_map import FocusPoint
from napari_autofocus.widgets.layers.looking import look_at
from napari_autofocus.widgets.layers.stack_layer import METADATA_KEY
from napari_autofocus.widgets.map.area import MapArea
from napari_autofocus.widgets.map.book import MapBook
from napari_autofocus.widgets.map.layers import MapLayers
from napari_autofocus.widgets.map.overview import OverviewLayers
from napari_autofocus.widgets.map.picture import spacing_of
from napari_autofocus.widgets.parts.forms import button, label, row

_NEAR_SHARE = 0.45
_OURS = "map"


class MapSight(QObject):
    """Hides what lies in the camera's coordinates while the map is looked at, and hears clicks on the map.

    ``picked`` (int) tells of a point that was clicked. No child of a panel: it has work to undo in the viewer.

    Parameters
    ----------
    viewer : ViewerModel
        What is looked at.
    book : MapBook
        The points.
    """

    picked = Signal(int)

    def __init__(self, viewer: ViewerModel, book: MapBook) -> None:
        super().__init__()
        self._viewer, self._book = viewer, book
        self._hidden: list[Layer] = []
        self.shows_map = False
        viewer.mouse_drag_callbacks.append(self._on_mouse)

    def turn(self, *, to_map: bool) -> None:
        """Look at the map, or at the camera's image."""
        self.shows_map = to_map
        if to_map:
            self.keep_covered()
            return
        hidden, self._hidden = self._hidden, []
        for layer in hidden:
            if layer in self._viewer.layers:
                layer.visible = True

    def keep_covered(self) -> None:
        """While the map is looked at, layers of the camera that have come meanwhile are taken from view too."""
        if not self.shows_map:
            return
        for layer in self._viewer.layers:
            kind = layer.metadata.get(METADATA_KEY, {}).get("overlay")
            if kind is not None and kind != _OURS and layer.visible:
                layer.visible = False
                self._hidden.append(layer)

    def leave(self) -> None:
        """Hear no clicks any more, and show the camera's image again."""
        if self._on_mouse in self._viewer.mouse_drag_callbacks:
            self._viewer.mouse_drag_callbacks.remove(self._on_mouse)
        self.turn(to_map=False)

    def _on_mouse(self, _: Any, event: Any) -> None:
        """A click near a point selects it, unless something is being drawn."""
        active = self._viewer.layers.selection.active
        drawing = active is not None and str(getattr(active, "mode", "pan_zoom")) not in ("pan_zoom", "transform")
        if event.type != "mouse_press" or drawing or not self.shows_map or self._viewer.dims.ndisplay != 2:
            return
        y, x = event.position[-2:]
        index = nearest_point(self._book.points, float(x), float(y))
        if index is not None:
            self.picked.emit(index)


class MapView(QWidget):
    """Switches between map and camera, and to the surface from the side; ``shown`` tells of another view.

    Parameters
    ----------
    sight : MapSight
        Does the switching.
    layers : MapLayers
        The map.
    overview : OverviewLayers
        What lies below it.
    area : MapArea
        What is drawn over it.
    """

    shown = Signal()

    def __init__(
        self, viewer: ViewerModel, sight: MapSight, layers: MapLayers, overview: OverviewLayers, area: MapArea
    ) -> None:
        super().__init__()
        self._viewer, self._sight = viewer, sight
        self._layers, self._overview, self._area = layers, overview, area
        self._limits = (0.0, 1.0)
        self.map_button = button("Map", "Look at the map, in stage µm; click a point to select it", checkable=True)
        self.camera_button = button("Camera", "Look at the camera's image (µm from its corner)", checkable=True)
        self.solid_button = button("3-D", "Look at the surface from the side, its z stretched", checkable=True)
        self.stretch_label = label("", tip="How often z is exaggerated against x and y (a number)")
        self._group = QButtonGroup(self)
        for part in (self.map_button, self.camera_button):
            self._group.addButton(part)
        self.camera_button.setChecked(True)
        self.solid_button.setEnabled(False)
        self.setLayout(self._line())
        self.map_button.toggled.connect(self._on_toggled)
        self.solid_button.toggled.connect(self._on_solid_toggled)

    def _line(self) -> QHBoxLayout:
        return row(label("Look at"), self.map_button, self.camera_button, 1, self.stretch_label, self.solid_button)

    @property
    def shows_map(self) -> bool:
        """Whether the map is looked at, flat or from the side."""
        return self._sight.shows_map

    @property
    def is_solid(self) -> bool:
        """Whether it is looked at from the side."""
        return self.solid_button.isChecked()

    def show_map(self) -> None:
        """Look at the map, all of it."""
        if self.shows_map:
            self._look_at_map()
        else:
            self.map_button.setChecked(True)

    def offer_solid(self, offered: bool, limits: tuple[float, float]) -> None:
        """Whether there is a surface to look at from the side, and between which z (µm) its colours run."""
        self._limits = limits
        if not offered:
            self.solid_button.setChecked(False)
        self.solid_button.setEnabled(offered)

    # what happens

    def _on_toggled(self, wanted: bool) -> None:
        if not wanted:
            self.solid_button.setChecked(False)
        self._sight.turn(to_map=wanted)
        self._show_flat(wanted)
        if wanted:
            self._look_at_map()
        else:
            look_at(self._viewer, [layer for layer in self._viewer.layers if layer.visible])

    def _on_solid_toggled(self, wanted: bool) -> None:
        if not wanted:
            self._layers.hide_mesh()
            self.stretch_label.setText("")
            self._show_flat(self.shows_map)
            self._look_at_map()
            return
        self.show_map()
        self._show_flat(False)
        stretch = self._layers.show_mesh(self._limits)
        self.stretch_label.setText("" if stretch is None else f"z × {stretch:g}")

    def _show_flat(self, shown: bool) -> None:
        for part in (self._layers, self._overview, self._area):
            part.hide(not shown)
        self.shown.emit()

    def _look_at_map(self) -> None:
        if self.shows_map and self._viewer.dims.ndisplay == 2:
            look_at(self._viewer, [*self._overview.shown, *self._area.shown, *self._layers.shown])


def nearest_point(points: Sequence[FocusPoint], x_um: float, y_um: float) -> int | None:
    """The point that a click at a place means; None where none is nearer than about half the points' distance."""
    if not points:
        return None
    apart = [math.dist((point.x_um, point.y_um), (x_um, y_um)) for point in points]
    nearest = min(range(len(points)), key=apart.__getitem__)
    return nearest if apart[nearest] <= _NEAR_SHARE * spacing_of([(p.x_um, p.y_um) for p in points]) else None
