"""A gauge for defocus: focus in the middle, the depth of field shaded, a needle with its uncertainty."""

from __future__ import annotations

import math
from dataclasses import dataclass

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_autofocus.widgets.parts.theme import Colours, theme_colours

_HEIGHT_PX = 50
_SIDE_PX = 14
_TRACK_TOP_PX, _TRACK_PX = 16, 14
_LEAST_BAND_PX = 3.0
_TICKS = 5
_TINT = 90


@dataclass(frozen=True)
class Needle:
    """What the gauge shows.

    Parameters
    ----------
    defocus_um : float
        Where the needle stands, µm; beyond the range an arrow at its end.
    low_um, high_um : float
        Ends of the band of uncertainty, µm.
    sure : bool
        Whether the estimate is to be trusted; otherwise the needle is hollow.
    """

    defocus_um: float
    low_um: float
    high_um: float
    sure: bool = True


class Gauge(QWidget):
    """Defocus on a scale in µm, painted; the middle is focus.

    Parameters
    ----------
    theme : str
        Id of the napari theme whose colours are used.
    """

    def __init__(self, theme: str) -> None:
        super().__init__()
        self._range_um, self._dof_um = 10.0, 1.0
        self._colours: Colours = theme_colours(theme)
        self.needle: Needle | None = None
        self.setFixedHeight(_HEIGHT_PX)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip(
            "Defocus, µm: focus in the middle, the depth of field shaded.\n"
            "Left: sample and objective too far apart; right: too close.\n"
            "The band around the needle holds the true value in 90 % of fields; an arrow: beyond the range."
        )

    def sizeHint(self) -> QSize:
        return QSize(240, _HEIGHT_PX)

    def set_scale(self, range_um: float, dof_um: float) -> None:
        """Range to either side of focus and depth of field, µm."""
        self._range_um, self._dof_um = range_um, dof_um
        self.update()

    def show_needle(self, needle: Needle | None) -> None:
        """Point to a defocus; None to nothing."""
        self.needle = needle
        self.update()

    def set_theme(self, theme: str) -> None:
        """Wear the colours of a napari theme."""
        self._colours = theme_colours(theme)
        self.update()

    def ticks_um(self) -> list[float]:
        """Where the scale is numbered, µm: round numbers, focus among them."""
        step = _round_step(self._range_um / _TICKS)
        count = math.floor(self._range_um / step + 1e-9)
        return [step * i for i in range(-count, count + 1)]

    def x_of(self, defocus_um: float) -> float:
        """Where a defocus lies on the scale, px from the left; what lies beyond is at its end."""
        share = min(max(defocus_um / self._range_um, -1.0), 1.0)
        return _SIDE_PX + (self.width() - 2 * _SIDE_PX) * (share + 1) / 2

    # painting

    def paintEvent(self, _: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        font = painter.font()
        font.setPointSizeF(max(font.pointSizeF() * 0.82, 6.5))
        painter.setFont(font)
        self._paint_words(painter)
        self._paint_track(painter)
        if self.needle is not None:
            self._paint_needle(painter, self.needle)
        painter.end()

    def _paint_words(self, painter: QPainter) -> None:
        place = QRectF(_SIDE_PX, 0, self.width() - 2 * _SIDE_PX, _TRACK_TOP_PX - 3)
        painter.setPen(QColor(self._colours.text))
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(place, Qt.AlignmentFlag.AlignLeft | middle, "too far apart")
        painter.drawText(place, Qt.AlignmentFlag.AlignRight | middle, "too close")
        painter.setPen(QColor(self._colours.good))
        painter.drawText(place, Qt.AlignmentFlag.AlignHCenter | middle, "in focus")

    def _paint_track(self, painter: QPainter) -> None:
        colours = self._colours
        track = QRectF(_SIDE_PX, _TRACK_TOP_PX, self.width() - 2 * _SIDE_PX, _TRACK_PX)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(_tint(colours.faint))
        painter.drawRoundedRect(track, 3, 3)
        painter.setBrush(_tint(colours.good, 150))
        painter.drawRect(self._between(-self._dof_um / 2, self._dof_um / 2))
        top, bottom = _TRACK_TOP_PX + _TRACK_PX, self.height()
        for tick_um in self.ticks_um():
            x = self.x_of(tick_um)
            painter.setPen(QColor(colours.text))
            painter.drawLine(QPointF(x, top), QPointF(x, top + 3))
            text = f"{tick_um:+g}".replace("-", "−") if tick_um else "0 µm"
            painter.drawText(QRectF(x - 30, top + 3, 60, bottom - top - 3), Qt.AlignmentFlag.AlignCenter, text)

    def _paint_needle(self, painter: QPainter, needle: Needle) -> None:
        colour = QColor(self._colours.peak)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(_tint(self._colours.peak))
        painter.drawRect(self._between(needle.low_um, needle.high_um))
        painter.setPen(QPen(colour, 2))
        painter.setBrush(colour if needle.sure else QColor(self._colours.ground))
        if abs(needle.defocus_um) > self._range_um:
            painter.drawPolygon(self._arrow(math.copysign(1, needle.defocus_um)))
            return
        x = self.x_of(needle.defocus_um)
        painter.drawLine(QPointF(x, _TRACK_TOP_PX - 1), QPointF(x, _TRACK_TOP_PX + _TRACK_PX + 2))
        painter.drawEllipse(QPointF(x, _TRACK_TOP_PX + _TRACK_PX / 2), 4, 4)

    def _between(self, low_um: float, high_um: float) -> QRectF:
        left, right = self.x_of(low_um), self.x_of(high_um)
        spare = max(_LEAST_BAND_PX - (right - left), 0) / 2
        return QRectF(left - spare, _TRACK_TOP_PX, right - left + 2 * spare, _TRACK_PX)

    def _arrow(self, way: float) -> QPolygonF:
        x, y = self.x_of(way * self._range_um), _TRACK_TOP_PX + _TRACK_PX / 2
        return QPolygonF([QPointF(x - way * 6, y - 7), QPointF(x + way * 8, y), QPointF(x - way * 6, y + 7)])


def _tint(colour: str, alpha: int = _TINT) -> QColor:
    tint = QColor(colour)
    tint.setAlpha(alpha)
    return tint


def _round_step(wished: float) -> float:
    """The next step of 1, 2 or 5 times a power of ten."""
    decade = 10.0 ** math.floor(math.log10(wished))
    return next(decade * step for step in (1, 2, 5, 10) if decade * step >= 0.999 * wished)
