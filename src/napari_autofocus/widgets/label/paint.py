"""Content importance painted by hand: a Labels layer of cells over a stack, above the heat map of what was measured."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Labels
from napari.utils.colormaps import DirectLabelColormap
from qtpy.QtCore import QObject, QTimer, Signal

from napari_autofocus.focus.zstack import StackFocus
from napari_autofocus.labelling.painting import IMPORTANT, NOTHING, UNIMPORTANT, Painting
from napari_autofocus.widgets.focus_state import OVERLAY
from napari_autofocus.widgets.parts.colours import CLEAR_IMPORTANCE

PAINT_LAYER = "Importance by hand"
HEAT_LAYER = "Importance measured"
SHADES = {IMPORTANT: "#2bbf8a", UNIMPORTANT: "#d55e00"}
"""Bluish green and vermilion, told apart by colour-blind readers; cells of no importance are darker, too."""
_CELLS_ACROSS = 48
_LEAST_CELL_PX = 4
_BRUSH_CELLS = 4
_OPACITY, _HEAT_OPACITY = 0.5, 0.5


def cell_px_for(field_shape: tuple[int, int]) -> int:
    """Side of a cell such that about 48 lie across the field, a power of two, px."""
    wished = max(min(field_shape) / _CELLS_ACROSS, _LEAST_CELL_PX)
    return int(2 ** np.round(np.log2(wished)))


class ImportancePaint(QObject):
    """Shows what was painted over a stack, and lets the user paint; ``painted`` tells the whole when a stroke ends.

    Parameters
    ----------
    viewer : ViewerModel
        Where it is painted.
    """

    painted = Signal(object)

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = viewer
        self._labels: Labels | None = None
        self._heat: Image | None = None
        self._under: Image | None = None
        self._focus: StackFocus | None = None
        self._painting: Painting | None = None
        self._kind: int | None = None
        self._unsaved = False

    @property
    def kind(self) -> int | None:
        """What is being painted: 1 important, 2 unimportant, 0 is erased; None while nothing is."""
        return self._kind

    def show(self, layer: Image, field_shape: tuple[int, int], painting: Painting | None, focus: Any) -> None:
        """Show what was painted over the stack in a layer, and let the user paint there."""
        self._under, self._focus = layer, focus
        self._painting = painting or Painting.empty(field_shape, cell_px_for(field_shape))
        if self._kind is not None or not self._painting.is_empty:
            self._fill(self._painting)
        elif self._labels is not None:
            self._labels.visible = False
        self._show_heat()

    def leave(self) -> None:
        """There is no stack to paint on any more."""
        self.stop()
        self._under = self._painting = self._focus = None
        for layer in self._layers():
            layer.visible = False

    def start(self, kind: int) -> None:
        """Let the mouse paint important (1) or unimportant (2), or erase (0)."""
        if self._under is None or self._painting is None:
            return
        fresh = self._kind is None
        self._kind = kind
        labels = self._fill(self._painting) if fresh or self._labels not in self._viewer.layers else self._labels
        assert labels is not None
        self._show_heat()
        self._viewer.layers.selection.active = labels
        labels.mode = "erase" if kind == NOTHING else "paint"
        labels.selected_label = kind or IMPORTANT

    def stop(self) -> None:
        """Give the mouse back to napari; what was painted stays in sight."""
        if self._kind is None:
            return
        self._kind = None
        if self._labels is not None and self._labels in self._viewer.layers:
            self._labels.mode = "pan_zoom"
            self._labels.visible = self._painting is not None and not self._painting.is_empty
        self._show_heat()
        if self._under is not None and self._under in self._viewer.layers:
            self._viewer.layers.selection.active = self._under

    def let_go(self) -> list[Image | Labels]:
        """Paint no more; returns the layers that are left to take out of the viewer."""
        self._kind = None
        left = self._layers()
        self._labels = self._heat = None
        return left

    # layers

    def _layers(self) -> list[Image | Labels]:
        return [layer for layer in (self._heat, self._labels) if layer is not None and layer in self._viewer.layers]

    def _fill(self, painting: Painting) -> Labels:
        place = self._place(painting.cell_px, (0.0, 0.0))
        cells = np.array(painting.cells)
        if self._labels is None or self._labels not in self._viewer.layers:
            self._labels = self._make_labels(cells, place)
        else:
            self._labels.data = cells
            _put(self._labels, place)
        self._labels.visible = True
        return self._labels

    def _make_labels(self, cells: np.ndarray, place: dict[str, Any]) -> Labels:
        colours = {None: "transparent", NOTHING: "transparent", **SHADES}
        labels = Labels(
            cells, name=PAINT_LAYER, colormap=DirectLabelColormap(color_dict=colours), opacity=_OPACITY, **place
        )
        labels.metadata = OVERLAY
        labels.brush_size = _BRUSH_CELLS
        labels.events.paint.connect(self._on_painted)
        self._add(labels)
        return labels

    def _show_heat(self) -> None:
        """The measured importance, while somebody paints over it."""
        wanted = self._kind is not None and self._focus is not None and len(self._focus.patches) > 0
        if not wanted:
            if self._heat is not None:
                self._heat.visible = False
            return
        grid = self._focus.grid
        values = np.asarray([patch.importance for patch in self._focus.patches], np.float32).reshape(grid.shape)
        place = self._place(grid.step, tuple(first + (grid.size - grid.step) / 2 for first in grid.origin))
        if self._heat is None or self._heat not in self._viewer.layers:
            self._heat = Image(
                values,
                name=HEAT_LAYER,
                colormap=CLEAR_IMPORTANCE,
                contrast_limits=(0, 1),
                opacity=_HEAT_OPACITY,
                metadata=OVERLAY,
                **place,
            )
            self._add(self._heat)
            self._below_labels()
        else:
            self._heat.data = values
            _put(self._heat, place)
        self._heat.visible = True

    def _below_labels(self) -> None:
        layers = self._viewer.layers
        if self._labels in layers and layers.index(self._heat) > layers.index(self._labels):
            layers.move(layers.index(self._heat), layers.index(self._labels))

    def _add(self, layer: Image | Labels) -> None:
        selected = set(self._viewer.layers.selection)
        self._viewer.layers.append(layer)
        self._viewer.layers.selection = selected

    def _place(self, cell_px: int, first_px: tuple[float, ...]) -> dict[str, Any]:
        """Scale and place of a layer whose pixels are cells of the stack's and begin at ``first_px``."""
        assert self._under is not None
        scale = np.asarray(self._under.scale[-2:])
        corner = np.asarray(first_px) + (cell_px - 1) / 2
        return {
            "scale": scale * cell_px,
            "translate": np.asarray(self._under.translate[-2:]) + scale * corner,
            "units": self._under.units[-2:],
        }

    def _on_painted(self, _: object) -> None:
        """A stroke has ended; napari tells of a filled area before it fills it, hence a moment later."""
        self._unsaved = True
        QTimer.singleShot(0, self.flush)

    def flush(self) -> None:
        """Tell what was painted now, before another stack is at hand."""
        if not self._unsaved or self._painting is None or self._labels is None:
            return
        self._unsaved = False
        self._painting = Painting(self._painting.shape, self._painting.cell_px, np.array(self._labels.data))
        self.painted.emit(self._painting)


def _put(layer: Image | Labels, place: dict[str, Any]) -> None:
    for name, value in place.items():
        now = getattr(layer, name)
        if tuple(map(str, now)) != tuple(map(str, value)):
            setattr(layer, name, value)
