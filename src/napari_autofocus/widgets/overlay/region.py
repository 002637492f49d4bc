"""The part of an image that counts: rectangles and polygons drawn by the user, minus patches taken out by a click."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Shapes
from qtpy.QtCore import QObject, Signal

from napari_autofocus.focus.estimate import PatchPrediction
from napari_autofocus.widgets.focus_state import OVERLAY, BoolImage, Estimated, FocusState, Seen

REGION_LAYER = "Focus region"
PatchSquare = tuple[int, int, int]
"""Upper left corner (y, x) and side of a patch, px."""

_EDGE_SHARE = 0.004
_COLOUR = "#e69f00"
_STILL_PX = 4.0
# A neighbour that overlaps by half would have just half of its area inside, and come in again.
_HOLE_MARGIN_PX = 1
_FINISHED = {"added", "changed", "removed"}


class RegionTool(QObject):
    """Turns what the user draws and clicks into the region of a :class:`FocusState`.

    ``said`` carries a sentence for the user, which :attr:`note` keeps: what counts, or why the region does not apply;
    empty where the whole image counts.

    Parameters
    ----------
    viewer : ViewerModel
        Where it is drawn.
    state : FocusState
        Whose region it is, and whose newest image it is drawn on.
    """

    said = Signal(str)

    def __init__(self, viewer: ViewerModel, state: FocusState, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._state = state
        self._seen: Seen | None = None
        self._shape: tuple[int, int] | None = None
        self._shapes: Shapes | None = None
        self._left_out: list[PatchSquare] = []
        self._excluding = False
        self.note = ""
        self._pairs = [(state.estimated, self._on_estimated), (viewer.layers.events.removed, self._on_layer_removed)]
        for signal, slot in self._pairs:
            signal.connect(slot)

    def draw(self) -> None:
        """Let the user draw rectangles on the image that is looked at; napari's own tools offer polygons too."""
        if self._seen is None:
            self._say("There is no estimate yet, so no image to draw on: choose an image and a model first.")
            return
        self._belong_to(self._seen)
        if self._shapes is None:
            self._shapes = self._make_shapes(self._seen)
        self._viewer.layers.selection.active = self._shapes
        self._shapes.mode = "add_rectangle"

    def clear(self) -> None:
        """Let the whole image count again."""
        self._left_out = []
        shapes, self._shapes = self._shapes, None
        if shapes is not None and shapes in self._viewer.layers:
            self._viewer.layers.remove(shapes)
        self._tell()

    @property
    def excluding(self) -> bool:
        """Whether a click on a patch leaves it out."""
        return self._excluding

    def set_excluding(self, excluding: bool) -> None:
        """Have clicks on patches leave them out, or let them in again, from now on or no more."""
        if excluding == self._excluding:
            return
        self._excluding = excluding
        callbacks = self._viewer.mouse_drag_callbacks
        if excluding:
            if self._shapes is not None:
                self._shapes.mode = "pan_zoom"
            callbacks.append(self._on_press)
        else:
            callbacks.remove(self._on_press)

    def close(self) -> None:
        """Take the drawing out of the viewer and listen no more; the region stays as it is."""
        self.set_excluding(False)
        for signal, slot in self._pairs:
            signal.disconnect(slot)
        self._pairs = []
        if self._shapes is not None and self._shapes in self._viewer.layers:
            self._viewer.layers.remove(self._shapes)
        self._shapes = None

    # what the user does

    def _on_press(self, _: ViewerModel, event: Any) -> Generator[None, None, None]:
        """A click, told from a drag by how far the mouse went."""
        pressed = np.asarray(event.pos, float)
        yield
        while event.type == "mouse_move":
            yield
        if np.linalg.norm(np.asarray(event.pos, float) - pressed) <= _STILL_PX:
            self.toggle_at(tuple(event.position[-2:]))

    def toggle_at(self, world: tuple[float, float]) -> None:
        """Leave out the patch at a place of the viewer, or let it in again."""
        if self._seen is None:
            return
        y, x = _to_px(self._seen, world)
        if (found := _nearest(self._left_out, y, x)) is not None:
            self._left_out.remove(found)
        elif (found := _nearest([_square(patch) for patch in self._patches], y, x)) is not None:
            self._belong_to(self._seen)
            self._left_out.append(found)
        else:
            return
        self._tell()

    @property
    def _patches(self) -> tuple[PatchPrediction, ...]:
        newest = self._state.newest
        return () if newest is None else newest.estimate.chosen_patches

    def _on_drawn(self, event: Any) -> None:
        """Told when a shape is finished, moved or removed, and before that, too: then nothing is to be done."""
        if str(getattr(event.action, "value", event.action)) in _FINISHED:
            self._tell()

    def _on_layer_removed(self, event: Any) -> None:
        if event.value is self._shapes and self._shapes is not None:
            self._shapes = None
            self._tell()

    def _on_estimated(self, estimated: Estimated) -> None:
        if self._seen is not None and _lies_alike(self._seen, estimated.seen):
            return
        self._seen = _without_pixels(estimated.seen)
        if self._shapes is not None and self._seen.shape == self._shape:
            _place(self._shapes, self._seen)
        self._say(self._sentence())

    # the region

    def _belong_to(self, seen: Seen) -> None:
        """Begin anew where the image has another shape than the one drawn on."""
        if self._shape not in (None, seen.shape):
            self.clear()
        self._shape = seen.shape

    def _make_shapes(self, seen: Seen) -> Shapes:
        layer = Shapes(
            ndim=2,
            name=REGION_LAYER,
            edge_color=_COLOUR,
            face_color="transparent",
            edge_width=max(2.0, _EDGE_SHARE * max(seen.shape)),
            metadata=OVERLAY,
        )
        _place(layer, seen)
        layer.events.data.connect(self._on_drawn)
        self._viewer.add_layer(layer)
        return layer

    def _mask(self) -> BoolImage | None:
        """What counts, True inside; None where all of the image does."""
        drawn = self._shapes is not None and self._shapes.nshapes > 0
        if self._shape is None or not (drawn or self._left_out):
            return None
        mask = self._shapes.to_masks(self._shape).any(axis=0) if drawn else np.ones(self._shape, bool)
        for y, x, size in self._left_out:
            first_y, first_x = max(y - _HOLE_MARGIN_PX, 0), max(x - _HOLE_MARGIN_PX, 0)
            mask[first_y : y + size + _HOLE_MARGIN_PX, first_x : x + size + _HOLE_MARGIN_PX] = False
        return mask

    def _tell(self) -> None:
        mask = self._mask()
        if mask is None and self._shapes is None:
            self._shape = None
        self._state.set_region(mask, tuple(self._left_out))
        self._say(self._sentence())

    def _sentence(self) -> str:
        region = self._state.region
        if region is None:
            return ""
        if self._seen is not None and self._seen.shape != region.shape:
            there, here = _by(region.shape), _by(self._seen.shape)
            return f"The region was drawn on an image of {there} px; this one has {here} px, so all of it counts."
        count = len(self._left_out)
        left_out = f", {count} patch{'es' * (count > 1)} left out" if count else ""
        return f"{100 * region.mean():.0f} % of the image counts{left_out}."

    def _say(self, sentence: str) -> None:
        if sentence != self.note:
            self.note = sentence
            self.said.emit(sentence)


def _without_pixels(seen: Seen) -> Seen:
    """Where an image lies; the image itself is not kept."""
    return replace(seen, image=np.broadcast_to(np.uint8(0), seen.shape))


def _square(patch: PatchPrediction) -> PatchSquare:
    return patch.y, patch.x, patch.size


def _nearest(squares: list[PatchSquare], y: float, x: float) -> PatchSquare | None:
    """The square around a pixel whose centre is nearest to it."""
    around = [(top, left, side) for top, left, side in squares if top <= y < top + side and left <= x < left + side]
    return min(around, key=lambda s: (s[0] + s[2] / 2 - y) ** 2 + (s[1] + s[2] / 2 - x) ** 2, default=None)


def _to_px(seen: Seen, world: tuple[float, float]) -> tuple[float, float]:
    """A place of the viewer in pixels of the image, counted from the edge of the first one."""
    y, x = ((at - first) / scale + 0.5 for at, first, scale in zip(world, seen.translate, seen.scale, strict=True))
    return y, x


def _place(layer: Shapes, seen: Seen) -> None:
    layer.scale, layer.translate, layer.units = seen.scale, seen.translate, seen.units


def _lies_alike(one: Seen, other: Seen) -> bool:
    return (one.shape, one.scale, one.translate) == (other.shape, other.scale, other.translate)


def _by(shape: tuple[int, ...]) -> str:
    return f"{shape[0]} × {shape[1]}"
