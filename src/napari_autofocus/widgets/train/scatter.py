"""What a model said against the truth: a point an answer, on the line where both agree."""

from __future__ import annotations

from collections.abc import Sequence

import pyqtgraph as pg
from qtpy.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from napari_autofocus.widgets.parts.plot_frame import dress_axes, keep_still, true_minus_axes
from napari_autofocus.widgets.parts.theme import theme_colours

_SIDE_PX = 240
_LEAST_REACH_UM = 1.0
_FEW = 150
_FEW_PX, _MANY_PX = 7, 4
_TIP = (
    "Defocus that was estimated against the true one, µm; line: they agree; shaded: within half a depth of field of"
    " it.\nHollow: refused, drawn where the answer would have been"
)


class DefocusScatter(QWidget):
    """Estimated against true defocus.

    Parameters
    ----------
    theme : str
        Id of the napari theme whose colours are used.
    """

    def __init__(self, theme: str) -> None:
        super().__init__()
        self._told: list[tuple[float, float]] = []
        self._refused: list[tuple[float, float]] = []
        self._dof_um = 0.0
        self._plot = pg.PlotWidget(parent=self, axisItems=true_minus_axes())
        self._edges = [pg.PlotCurveItem(pen=pg.mkPen(None)) for _ in range(2)]
        self._band = pg.FillBetweenItem(*self._edges)
        self._identity = self._plot.plot([], [])
        for item in (*self._edges, self._band):
            self._plot.addItem(item, ignoreBounds=True)
        self._refusals = pg.ScatterPlotItem(brush=None)
        self._answers = pg.ScatterPlotItem(pen=None)
        for item in (self._refusals, self._answers):
            self._plot.addItem(item)
        self._identity.setZValue(1)  # above the answers, many of which lie on it
        keep_still(self._plot, bottom="true (µm)", left="estimated (µm)")
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
        self._identity.setPen(pg.mkPen(colours.text, width=1))
        tint, dots = pg.mkColor(colours.good), pg.mkColor(colours.curve)
        tint.setAlpha(50)
        dots.setAlpha(150)
        self._band.setBrush(tint)
        self._answers.setBrush(dots)
        self._refusals.setPen(pg.mkPen(colours.peak, width=1))

    @property
    def points(self) -> list[tuple[float, float]]:
        """True and estimated defocus of each answer that is drawn, µm; what was refused is not among them."""
        return list(self._told)

    @property
    def refused(self) -> list[tuple[float, float]]:
        """The same of what was refused."""
        return list(self._refused)

    def set_dof(self, dof_um: float) -> None:
        """Shade half of this depth of field to either side of the line, µm."""
        self._dof_um = dof_um
        self._draw()

    def show_points(self, told: Sequence[tuple[float, float]], refused: Sequence[tuple[float, float]] = ()) -> None:
        """Draw answers, true and estimated defocus in µm, in place of those before."""
        self._told, self._refused = list(told), list(refused)
        self._draw()

    def add_point(self, told: tuple[float, float]) -> None:
        """Draw one more answer."""
        self._told.append(told)
        self._draw()

    def _draw(self) -> None:
        both = [value for point in (*self._told, *self._refused) for value in point]
        reach = max(_LEAST_REACH_UM, *map(abs, both)) if both else _LEAST_REACH_UM
        reach *= 1.06
        half = self._dof_um / 2
        self._identity.setData([-reach, reach], [-reach, reach])
        for edge, away in zip(self._edges, (-half, half), strict=True):
            edge.setData([-reach, reach], [-reach + away, reach + away])
        size_px = _FEW_PX if len(self._told) < _FEW else _MANY_PX
        self._answers.setData(pos=self._told, size=size_px)
        self._refusals.setData(pos=self._refused, size=size_px)
        self._plot.setXRange(-reach, reach, padding=0)
        self._plot.setYRange(-reach, reach, padding=0)
