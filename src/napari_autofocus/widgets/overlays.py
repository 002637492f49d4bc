"""What is known of focus, laid over the image: importance, defocus, and the patches that were read.

The layers are made when they are first needed, used again for every estimate, and go when the panel closes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

from napari.components import ViewerModel
from napari.layers import Layer
from qtpy.QtCore import QObject, QTimer

from napari_autofocus.widgets.focus_state import Estimated, FocusState
from napari_autofocus.widgets.layers.redraw import remove_in_turn
from napari_autofocus.widgets.overlay.layers import (
    Content,
    OverlayLayer,
    defocus_content,
    importance_content,
    make_defocus,
    make_importance,
    make_patches,
    patches_content,
)

Kind = Literal["importance", "defocus", "patches"]
_MAKERS: dict[Kind, Callable[[Content], OverlayLayer]] = {
    "importance": make_importance,
    "defocus": make_defocus,
    "patches": make_patches,
}
_OPACITY = 0.45
# Nobody reads numbers that change more often, and each change costs as much as a camera frame.
_LEAST_GAP_S = 0.18
_LATEST_MS = 300


class FocusOverlays(QObject):
    """The overlays of one viewer.

    They follow a stream of estimates about five times a second, and end on the newest.
    A layer that the user hides in the layer list stays hidden and costs nothing; one that the user deletes comes back
    with the next estimate as long as it is switched on.

    Parameters
    ----------
    viewer : ViewerModel
        Where they are shown.
    state : FocusState
        Whose newest estimate is shown.
    """

    def __init__(self, viewer: ViewerModel, state: FocusState, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._state = state
        self._wanted: dict[Kind, bool] = {"importance": True, "defocus": False, "patches": True}
        self._shown: dict[Kind, OverlayLayer] = {}
        self._veiled: set[Kind] = set()
        self._opacity = _OPACITY
        self._source = ""
        self._filled_s = 0.0
        self._next = QTimer(self)
        self._next.setSingleShot(True)
        self._next.timeout.connect(self._on_next)
        self._pairs = [
            (state.estimated, self._on_estimated),
            (state.refused, self._on_none),
            (state.cleared, self._on_none),
            (viewer.layers.events.removed, self._on_layer_removed),
        ]
        for signal, slot in self._pairs:
            signal.connect(slot)

    def show_importance(self, wanted: bool) -> None:
        """Colour each patch by how much its content tells about focus."""
        self._want("importance", wanted)

    def show_defocus(self, wanted: bool) -> None:
        """Colour each patch that was read by its defocus, in depths of field."""
        self._want("defocus", wanted)

    def show_patches(self, wanted: bool) -> None:
        """Outline the patches that were read, with their defocus in µm."""
        self._want("patches", wanted)

    @property
    def up_to_date(self) -> bool:
        """Whether the newest estimate is what is shown."""
        return not self._next.isActive()

    def set_opacity(self, opacity: float) -> None:
        """How strongly the colours cover the image, 0 to 1; outlines and numbers stay as they are."""
        self._opacity = opacity
        for kind in ("importance", "defocus"):
            if kind in self._shown:
                self._shown[kind].layer.opacity = opacity

    def close(self, *below: Layer) -> None:
        """Listen no more, and take the layers out of the viewer, one at a time; at last those below them."""
        for signal, slot in self._pairs:
            signal.disconnect(slot)
        self._pairs = []
        self._next.stop()
        remove_in_turn(self._viewer, [*(overlay.layer for overlay in self._shown.values()), *below])
        self._shown.clear()

    def _want(self, kind: Kind, wanted: bool) -> None:
        self._wanted[kind] = wanted
        self._veiled.discard(kind)
        newest = self._state.newest
        if kind in self._shown:
            self._shown[kind].layer.visible = wanted and newest is not None
        if wanted and newest is None:
            self._veiled.add(kind)
        self._on_next()

    # what happens

    def _on_estimated(self, estimated: Estimated) -> None:
        if not estimated.estimate.patches:
            self._on_none()
        elif time.monotonic() - self._filled_s >= _LEAST_GAP_S:
            self._fill(estimated)
        else:
            self._next.start(_LATEST_MS)  # unless another estimate comes before

    def _fill(self, estimated: Estimated) -> None:
        self._next.stop()
        self._stay_on_top(estimated.seen.source)
        for kind in (kind for kind in _MAKERS if self._wanted[kind]):
            if kind not in self._shown:
                self._make(kind, estimated)
                # One a turn: napari builds the controls of a new layer, which takes a tenth of a second.
                self._next.start(0)
                return
            if kind in self._veiled:
                self._veiled.discard(kind)
                self._shown[kind].layer.visible = True
            if self._shown[kind].layer.visible:
                self._shown[kind].fill(self._viewer, self._content(kind, estimated))
        self._filled_s = time.monotonic()

    def _on_none(self, *_: object) -> None:
        self._next.stop()
        self._filled_s = 0.0
        for kind, overlay in self._shown.items():
            if overlay.layer.visible:
                overlay.layer.visible = False
                self._veiled.add(kind)

    def _on_next(self) -> None:
        if (newest := self._state.newest) is not None and newest.estimate.patches:
            self._fill(newest)

    def _on_layer_removed(self, event: Any) -> None:
        self._shown = {kind: overlay for kind, overlay in self._shown.items() if overlay.layer is not event.value}

    def _on_eye(self, kind: Kind) -> None:
        """The user has shown a layer again: it shows what is known now."""
        overlay, newest = self._shown.get(kind), self._state.newest
        if overlay is not None and overlay.layer.visible and newest is not None and newest.estimate.patches:
            overlay.fill(self._viewer, self._content(kind, newest))

    # the layers

    def _content(self, kind: Kind, estimated: Estimated) -> Content:
        if kind == "importance":
            return importance_content(estimated, spare_read=self._wanted["defocus"])
        if kind == "defocus":
            return defocus_content(estimated, self._dof_um)
        here = self._state.region_for(estimated.seen.shape) is not None
        return patches_content(estimated, self._state.left_out if here else ())

    @property
    def _dof_um(self) -> float:
        return self._state.model.card.dof_um if self._state.model is not None else 1.0

    def _make(self, kind: Kind, estimated: Estimated) -> None:
        made = _MAKERS[kind](self._content(kind, estimated))
        if kind != "patches":
            made.layer.opacity = self._opacity
        before = dict(self._shown)
        self._shown[kind] = made
        with self._same_selection():
            # Colours below outlines, whichever was switched on first.
            layers, order = self._viewer.layers, list(_MAKERS)
            later = [shown.layer for other, shown in before.items() if order.index(other) > order.index(kind)]
            above = [layers.index(layer) for layer in later]
            layers.insert(min(above, default=len(layers)), made.layer)
        made.layer.events.visible.connect(lambda: self._on_eye(kind))

    def _stay_on_top(self, source: str) -> None:
        """Lie above an image that is newly looked at."""
        if source == self._source:
            return
        self._source = source
        layers = self._viewer.layers
        if source in layers:
            below = layers.index(source)
            for kind in _MAKERS:
                if kind in self._shown and layers.index(self._shown[kind].layer) < below:
                    layers.move(layers.index(self._shown[kind].layer), len(layers))

    @contextmanager
    def _same_selection(self) -> Iterator[None]:
        """Leave the user's choice of layers as it was."""
        selection = self._viewer.layers.selection
        chosen, active = set(selection), selection.active
        yield
        self._viewer.layers.selection = chosen
        if active is not None:
            selection.active = active
