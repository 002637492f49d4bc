"""Comparing the recovered image with the sharper shot: one after the other at the same place, or side by side."""

from __future__ import annotations

from typing import Any

from napari.components import ViewerModel
from napari.layers import Image, Layer
from qtpy.QtCore import QTimer

from napari_autofocus.widgets.layers import stack_layer
from napari_autofocus.widgets.virtual.pair import Shot

BLINK_MS = 600
"""Time that each of the two is shown: slow enough to see what changes."""


class Blink:
    """Shows two images in turn; everything is as it was before once it ends.

    Parameters
    ----------
    viewer : ViewerModel
        Where both are.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._image: Image | None = None
        self._visible: dict[Layer, bool] = {}
        self._timer = QTimer()
        self._timer.setInterval(BLINK_MS)
        self._timer.timeout.connect(self.turn)

    @property
    def is_on(self) -> bool:
        """Whether the comparison is on, by itself or by hand."""
        return self._image is not None

    @property
    def shows_image(self) -> bool:
        """Whether the recovered image is the one that is seen now."""
        return self._image is not None and self._image in self._viewer.layers and bool(self._image.visible)

    def start(self, shot: Shot, image: Image) -> None:
        """Show nothing but these two, in turn."""
        self.stop()
        self._image = image
        self._visible = only(self._viewer, shot, image)
        self._timer.start()

    def by_hand(self) -> None:
        """Turn no more by itself."""
        self._timer.stop()

    def turn(self) -> None:
        """Show the other one."""
        if self._image is not None and self._image in self._viewer.layers:
            self._image.visible = not self._image.visible

    def stop(self) -> None:
        """Show what was shown before."""
        self._timer.stop()
        restore(self._viewer, self._visible)
        self._visible, self._image = {}, None


class SideBySide:
    """Shows two images beside each other in napari's grid, which moves and zooms them together.

    Parameters
    ----------
    viewer : ViewerModel
        Where both are.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._visible: dict[Layer, bool] = {}
        self.is_on = False

    def start(self, shot: Shot, image: Image) -> None:
        """Show nothing but these two."""
        self.stop()
        self._visible = only(self._viewer, shot, image)
        grid = grid_of(self._viewer)
        grid.stride = 1
        grid.shape = (1, -1)
        grid.enabled = True
        self.is_on = True
        self._viewer.reset_view()

    def stop(self) -> None:
        """Show what was shown before, over each other."""
        if self.is_on:
            self.is_on = False
            grid = grid_of(self._viewer)
            grid.enabled = False
            grid.shape = (-1, -1)
            restore(self._viewer, self._visible)
            self._visible = {}
            self._viewer.reset_view()


def only(viewer: ViewerModel, shot: Shot, image: Image) -> dict[Layer, bool]:
    """Hide all layers but two, bring the slider to the shot's plane; returns what was visible before."""
    before = {layer: bool(layer.visible) for layer in viewer.layers}
    for layer in viewer.layers:
        layer.visible = layer is shot.layer or layer is image
    if shot.plane.index:
        stack_layer.show_plane(viewer, shot.layer, shot.plane.index[-1])
    return before


def restore(viewer: ViewerModel, visible: dict[Layer, bool]) -> None:
    """Make layers visible or not, as they were; those that are gone are left out."""
    for layer, was in visible.items():
        if layer in viewer.layers:
            layer.visible = was


def grid_of(viewer: ViewerModel) -> Any:
    """napari's grid, which moved from the viewer to its canvas in 0.9."""
    return viewer.canvas.grid if hasattr(viewer, "canvas") else viewer.grid
