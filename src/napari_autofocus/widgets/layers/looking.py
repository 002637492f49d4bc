"""Where the viewer looks: at these layers, and no others."""

from __future__ import annotations

from collections.abc import Sequence
from inspect import signature

from napari.components import ViewerModel
from napari.layers import Layer


def look_at(viewer: ViewerModel, layers: Sequence[Layer]) -> None:
    """Fit the view to these layers; before napari 0.9, or beside layers of more axes, to all there are."""
    fit = getattr(viewer, "fit_to_view", None)
    alike = all(layer.ndim == viewer.dims.ndim for layer in layers)  # napari 0.9.2: IndexError otherwise
    if fit is None or not alike or "layers" not in signature(fit).parameters:
        viewer.reset_view()
    elif layers:
        fit(layers=layers)
