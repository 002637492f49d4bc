"""What the small plots of the panels have in common: quiet axes, a true minus, the theme's colours, a shaded band."""

from __future__ import annotations

from typing import Any

import pyqtgraph as pg

from napari_autofocus.widgets.parts.theme import Colours

_SIDES = ("bottom", "left")


class _Axis(pg.AxisItem):
    """An axis with a true minus."""

    def tickStrings(self, values: Any, scale: float, spacing: float) -> list[str]:
        return [text.replace("-", "−") for text in super().tickStrings(values, scale, spacing)]


def true_minus_axes() -> dict[str, pg.AxisItem]:
    """Axes for a plot of values that may be negative."""
    return {side: _Axis(side) for side in _SIDES}


def keep_still(plot: pg.PlotWidget, *, bottom: str, left: str) -> None:
    """Name the axes of a plot and leave nothing in it to drag, zoom or click by accident."""
    plot.setLabel("bottom", bottom)
    plot.setLabel("left", left)
    plot.setMenuEnabled(False)
    plot.hideButtons()
    plot.setMouseEnabled(x=False, y=False)
    for side in _SIDES:
        plot.getAxis(side).enableAutoSIPrefix(False)


def dress_axes(plot: pg.PlotWidget, colours: Colours) -> None:
    """Give ground and axes of a plot the theme's colours."""
    plot.setBackground(colours.ground)
    for side in _SIDES:
        axis = plot.getAxis(side)
        axis.setPen(colours.faint)
        axis.setTextPen(colours.text)


def dress_band(band: pg.LinearRegionItem, colour: str, alpha: int = 60) -> None:
    """Shade a band, without lines at its sides."""
    tint = pg.mkColor(colour)
    tint.setAlpha(alpha)
    band.setBrush(tint)
    for line in band.lines:
        line.setPen(pg.mkPen(None))
