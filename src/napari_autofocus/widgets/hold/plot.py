"""Where best focus drifts to while focus is held, and how the drive follows it."""

from __future__ import annotations

import math

import pyqtgraph as pg
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QSizePolicy, QVBoxLayout, QWidget

from napari_autofocus.widgets.parts.plot_frame import dress_axes, dress_band, keep_still, true_minus_axes
from napari_autofocus.widgets.parts.theme import theme_colours

_MOST_POINTS = 2000
_LEAST_SPAN_MIN = 1.0
_TINT = 50
_TIP = (
    "Best focus (line) and the focus drive (steps), µm from where the hold began, over minutes; a pause begins anew.\n"
    "Dashed: the rate of drift that fits them best. "
    "Shaded: the dead band, in which nothing moves"
)


class DriftPlot(QWidget):
    """Drift of best focus over time, and the drive's way after it.

    Parameters
    ----------
    theme : str
        Id of the napari theme whose colours are used.
    """

    def __init__(self, theme: str) -> None:
        super().__init__()
        self._points: list[tuple[float, float, float]] = []
        self._every, self._skipped = 1, 0
        self._band_um = 0.0
        self._plot = pg.PlotWidget(parent=self, axisItems=true_minus_axes())
        self._band = pg.LinearRegionItem(orientation="horizontal", movable=False)
        self._plot.addItem(self._band, ignoreBounds=True)
        self._drive = self._plot.plot([], [], connect="finite")
        self._drift = self._plot.plot([], [], connect="finite")
        self._line = self._plot.plot([], [])
        self._legend = QLabel()
        self._legend.setAlignment(Qt.AlignmentFlag.AlignRight)
        self._arrange()
        self.set_theme(theme)
        self.set_band(0.33)

    def _arrange(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._legend)
        layout.addWidget(self._plot)
        keep_still(self._plot, bottom="time (min)", left="drift (µm)")
        self.setToolTip(_TIP)
        self.setMinimumHeight(120)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def set_theme(self, theme: str) -> None:
        """Wear the colours of a napari theme."""
        colours = theme_colours(theme)
        dress_axes(self._plot, colours)
        self._drift.setPen(pg.mkPen(colours.curve, width=1.5))
        self._line.setPen(pg.mkPen(colours.text, width=1, style=Qt.PenStyle.DashLine))
        self._drive.setPen(pg.mkPen(colours.peak, width=1.5))
        dress_band(self._band, colours.good, alpha=50)
        marks = (colours.curve, "best focus"), (colours.peak, "focus drive"), (colours.good, "dead band")
        self._legend.setText("&nbsp;&nbsp; ".join(f'<font color="{colour}">▬</font> {name}' for colour, name in marks))

    def set_band(self, band_um: float) -> None:
        """Shade this dead band to either side of the drive, µm."""
        self._band_um = band_um
        self._draw()

    @property
    def points(self) -> list[tuple[float, float, float]]:
        """What is drawn: time (min), drift of best focus and place of the drive (µm); NaN where nothing is known."""
        return list(self._points)

    def add(self, at_s: float, z_um: float, best_z_um: float | None, drift_um: float | None) -> None:
        """Add one round of a hold; without a drift the lines break."""
        if best_z_um is None or drift_um is None:
            if self._points and not math.isnan(self._points[-1][1]):
                self._points.append((at_s / 60, math.nan, math.nan))
        else:
            self._skipped += 1
            if self._skipped < self._every:
                return
            self._skipped = 0
            self._points.append((at_s / 60, drift_um, z_um - (best_z_um - drift_um)))
        if len(self._points) > _MOST_POINTS:
            self._points, self._every = self._points[::2], 2 * self._every
        self._draw()

    def set_line(self, minutes: list[float], drift_um: list[float]) -> None:
        """Draw the rate that was fitted (with its jumps), dashed."""
        self._line.setData(minutes, drift_um)

    def clear(self) -> None:
        """Forget everything."""
        self._line.setData([], [])
        self._points, self._every, self._skipped = [], 1, 0
        self._draw()

    def _draw(self) -> None:
        minutes, drift, drive = ([point[part] for point in self._points] for part in range(3))
        self._drift.setData(minutes, drift)
        self._drive.setData(*_stairs(minutes, drive))
        known = [value for value in (*drift, *drive) if math.isfinite(value)]
        for part in (self._legend, self._band):
            part.setVisible(bool(known))
        here = next((value for value in reversed(drive) if math.isfinite(value)), 0.0)
        self._band.setRegion((here - self._band_um, here + self._band_um))
        low, high = (end(known, default=0.0) for end in (min, max))
        self._plot.setYRange(low - 2 * self._band_um, high + 2 * self._band_um, padding=0)
        self._plot.setXRange(0, max([*minutes, _LEAST_SPAN_MIN]), padding=0.02)


def _stairs(minutes: list[float], values: list[float]) -> tuple[list[float], list[float]]:
    """A drive stands still and then moves at once: every point once more with the value before it."""
    x = [at for at in minutes for _ in (0, 1)]
    y = [value for value in values for _ in (0, 1)]
    return x[1:], y[:-1]
