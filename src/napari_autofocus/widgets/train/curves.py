"""How a network learns: loss and error of the validations over time, those of former folds faint behind them."""

from __future__ import annotations

from collections.abc import Iterable

import pyqtgraph as pg
from qtpy.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from napari_autofocus.widgets.parts.plot_frame import dress_axes, keep_still
from napari_autofocus.widgets.parts.theme import theme_colours
from napari_autofocus.workflows.training.steps import Learning

_MOST_POINTS = 600
_LOGARITHMIC_FROM = 8.0
"""Where the greatest value is so many times the least, the axis is logarithmic."""
Points = list[tuple[float, float]]
_ERROR_TIP = (
    "Error on patches of stacks that are held back, over the time taught, minutes;\nfaint: models before this one in a"
    " cross-validation"
)
_SCORES = {
    "defocus": ("error (µm)", _ERROR_TIP),
    "importance": ("error (importance)", _ERROR_TIP),
    "refocus": (
        "gain (dB)",
        "How much nearer to the plane in focus the recovered image is than the sharper shot, on stacks that are held"
        " back, dB,\nover the time taught, minutes",
    ),
}


class LearningCurves(QWidget):
    """Two small plots side by side: the loss of training, and the error on stacks that are held back.

    Parameters
    ----------
    theme : str
        Id of the napari theme whose colours are used.
    """

    def __init__(self, theme: str) -> None:
        super().__init__()
        self.loss = _Curve("loss", "Loss of training (running mean) over the time taught, minutes")
        self.error = _Curve(
            "error (µm)",
            _ERROR_TIP,
            dotted=True,
        )
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        for curve in (self.loss, self.error):
            row.addWidget(curve)
        self.set_theme(theme)

    def set_theme(self, theme: str) -> None:
        """Wear the colours of a napari theme."""
        self.loss.set_theme(theme)
        self.error.set_theme(theme)

    def show_steps(self, steps: Iterable[Learning]) -> None:
        """Draw a learning curve: the network that is taught last, and the same stage of folds before it."""
        parts: dict[tuple[int, str], list[Learning]] = {}
        for step in steps:
            parts.setdefault(step.part, []).append(step)
        now = list(parts)[-1] if parts else (0, "defocus")
        name, tip = _SCORES[now[1]]
        others = [part for part in parts if part != now and part[1] == now[1]]
        self.error.set_name(name)
        self.error.setToolTip(tip)
        self.loss.draw(_losses(parts.get(now, [])), [_losses(parts[part]) for part in others])
        self.error.draw(
            _scores(parts.get(now, [])), [_scores(parts[part]) for part in others], even=now[1] == "refocus"
        )


def _losses(steps: list[Learning]) -> Points:
    return [(step.seconds / 60, step.loss) for step in steps]


def _scores(steps: list[Learning]) -> Points:
    return [(step.seconds / 60, step.score) for step in steps if step.validated and step.score is not None]


class _Curve(QWidget):
    """A line, and fainter ones behind it."""

    def __init__(self, name: str, tip: str, *, dotted: bool = False) -> None:
        super().__init__()
        self._dotted = dotted
        self.points: Points = []
        self.is_logarithmic = False
        self._plot = pg.PlotWidget(parent=self)
        self._others = self._plot.plot([], [], connect="finite")
        self._line = self._plot.plot([], [], symbolSize=4)
        keep_still(self._plot, bottom="time (min)", left=name)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._plot)
        self.setToolTip(tip)
        self.setFixedHeight(150)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def set_theme(self, theme: str) -> None:
        """Wear the colours of a napari theme."""
        colours = theme_colours(theme)
        dress_axes(self._plot, colours)
        self._line.setPen(pg.mkPen(colours.curve, width=1.5))
        self._line.setSymbolBrush(colours.curve)
        self._line.setSymbolPen(None)
        self._others.setPen(pg.mkPen(colours.faint, width=1))

    @property
    def dots(self) -> int:
        """Number of points that are marked on the line."""
        return len(self._line.scatter.data) if self._line.scatter.isVisible() else 0

    def set_name(self, name: str) -> None:
        """Name the upright axis."""
        self._plot.setLabel("left", name)

    def draw(self, points: Points, others: list[Points], *, even: bool = False) -> None:
        """Draw a line, and others behind it; time in minutes, value. ``even``: what is in dB is logarithmic already."""
        self.points = _thinned(points)
        values = [value for line in (points, *others) for _, value in line]
        least, greatest = min(values, default=0.0), max(values, default=0.0)
        self.is_logarithmic = not even and least > 0 and greatest >= _LOGARITHMIC_FROM * least
        self._plot.setLogMode(x=False, y=self.is_logarithmic)
        self._line.setSymbol("o" if self._dotted and len(self.points) < 40 else None)
        self._line.setData(*_columns(self.points))
        gap = [(float("nan"), float("nan"))]
        self._others.setData(*_columns([point for line in others for point in (*_thinned(line), *gap)]))
        last = max((at for line in (points, *others) for at, _ in line), default=0.0)
        self._plot.setXRange(0, last or 1.0, padding=0.02)


def _thinned(points: Points) -> Points:
    every = -(-len(points) // _MOST_POINTS) or 1
    return points[::every]


def _columns(points: Points) -> tuple[list[float], list[float]]:
    return [at for at, _ in points], [value for _, value in points]
