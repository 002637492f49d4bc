"""Colours of what we lay over images, told apart by colour-blind readers."""

from __future__ import annotations

from napari.utils import Colormap

# Blue below, orange above, near-white between.
DIVERGING = Colormap(
    [[0.13, 0.40, 0.67, 1], [0.57, 0.77, 0.87, 1], [0.97, 0.97, 0.97, 1], [0.99, 0.72, 0.39, 1], [0.70, 0.35, 0.02, 1]],
    name="blue-white-orange",
)

# Lighter, so that numbers stay readable on it, and clear around zero: what is in focus is not covered.
CLEAR_DIVERGING = Colormap(
    [[0.2, 0.5, 0.85, 1], [0.35, 0.62, 0.85, 0.8], [0.97, 0.97, 0.97, 0], [0.99, 0.6, 0.2, 0.8], [0.92, 0.45, 0.08, 1]],
    name="blue-clear-orange",
)

# Clear where there is nothing, so that only what tells about focus is coloured: viridis from its middle on.
CLEAR_IMPORTANCE = Colormap(
    [[0.13, 0.57, 0.55, 0], [0.13, 0.57, 0.55, 0.25], [0.37, 0.79, 0.38, 0.4], [0.99, 0.91, 0.14, 0.5]],
    name="clear-viridis",
)
