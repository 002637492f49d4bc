"""The run log as rows and columns of a table, newest run first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import QModelIndex, Qt
from qtpy.QtGui import QColor, QPainter, QPixmap

from napari_autofocus.widgets.parts.columns import LEFT, RIGHT, ROLES, Column, ColumnsModel
from napari_autofocus.widgets.parts.forms import Tone
from napari_autofocus.widgets.parts.theme import theme_colours
from napari_autofocus.widgets.run.words import tone_of, word_of
from napari_autofocus.workflows.run_log import RunEntry, RunLog

_DOT_PX = 9


def signed(value: float | None) -> str:
    """A number of µm with its sign and a true minus, none for zero; a dash where there is no number."""
    if value is None:
        return "–"
    return f"{value:+.2f}".replace("-", "−") if abs(value) >= 0.005 else "0.00"


def _change(entry: RunEntry) -> str:
    """Defocus before and after; a sweep knows neither."""
    before, after = entry.defocus_um
    return "–" if before is None and after is None else f"{signed(before)} → {signed(after)}"


_COLUMNS: tuple[Column, ...] = (
    ("Time", "When the run ended, local time", LEFT, lambda run: f"{run.when.astimezone():%H:%M}"),
    ("Outcome", "How the run ended", LEFT, word_of),
    ("Δz", "Way of the drive, µm", RIGHT, lambda run: signed(run.record.end_um - run.record.start_um)),
    ("Defocus", "Estimated defocus before and after, µm; positive: too close", RIGHT, _change),
    ("Frames", "Frames exposed", RIGHT, lambda run: str(run.frames)),
    ("s", "Time that the run took, s", RIGHT, lambda run: f"{run.record.seconds:.1f}"),
    ("Model", "Model, or method of a sweep", LEFT, lambda run: getattr(run.record, "model", run.method)),
)
MODEL_COLUMN = len(_COLUMNS) - 1
_OUTCOME_COLUMN = 1


class RunsModel(ColumnsModel):
    """The runs that a log keeps, newest first; follows the log.

    Parameters
    ----------
    log : RunLog
        The log.
    theme : str
        Id of the napari theme whose colours the dots wear.
    """

    columns = _COLUMNS

    def __init__(self, log: RunLog, theme: str) -> None:
        super().__init__()
        self._log = log
        self._entries = list(reversed(log.entries))
        self._dots: dict[Tone, QPixmap] = {}
        self.set_theme(theme)

    def set_theme(self, theme: str) -> None:
        """Wear the colours of a napari theme."""
        colours = theme_colours(theme)
        shades: dict[Tone, str] = {"good": colours.curve, "warning": colours.warning, "error": colours.error}
        self._dots = {tone: _dot(shade) for tone, shade in shades.items()}
        if self._entries:
            last = self.index(len(self._entries) - 1, _OUTCOME_COLUMN)
            self.dataChanged.emit(self.index(0, _OUTCOME_COLUMN), last, [ROLES.DecorationRole])

    def entry(self, row: int) -> RunEntry | None:
        """The run in a row; None where there is no such row."""
        return self._entries[row] if 0 <= row < len(self._entries) else None

    def add(self, entry: RunEntry) -> None:
        """Put the newest run on top, and take those away that the log has let go."""
        self.beginInsertRows(QModelIndex(), 0, 0)
        self._entries.insert(0, entry)
        self.endInsertRows()
        kept = len(self._log)
        if len(self._entries) > kept:
            self.beginRemoveRows(QModelIndex(), kept, len(self._entries) - 1)
            del self._entries[kept:]
            self.endRemoveRows()

    def clear(self) -> None:
        """Show no runs."""
        self.beginResetModel()
        self._entries.clear()
        self.endResetModel()

    def things(self) -> Sequence[RunEntry]:
        """Runs shown."""
        return self._entries

    def extra(self, thing: RunEntry, column: int, role: int) -> Any:
        """The dot of the outcome; the reasons as a tooltip."""
        if role == ROLES.DecorationRole and column == _OUTCOME_COLUMN:
            return self._dots[tone_of(thing)]
        return _tip(thing) if role == ROLES.ToolTipRole else None


def _tip(entry: RunEntry) -> str:
    """What the narrow columns leave out."""
    record = entry.record
    model = f"model {record.model}" if hasattr(record, "model") else "no model"
    return f"Run {entry.number}, {entry.when.astimezone():%Y-%m-%d %H:%M:%S}: {entry.method}, {model}"


def _dot(colour: str) -> QPixmap:
    """A filled circle on nothing."""
    pixmap = QPixmap(_DOT_PX, _DOT_PX)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(colour))
    painter.drawEllipse(0, 0, _DOT_PX, _DOT_PX)
    painter.end()
    return pixmap
