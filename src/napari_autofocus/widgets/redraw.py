"""Having napari draw as little as possible: what a live image needs, several times a second."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from napari.components import ViewerModel
from napari.layers import Layer


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
