"""The focus curve as it grows: points, the fitted peak with its uncertainty, where the drive or the slider stands."""

from __future__ import annotations

from collections.abc import Sequence

import pyqtgraph as pg
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from napari_autofocus.widgets.parts.plot_frame import dress_axes, dress_band, keep_still
from napari_autofocus.widgets.parts.theme import Colours, theme_colours

_DASH = Qt.PenStyle.DashLine
_LEAST_BAND_SHARE = 0.004


class FocusCurvePlot(QWidget):
    """Sharpness against z.

    Parameters
    ----------
    theme : str
        Id of the napari theme whose colours are used.
    clickable : bool
        Whether a click tells its z through ``z_clicked``.
    """

    z_clicked = Signal(float)

    def __init__(self, theme: str = "dark", *, clickable: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._z_um: list[float] = []
        self._sharpness: list[float] = []
        self._plot = pg.PlotWidget(parent=self)
        self._items()
        self._arrange()
        self.set_theme(theme)
        if clickable:
            self._plot.scene().sigMouseClicked.connect(self._on_clicked)

    def _items(self) -> None:
        self._band = pg.LinearRegionItem(movable=False)
        self._line = self._plot.plot([], [])
        self._points = self._plot.plot([], [], pen=None, symbol="o", symbolSize=6)
        self._peak = pg.InfiniteLine(
            angle=90, label="", labelOpts={"position": 0.93, "anchors": [(-0.05, 0.5), (1.05, 0.5)]}
        )
        self._marker = pg.InfiniteLine(angle=90)
        for item in (self._band, self._peak, self._marker):
            self._plot.addItem(item, ignoreBounds=True)
            item.hide()

    def _arrange(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._plot)
        keep_still(self._plot, bottom="z (µm)", left="sharpness (rel.)")
        self._plot.setYRange(0, 1.12, padding=0)
        self.setMinimumHeight(130)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def set_theme(self, theme: str) -> None:
        """Wear the colours of a napari theme."""
        colours = theme_colours(theme)
        dress_axes(self._plot, colours)
        self._line.setPen(pg.mkPen(colours.curve, width=1.5))
        self._points.setSymbolBrush(colours.curve)
        self._points.setSymbolPen(None)
        self._dress_peak(colours)

    def _dress_peak(self, colours: Colours) -> None:
        self._peak.setPen(pg.mkPen(colours.peak, width=2))
        self._peak.label.setColor(colours.peak)
        self._marker.setPen(pg.mkPen(colours.text, width=1, style=_DASH))
        dress_band(self._band, colours.peak)

    @property
    def z_um(self) -> list[float]:
        """Drive positions drawn, in ascending order, µm."""
        return sorted(self._z_um)

    @property
    def peak_um(self) -> float | None:
        """Where the peak line stands, µm; None while there is none."""
        return float(self._peak.value()) if self._peak.isVisible() else None

    def clear(self) -> None:
        """Forget the curve and its peak."""
        self._z_um, self._sharpness = [], []
        self._peak.hide()
        self._band.hide()
        self._draw()

    def add_point(self, z_um: float, sharpness: float) -> None:
        """Let the curve grow by one sample (drive position in µm)."""
        self._z_um.append(z_um)
        self._sharpness.append(sharpness)
        self._draw()

    def set_curve(self, z_um: Sequence[float], sharpness: Sequence[float]) -> None:
        """Draw a whole curve; positions in µm, any order."""
        self.clear()
        self._z_um, self._sharpness = list(z_um), list(sharpness)
        self._draw()

    def set_peak(self, best_z_um: float | None, uncertainty_um: float | None = None) -> None:
        """Mark best focus with its standard uncertainty, both in µm; None takes the mark away."""
        self._peak.setVisible(best_z_um is not None)
        self._band.setVisible(best_z_um is not None)
        if best_z_um is None:
            return
        self._peak.setValue(best_z_um)
        self._peak.label.setFormat(f"{best_z_um:.2f} µm".replace("-", "−"))
        half = max(uncertainty_um or 0.0, _LEAST_BAND_SHARE * self._span_um())
        self._band.setRegion((best_z_um - half, best_z_um + half))

    def set_marker(self, z_um: float | None) -> None:
        """Show with a dashed line where the drive or the slider stands, µm."""
        self._marker.setVisible(z_um is not None)
        if z_um is not None:
            self._marker.setValue(z_um)

    def _span_um(self) -> float:
        return max(self._z_um) - min(self._z_um) if self._z_um else 0.0

    def _draw(self) -> None:
        order = sorted(range(len(self._z_um)), key=self._z_um.__getitem__)
        z_um = [self._z_um[i] for i in order]
        highest = max(map(abs, self._sharpness), default=0.0) or 1.0
        relative = [self._sharpness[i] / highest for i in order]
        self._line.setData(z_um, relative)
        self._points.setData(z_um, relative)

    def _on_clicked(self, event: object) -> None:
        position = event.scenePos()  # type: ignore[attr-defined]
        if self._z_um and self._plot.sceneBoundingRect().contains(position):
            self.z_clicked.emit(float(self._plot.getViewBox().mapSceneToView(position).x()))
