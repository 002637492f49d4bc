"""The focus curve that an annotator works with: its peak can be dragged, and what others said stands beside it."""

from __future__ import annotations

from collections.abc import Sequence

import pyqtgraph as pg
from qtpy.QtCore import Qt, Signal

from napari_autofocus.widgets.parts.sentences import plain_um
from napari_autofocus.widgets.parts.theme import theme_colours
from napari_autofocus.widgets.plots import FocusCurvePlot

_DOTS = Qt.PenStyle.DotLine
_FIRST_NAME, _NAME_STEP, _NAMES = 0.78, 0.15, 4
_SIDE_SHARE = 0.03


class LabelCurve(FocusCurvePlot):
    """A focus curve whose peak line the user may drag; ``peak_dragged`` tells where it was let go, µm.

    Parameters
    ----------
    theme : str
        Id of the napari theme whose colours are used.
    """

    peak_dragged = Signal(float)

    def __init__(self, theme: str = "dark") -> None:
        self._others: list[pg.InfiniteLine] = []
        self._name = ""
        super().__init__(theme, clickable=True)
        self._peak.setMovable(True)
        self._peak.setCursor(Qt.CursorShape.SizeHorCursor)
        self._peak.sigDragged.connect(self._on_dragged)
        self._peak.sigPositionChangeFinished.connect(self._on_let_go)

    def set_range(self, first_um: float, last_um: float) -> None:
        """From where to where the stack's planes lie, µm; the line cannot leave it."""
        self._plot.setXRange(first_um, last_um, padding=_SIDE_SHARE)
        self._peak.setBounds((first_um, last_um))

    def set_line(self, z_um: float | None, uncertainty_um: float | None = None, name: str = "") -> None:
        """Put the line that can be dragged where somebody (``name``) says best focus is, µm; None hides it."""
        self._name = name
        self.set_peak(z_um, uncertainty_um)
        if z_um is not None:
            self._write(z_um)

    @property
    def line_name(self) -> str:
        """Whose position the line shows."""
        return self._name

    def set_others(self, said: Sequence[tuple[str, float]]) -> None:
        """Thin lines where others say best focus is: name and z in µm of each."""
        while len(self._others) < len(said):
            self._others.append(self._make_other(len(self._others)))
        for number, line in enumerate(self._others):
            line.setVisible(number < len(said))
        for line, (name, z_um) in zip(self._others, said, strict=False):
            line.setValue(z_um)
            line.label.setFormat(name.replace("{", "{{").replace("}", "}}"))

    @property
    def others(self) -> list[tuple[str, float]]:
        """The thin lines: name and z in µm of each."""
        return [(line.label.format, float(line.value())) for line in self._others if line.isVisible()]

    def set_theme(self, theme: str) -> None:
        """Wear the colours of a napari theme."""
        super().set_theme(theme)
        self._colours = theme_colours(theme)
        self._peak.setHoverPen(pg.mkPen(self._colours.peak, width=5))
        for line in self._others:
            self._dress_other(line)

    def _make_other(self, number: int) -> pg.InfiniteLine:
        place = _FIRST_NAME - _NAME_STEP * (number % _NAMES)
        options = {"position": place, "anchors": [(-0.05, 0.5), (1.05, 0.5)]}
        line = pg.InfiniteLine(angle=90, movable=False, label="", labelOpts=options)
        line.setZValue(-1)
        self._plot.addItem(line, ignoreBounds=True)
        self._dress_other(line)
        return line

    def _dress_other(self, line: pg.InfiniteLine) -> None:
        line.setPen(pg.mkPen(self._colours.text, width=1, style=_DOTS))
        line.label.setColor(self._colours.text)

    def _write(self, z_um: float) -> None:
        self._peak.label.setFormat(f"{self._name} {plain_um(z_um)}".strip())

    def _on_dragged(self) -> None:
        self._band.hide()
        self._write(float(self._peak.value()))

    def _on_let_go(self) -> None:
        self.peak_dragged.emit(float(self._peak.value()))
