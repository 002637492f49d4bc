"""Defocus over the last two minutes, with the depth of field shaded."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable

import pyqtgraph as pg
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from napari_autofocus.widgets.parts.plot_frame import dress_axes, dress_band, keep_still, true_minus_axes
from napari_autofocus.widgets.parts.theme import theme_colours

_LENGTH_S = 120.0
_MOST_POINTS = 1200
_REDRAW_MS = 200
_LEAST_SPAN_S = 10.0
_LEAST_REACH_DOF = 2.0


class HistoryPlot(QWidget):
    """Defocus against time, the newest at the right; drawn at most five times a second, and only when there is news.

    Parameters
    ----------
    theme : str
        Id of the napari theme whose colours are used.
    now_s : callable
        Time in s.
    """

    def __init__(self, theme: str, *, now_s: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now_s = now_s
        self._dof_um = 1.0
        self._points: deque[tuple[float, float]] = deque(maxlen=_MOST_POINTS)
        self._plot = pg.PlotWidget(parent=self, axisItems=true_minus_axes())
        self._band = pg.LinearRegionItem(orientation="horizontal", movable=False)
        self._line = self._plot.plot([], [], connect="finite")
        self._newest = self._plot.plot([], [], pen=None, symbol="o", symbolSize=7)
        self._plot.addItem(self._band, ignoreBounds=True)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(_REDRAW_MS)
        self._soon.timeout.connect(self._draw)
        self._arrange()
        self.set_theme(theme)
        self.set_dof(self._dof_um)

    def _arrange(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._plot)
        keep_still(self._plot, bottom="time (s)", left="defocus (µm)")
        self.setToolTip("Estimated defocus over time, µm; shaded: the depth of field. Gaps: no estimate to trust")
        self.setMinimumHeight(100)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def set_theme(self, theme: str) -> None:
        """Wear the colours of a napari theme."""
        colours = theme_colours(theme)
        dress_axes(self._plot, colours)
        self._line.setPen(pg.mkPen(colours.curve, width=1.5))
        self._newest.setSymbolBrush(colours.peak)
        self._newest.setSymbolPen(None)
        dress_band(self._band, colours.good)

    def set_dof(self, dof_um: float) -> None:
        """Shade this depth of field around focus, µm."""
        self._dof_um = dof_um
        self._band.setRegion((-dof_um / 2, dof_um / 2))
        self._draw()

    @property
    def points(self) -> list[tuple[float, float]]:
        """What is drawn: time (s) and defocus (µm); NaN where there was no estimate to trust."""
        return list(self._points)

    def add(self, defocus_um: float | None) -> None:
        """Add an estimate made now, µm; None breaks the line."""
        now_s = self._now_s()
        if defocus_um is None and (not self._points or math.isnan(self._points[-1][1])):
            return
        self._points.append((now_s, math.nan if defocus_um is None else defocus_um))
        while now_s - self._points[0][0] > _LENGTH_S:
            self._points.popleft()
        if not self._soon.isActive():
            self._soon.start()

    def clear(self) -> None:
        """Forget everything."""
        self._points.clear()
        self._draw()

    def _draw(self) -> None:
        newest_s = self._points[-1][0] if self._points else 0.0
        ages = [at_s - newest_s for at_s, _ in self._points]
        values = [value for _, value in self._points]
        known = [(age, value) for age, value in zip(ages, values, strict=True) if math.isfinite(value)]
        self._line.setData(ages, values)
        self._newest.setData(*([[part] for part in known[-1]] if known else ([], [])))
        reach = max([abs(value) for _, value in known] + [_LEAST_REACH_DOF * self._dof_um]) * 1.1
        self._plot.setYRange(-reach, reach, padding=0)
        self._plot.setXRange(min([*ages, -_LEAST_SPAN_S]), 0, padding=0.02)
