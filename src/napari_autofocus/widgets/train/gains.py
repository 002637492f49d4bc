"""What virtual refocusing gains: a point a pair of shots, over half their distance, and the line of no gain."""

from __future__ import annotations

from collections.abc import Sequence

import pyqtgraph as pg
from qtpy.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from napari_autofocus.widgets.parts.plot_frame import dress_axes, keep_still, true_minus_axes
from napari_autofocus.widgets.parts.theme import theme_colours

_SIDE_PX = 240
_DOT_PX = 6
_LEAST_DB = 1.0
_TIP = (
    "Each pair of planes of stacks that are held back: by how many dB the recovered image is nearer to the plane in\n"
    "focus than the sharper of the two shots, over half the distance of the shots, µm. Line at 0: neither better nor\n"
    "worse. Green: mean; hollow: of the model that it began with"
)
Points = Sequence[tuple[float, float]]


class GainPlot(QWidget):
    """Gain over the sharper shot by the distance of the shots.

    Parameters
    ----------
    theme : str
        Id of the napari theme whose colours are used.
    """

    def __init__(self, theme: str) -> None:
        super().__init__()
        self.points: list[tuple[float, float]] = []
        self.means: list[tuple[float, float]] = []
        self._plot = pg.PlotWidget(parent=self, axisItems=true_minus_axes())
        self._nothing = pg.InfiniteLine(angle=0, pos=0)
        self._plot.addItem(self._nothing)
        self._dots = pg.ScatterPlotItem(pen=None)
        self._plot.addItem(self._dots)
        self._base = self._plot.plot([], [])
        self._line = self._plot.plot([], [])
        keep_still(self._plot, bottom="half distance of the shots (µm)", left="gain (dB)")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._plot)
        self.setToolTip(_TIP)
        self.setFixedHeight(_SIDE_PX)
        self.setMinimumWidth(200)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.set_theme(theme)

    def set_theme(self, theme: str) -> None:
        """Wear the colours of a napari theme."""
        colours = theme_colours(theme)
        dress_axes(self._plot, colours)
        dots = pg.mkColor(colours.curve)
        dots.setAlpha(130)
        self._nothing.setPen(pg.mkPen(colours.text, width=1))
        self._dots.setBrush(dots)
        self._line.setPen(pg.mkPen(colours.good, width=2))
        self._line.setSymbolBrush(pg.mkBrush(colours.good))
        self._line.setSymbolPen(None)
        self._base.setPen(pg.mkPen(colours.faint, width=1))
        self._base.setSymbolBrush(None)
        self._base.setSymbolPen(pg.mkPen(colours.text, width=1))

    def show_points(self, points: Points, means: Points = (), base: Points = ()) -> None:
        """Draw pairs of shots in place of those before.

        Parameters
        ----------
        points : sequence of (float, float)
            Half the distance of the shots, µm, and the gain, dB.
        means, base : sequence of (float, float)
            Mean gain by half distance, and that of the model it began with.
        """
        self.points, self.means = list(points), list(means)
        self._dots.setData(pos=self.points, size=_DOT_PX)
        for line, own in ((self._line, means), (self._base, base)):
            line.setSymbol("o" if own else None)
            line.setSymbolSize(_DOT_PX + 1)
            line.setData([half for half, _ in own], [gain for _, gain in own])
        both = (*self.points, *means, *base)
        gains = [0.0, _LEAST_DB, *(gain for _, gain in both)]
        self._plot.setXRange(0, max((half for half, _ in both), default=1.0) * 1.05, padding=0)
        self._plot.setYRange(min(gains), max(gains), padding=0.06)
