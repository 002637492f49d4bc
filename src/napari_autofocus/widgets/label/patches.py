"""Patches of a stack in the viewer: a click on one chooses it, an outline shows which."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image
from qtpy.QtCore import QObject, Signal

from napari_autofocus.focus.patches import PatchGrid
from napari_autofocus.widgets.focus_state import OVERLAY

OUTLINE_LAYER = "Chosen patch"
_STILL_PX = 4.0
_OUTLINE = (255, 225, 60, 255)
_OUTLINE_SHARE = 0.02


class PatchPicking(QObject):
    """Chooses a patch of the stack in a layer; ``picked`` tells its number in the grid.

    Parameters
    ----------
    viewer : ViewerModel
        Where the user clicks.
    """

    picked = Signal(int)

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = viewer
        self._listening = False
        self._layer: Image | None = None
        self._grid: PatchGrid | None = None
        self._outline: Image | None = None

    def offer(self, layer: Image | None, grid: PatchGrid | None) -> None:
        """Let clicks choose among these patches; None lets them choose nothing."""
        self._layer, self._grid = layer, grid
        wanted = layer is not None and grid is not None
        if wanted != self._listening:
            self._listening = wanted
            callbacks = self._viewer.mouse_drag_callbacks
            callbacks.append(self._on_press) if wanted else callbacks.remove(self._on_press)

    def patch_at(self, world: tuple[float, float]) -> int | None:
        """Number of the patch at a place of the viewer, that whose centre is nearest; None beside all patches."""
        if self._layer is None or self._grid is None:
            return None
        scale, first, grid = self._layer.scale[-2:], self._layer.translate[-2:], self._grid
        place = (np.asarray(world) - first) / scale + 0.5 - np.asarray(grid.origin)
        reach = (np.asarray(grid.shape) - 1) * grid.step + grid.size
        if (place < 0).any() or (place >= reach).any():
            return None
        row, column = np.clip(np.round((place - grid.size / 2) / grid.step), 0, np.asarray(grid.shape) - 1).astype(int)
        return int(row * grid.shape[1] + column)

    def outline(self, index: int | None) -> None:
        """Show which patch is chosen; None takes the outline away."""
        if index is None or self._layer is None or self._grid is None:
            if self._outline is not None:
                self._outline.visible = False
            return
        rows, columns = self._grid.slices(index)
        scale = np.asarray(self._layer.scale[-2:])
        place = np.asarray(self._layer.translate[-2:]) + scale * (rows.start, columns.start)
        if self._outline is None or self._outline not in self._viewer.layers:
            self._outline = self._make_outline()
        if self._outline.data.shape[0] != self._grid.size:
            self._outline.data = _frame(self._grid.size)
        self._outline.scale, self._outline.units = scale, self._layer.units[-2:]
        self._outline.translate = place
        self._outline.visible = True

    def let_go(self) -> list[Image]:
        """Listen to no more clicks; returns the layers that are left to take out of the viewer."""
        self.offer(None, None)
        left, self._outline = self._outline, None
        return [] if left is None else [left]

    def _make_outline(self) -> Image:
        assert self._layer is not None
        assert self._grid is not None
        selected = set(self._viewer.layers.selection)
        layer = Image(
            _frame(self._grid.size), name=OUTLINE_LAYER, rgb=True, metadata=OVERLAY, units=self._layer.units[-2:]
        )
        self._viewer.layers.append(layer)
        self._viewer.layers.selection = selected
        return layer

    def _on_press(self, _: ViewerModel, event: Any) -> Generator[None, None, None]:
        """A click, told from a drag by how far the mouse went."""
        pressed = np.asarray(event.pos, float)
        yield
        while event.type == "mouse_move":
            yield
        if np.linalg.norm(np.asarray(event.pos, float) - pressed) <= _STILL_PX:
            index = self.patch_at(tuple(event.position[-2:]))
            if index is not None:
                self.picked.emit(index)


def _frame(size: int) -> np.ndarray:
    """A square outline on nothing, shape (size, size, 4), u8."""
    pixels = np.zeros((size, size, 4), np.uint8)
    width = max(1, round(size * _OUTLINE_SHARE))
    pixels[:] = _OUTLINE
    pixels[width:-width, width:-width] = 0
    return pixels
