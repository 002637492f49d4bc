"""Colours of what we lay over images, told apart by colour-blind readers."""

from __future__ import annotations

from napari.utils import Colormap

# Blue below, orange above, near-white between.
DIVERGING = Colormap(
    [[0.13, 0.40, 0.67, 1], [0.57, 0.77, 0.87, 1], [0.97, 0.97, 0.97, 1], [0.99, 0.72, 0.39, 1], [0.70, 0.35, 0.02, 1]],
    name="blue-white-orange",
)
