"""The curve of a tunable lens as it grows: shift against value, and below it how far each point lies from the curve."""

from __future__ import annotations

from collections.abc import Sequence

import pyqtgraph as pg
from qtpy.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from napari_autofocus.focus.lens_curve import LensCurve
from napari_autofocus.widgets.parts.plot_frame import dress_axes, keep_still, true_minus_axes
from napari_autofocus.widgets.parts.theme import theme_colours

_TIP = (
    "Focal shift of the lens against its value, µm: measured points and the monotone curve through them.\n"
    "Below: how far each point lies from the curve, µm"
)
_AXIS_PX = 58
_LEAST_RESIDUAL_UM = 0.1
_RESIDUALS_PX = 124

Points = Sequence[tuple[float, float]]


class LensPlot(QWidget):
    """Points, curve and residuals of a lens.

    Parameters
    ----------
    theme : str
        Id of the napari theme whose colours are used.
    """

    def __init__(self, theme: str) -> None:
        super().__init__()
        self._shown: list[tuple[float, float]] = []
        self._curve: LensCurve | None = None
        self._shift = pg.PlotWidget(parent=self, axisItems=true_minus_axes())
        self._residual = pg.PlotWidget(parent=self, axisItems=true_minus_axes())
        self._items()
        self._arrange()
        self.set_theme(theme)
        self.set_unit("")

    def _items(self) -> None:
        self._line = self._shift.plot([], [])
        self._points = self._shift.plot([], [], pen=None, symbol="o", symbolSize=6)
        self._here = pg.InfiniteLine(angle=90)
        self._shift.addItem(self._here, ignoreBounds=True)
        self._here.hide()
        self._zero = pg.InfiniteLine(0.0, angle=0)
        self._residual.addItem(self._zero, ignoreBounds=True)
        self._stems = pg.PlotDataItem(connect="pairs")
        self._heads = self._residual.plot([], [], pen=None, symbol="o", symbolSize=5)
        self._residual.addItem(self._stems)

    def _arrange(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._shift, 1)
        column.addWidget(self._residual)
        keep_still(self._shift, bottom="", left="shift (µm)")
        keep_still(self._residual, bottom="value", left="off (µm)")
        self._shift.showLabel("bottom", False)
        for plot in (self._shift, self._residual):
            plot.getAxis("left").setWidth(_AXIS_PX)
        self._residual.setXLink(self._shift)
        self._residual.setFixedHeight(_RESIDUALS_PX)
        self.setToolTip(_TIP)
        self.setMinimumHeight(240)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def set_theme(self, theme: str) -> None:
        """Wear the colours of a napari theme."""
        colours = theme_colours(theme)
        for plot in (self._shift, self._residual):
            dress_axes(plot, colours)
        self._line.setPen(pg.mkPen(colours.curve, width=1.5))
        self._stems.setPen(pg.mkPen(colours.peak, width=1.5))
        self._zero.setPen(pg.mkPen(colours.faint, width=1))
        self._here.setPen(pg.mkPen(colours.text, width=1))
        for points, colour in ((self._points, colours.peak), (self._heads, colours.peak)):
            points.setSymbolBrush(colour)
            points.setSymbolPen(None)

    def set_unit(self, unit: str) -> None:
        """Name the lens's values by their unit."""
        self._residual.setLabel("bottom", f"lens ({unit})" if unit else "lens")

    @property
    def points(self) -> list[tuple[float, float]]:
        """Value and shift (µm) of each point that is drawn."""
        return list(self._shown)

    @property
    def curve(self) -> LensCurve | None:
        """The curve that is drawn."""
        return self._curve

    def clear(self) -> None:
        """Forget everything."""
        self.show_points([])

    def show_points(self, points: Points, curve: LensCurve | None = None) -> None:
        """Draw measured points (value, shift in µm), and the curve through them where there is one."""
        self._shown, self._curve = list(points), curve
        if curve is not None:
            self._shown = [(point.value, point.shift_um) for point in curve.points]
            self._line.setData(*curve.sampled())
        else:
            self._line.setData([], [])
        self._points.setData(*_columns(self._shown))
        self._draw_residuals()

    def show_value(self, value: float | None) -> None:
        """Mark the value that the lens has now."""
        self._here.setVisible(value is not None)
        if value is not None:
            self._here.setValue(value)

    def set_range(self, low: float, high: float) -> None:
        """Show these values of the lens before anything is measured."""
        self._shift.setXRange(low, high, padding=0.03)

    def _draw_residuals(self) -> None:
        curve = self._curve
        pairs = [] if curve is None else list(zip(curve.values, curve.residuals_um, strict=True))
        self._heads.setData(*_columns(pairs))
        self._stems.setData(*_columns([point for value, off_um in pairs for point in ((value, 0.0), (value, off_um))]))
        reach_um = max([_LEAST_RESIDUAL_UM, *(1.2 * abs(off_um) for _, off_um in pairs)])
        self._residual.setYRange(-reach_um, reach_um, padding=0.1)
        if curve is not None:
            self.set_range(*curve.value_range)


def _columns(points: Points) -> tuple[list[float], list[float]]:
    return [float(x) for x, _ in points], [float(y) for _, y in points]
