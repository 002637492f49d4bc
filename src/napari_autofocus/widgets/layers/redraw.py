"""Having napari draw as little as possible: what a live image needs, several times a second."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from napari.components import ViewerModel
from napari.layers import Layer
from qtpy.QtCore import QCoreApplication, QTimer


@contextmanager
def canvas_only(viewer: ViewerModel) -> Iterator[None]:
    """Whatever happens to layers inside is told to the canvas alone: the list of layers would draw all its rows anew.

    For pixels, numbers and the like; not for names, nor for layers that come or go.
    """
    with viewer.layers.events.blocker_all():
        yield


def redraw(viewer: ViewerModel, layer: Layer) -> None:
    """Draw a layer whose array has been written into: no other extent, no other picture in the list of layers."""
    with canvas_only(viewer):
        layer.refresh(extent=False, thumbnail=False, highlight=False)


REMOVE_EVERY_MS = 100


def remove_in_turn(viewer: ViewerModel, layers: Sequence[Layer]) -> None:
    """Take layers out of a viewer: the first at once, each other once the canvas has been drawn without the last one.

    For each napari collects garbage, which stops the window for a moment: it goes on in between. What must be so for
    napari to survive it, one at a time or not, is in ``canvas_context.py``.
    """
    left = [layer for layer in layers if layer in viewer.layers]
    if not left:
        return
    viewer.layers.remove(left[0])
    if left[1:]:
        window = getattr(getattr(viewer, "window", None), "_qt_window", None)
        later = QTimer(window or QCoreApplication.instance())  # goes with the window
        later.setSingleShot(True)
        later.timeout.connect(later.deleteLater)
        later.timeout.connect(lambda: remove_in_turn(viewer, left[1:]))
        later.start(REMOVE_EVERY_MS)
