"""Where a drive stands between its limits, as a thin bar."""

from __future__ import annotations

import math

from qtpy.QtCore import QRectF, QSize
from qtpy.QtGui import QColor, QPainter, QPaintEvent
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_autofocus.widgets.parts.theme import theme_colours

_HEIGHT_PX = 12
_TRACK_PX = 4
_MARK_PX = 5
_NEAR = 0.05


class TravelBar(QWidget):
    """A track from the lowest to the highest position allowed, with a mark where the drive stands."""

    def __init__(self, theme: str) -> None:
        super().__init__()
        self._theme = theme
        self.share: float | None = None
        self.setToolTip("Where the focus drive stands between its limits; orange near one of them")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return QSize(80, _HEIGHT_PX)

    def show_position(self, z_um: float, limits_um: tuple[float, float] | None) -> None:
        """Put the mark at z; without limits there is none."""
        share = None
        if limits_um is not None and math.isfinite(z_um):
            low, high = limits_um
            share = min(max((z_um - low) / (high - low), 0.0), 1.0)
        if share != self.share:
            self.share = share
            self.update()

    @property
    def is_near_a_limit(self) -> bool:
        """Whether little travel is left on one side."""
        return self.share is not None and not _NEAR <= self.share <= 1 - _NEAR

    def set_theme(self, theme: str) -> None:
        """Wear the colours of a napari theme."""
        self._theme = theme
        self.update()

    def paintEvent(self, _: QPaintEvent) -> None:
        colours = theme_colours(self._theme)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QColor(0, 0, 0, 0))
        painter.setBrush(QColor(colours.faint))
        top = (self.height() - _TRACK_PX) / 2
        painter.drawRoundedRect(QRectF(0, top, self.width(), _TRACK_PX), 2, 2)
        if self.share is not None:
            painter.setBrush(QColor(colours.peak if self.is_near_a_limit else colours.curve))
            left = self.share * (self.width() - _MARK_PX)
            painter.drawRoundedRect(QRectF(left, 0, _MARK_PX, self.height()), 2, 2)
        painter.end()
