"""The image layer in which the sparsity tour shows its fields."""

from __future__ import annotations

from napari.components import ViewerModel
from napari.layers import Image

from napari_autofocus.widgets.focus_state import Seen
from napari_autofocus.widgets.layers.stack_layer import METADATA_KEY
from napari_autofocus.workflows.sparse.records import SparsityField

LAYER = "Sparsity tour"


class TourLayer:
    """The image layer of the tour, made when it is first needed and used again for every field.

    Parameters
    ----------
    viewer : ViewerModel
        Where it is shown.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._layer: Image | None = None

    def show(self, found: SparsityField) -> Seen:
        """Show a field's frame; returns where it lies, for overlays."""
        frame = found.frame
        scale = (frame.pixel_size_um or 1.0,) * 2
        if self._layer is None or self._layer not in self._viewer.layers:
            metadata = {METADATA_KEY: {"objective": frame.lens.name}} if frame.lens else {}
            self._layer = Image(frame.image, name=LAYER, rgb=True, scale=scale, units=("um", "um"), metadata=metadata)
            self._viewer.layers.append(self._layer)
            self._viewer.reset_view()
        else:
            self._layer.data = frame.image
        return Seen(
            frame.image, self._layer.name, scale=scale, units=self._layer.units, pixel_size_um=frame.pixel_size_um
        )

    @property
    def layers(self) -> tuple[Image, ...]:
        """The layer, if there is one."""
        return () if self._layer is None else (self._layer,)
