"""The one image layer in which the stacks of a work list are shown, one after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image

from napari_autofocus.widgets.label.prefetch import ReadStack

_ATTRIBUTES = ("scale", "translate", "units", "metadata", "name")


class ShownStack:
    """Shows stacks in one layer, which is made when it is first needed and filled anew for each.

    Parameters
    ----------
    viewer : ViewerModel
        Where they are shown.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._layer: Image | None = None
        self._field: tuple[Any, ...] = ()

    @property
    def layer(self) -> Image | None:
        """The layer; None where nothing was shown yet, or the user has removed it."""
        return self._layer if self._layer is not None and self._layer in self._viewer.layers else None

    def show(self, read: ReadStack) -> Image:
        """Show a stack; the view stays where it is, unless the field has another size."""
        layer = self.layer
        if layer is None or layer.rgb != read.about["rgb"]:
            layer = self._make(read)
        else:
            _fill(layer, read)
        field = (read.stack.field_shape, read.stack.pixel_size_um)
        if field != self._field:
            self._field = field
            self._viewer.reset_view()
        return layer

    def _make(self, read: ReadStack) -> Image:
        """A new layer, below whatever is laid over it; a layer of the other kind goes."""
        before = self.layer
        layer = Image(read.pixels, **read.about)
        self._viewer.layers.insert(0, layer)
        self._layer = layer
        if before is not None:
            self._viewer.layers.remove(before)
        self._viewer.layers.selection.active = layer
        return layer


def _fill(layer: Image, read: ReadStack) -> None:
    layer.data = read.pixels
    for name in _ATTRIBUTES:
        if not _alike(getattr(layer, name), read.about[name]):
            setattr(layer, name, read.about[name])
    limits = read.about.get("contrast_limits")
    if limits is not None:
        low, high = layer.contrast_limits_range
        layer.contrast_limits_range = (min(low, limits[0]), max(high, limits[1]))
        layer.contrast_limits = limits


def _alike(now: Any, wanted: Any) -> bool:
    if isinstance(now, np.ndarray):
        return bool(np.array_equal(now, wanted))
    if isinstance(now, tuple):
        return tuple(map(str, now)) == tuple(map(str, wanted))
    return bool(now == wanted)
