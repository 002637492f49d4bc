"""What the colours of an overlay mean: a strip of them with the values at its ends, in a panel.

napari's own colour bar lives in the canvas, where removing a layer that has one crashes napari 0.9.2 (vispy 0.17) the
next time the window is resized.
"""

from __future__ import annotations

import numpy as np
from napari.utils import Colormap
from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import QColor, QLinearGradient, QPainter, QPaintEvent
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_autofocus.widgets.parts.theme import theme_colours

_STRIP_PX, _HEIGHT_PX, _GAP_PX = 56, 18, 4
_STOPS = 17


class Legend(QWidget):
    """A strip of colours between two values.

    Parameters
    ----------
    colormap : Colormap
        From the lowest value to the highest; what is clear in it shows the panel's ground.
    theme : str
        Id of the napari theme whose colours are used.
    """

    def __init__(self, colormap: Colormap, theme: str) -> None:
        super().__init__()
        self._colormap = colormap
        self._words = ("", "")
        self.set_theme(theme)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    @property
    def words(self) -> tuple[str, str]:
        """What stands at the two ends."""
        return self._words

    def set_reach(self, reach: float, unit: str) -> None:
        """The colours run from minus to plus this value."""
        self._say(f"−{reach:g}", f"+{reach:g} {unit}")

    def set_range(self, low: float, high: float, unit: str) -> None:
        """The colours run from one value to another, of which two decimals at most are told."""
        digits = 2 if high - low < 1 else 1
        self._say(
            *(f"{value:.{digits}f}".replace("-", "−") + after for value, after in ((low, ""), (high, f" {unit}")))
        )

    def _say(self, *words: str) -> None:
        self._words = words[0], words[1]
        self.updateGeometry()
        self.update()

    def set_theme(self, theme: str) -> None:
        """Wear the colours of a napari theme."""
        self._text = QColor(theme_colours(theme).text)
        self.update()

    def sizeHint(self) -> QSize:
        width = sum(self.fontMetrics().horizontalAdvance(words) for words in self._words)
        return QSize(width + _STRIP_PX + 2 * _GAP_PX, _HEIGHT_PX)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, _: QPaintEvent) -> None:
        painter = QPainter(self)
        left = self.fontMetrics().horizontalAdvance(self._words[0]) + _GAP_PX
        strip = QRectF(left, (self.height() - 10) / 2, _STRIP_PX, 10)
        gradient = QLinearGradient(strip.topLeft(), strip.topRight())
        for at in np.linspace(0, 1, _STOPS):
            red, green, blue, alpha = self._colormap.map(float(at)).ravel()
            gradient.setColorAt(float(at), QColor.fromRgbF(*(float(part) for part in (red, green, blue, alpha))))
        painter.fillRect(strip, gradient)
        painter.setPen(self._text)
        whole = QRectF(self.rect())
        painter.drawText(whole, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, self._words[0])
        right = whole.adjusted(strip.right() + _GAP_PX, 0, 0, 0)
        painter.drawText(right, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, self._words[1])
        painter.end()
