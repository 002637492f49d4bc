"""What the labelling panel leaves behind when it goes: no threads, no layers of its own, no callbacks."""

from __future__ import annotations

from napari.components import ViewerModel

from napari_autofocus.widgets.label.desk import AtDesk
from napari_autofocus.widgets.label.paint import ImportancePaint
from napari_autofocus.widgets.label.patches import PatchPicking
from napari_autofocus.widgets.layers import stack_layer
from napari_autofocus.widgets.layers.redraw import remove_in_turn


class Leaving:
    """Puts away what the panel has in the viewer and in threads, once: when it is destroyed, or the viewer closes."""

    def __init__(self, viewer: ViewerModel, at: AtDesk, paint: ImportancePaint, picking: PatchPicking) -> None:
        self._viewer, self._at, self._paint, self._picking = viewer, at, paint, picking
        self._done = False

    def __call__(self) -> None:
        if self._done:
            return
        self._done = True
        self._at.close()
        layers = [*self._paint.let_go(), *self._picking.let_go(), *stack_layer.patch_overlays(self._viewer)]
        remove_in_turn(self._viewer, layers)
