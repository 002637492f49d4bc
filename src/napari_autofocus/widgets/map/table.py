"""The table of a focus map's points: where each lies, its focus, how far from the surface, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from qtpy.QtCore import QItemSelectionModel, QSize, Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QSizePolicy, QTableView

from napari_autofocus.slide.focus_map import FocusPoint
from napari_autofocus.widgets.map.book import MapBook
from napari_autofocus.widgets.parts.columns import LEFT, RIGHT, ROLES, Column, ColumnsModel
from napari_autofocus.widgets.parts.theme import theme_colours

_ROW_PX = 22
_LEAST_ROWS = 7
OUTCOMES = {
    "found": "found",
    "nearby": "found nearby",
    "empty": "empty",
    "refused": "refused",
    "out_of_reach": "out of reach",
    "failed": "failed",
    "edited": "by hand",
}


@dataclass(frozen=True)
class Row:
    """One point as a row: ``left_out`` says why the surface does without it."""

    index: int
    point: FocusPoint
    residual_um: float | None = None
    left_out: str = ""


def _minus(text: str) -> str:
    return text.replace("-", "−")


def _z(row: Row) -> str:
    return "–" if row.point.z_um is None else _minus(f"{row.point.z_um:.2f}")


def _residual(row: Row) -> str:
    return "" if row.residual_um is None else _minus(f"{row.residual_um:+.2f}")


def _outcome(row: Row) -> str:
    words = OUTCOMES.get(row.point.outcome, row.point.outcome)
    return f"{words}, left out" if row.left_out else words


_COLUMNS: tuple[Column, ...] = (
    ("#", "Number of the point, in the order of the survey", RIGHT, lambda row: str(row.index + 1)),
    ("x µm", "Place on the stage along x, µm", RIGHT, lambda row: _minus(f"{row.point.x_um:.0f}")),
    ("y µm", "Place on the stage along y, µm", RIGHT, lambda row: _minus(f"{row.point.y_um:.0f}")),
    ("z µm", "Drive position of best focus, µm", RIGHT, _z),
    ("Δ µm", "How far the point lies above the surface, µm of drive position", RIGHT, _residual),
    ("Outcome", "What became of the point; point at it for the reason", LEFT, _outcome),
    ("Reason", "Why", LEFT, lambda row: row.left_out or row.point.reason),
)
_OUTCOME_COLUMN = 5


class PointsModel(ColumnsModel):
    """Rows of a book of points."""

    columns = _COLUMNS

    def __init__(self, theme: str) -> None:
        super().__init__()
        self._rows: list[Row] = []
        self._theme = theme

    def set_theme(self, theme: str) -> None:
        """Wear the colours of a napari theme."""
        self._theme = theme
        self.layoutChanged.emit()

    def show(self, rows: list[Row]) -> None:
        """Show these rows; selection and scroll bar stay where only values have changed."""
        if rows == self._rows:
            return
        if len(rows) != len(self._rows):
            self.beginResetModel()
            self._rows = rows
            self.endResetModel()
            return
        self._rows = rows
        self.dataChanged.emit(self.index(0, 0), self.index(len(rows) - 1, len(_COLUMNS) - 1))

    def things(self) -> Sequence[Row]:
        """Rows shown."""
        return self._rows

    def extra(self, thing: Row, column: int, role: int) -> Any:
        """Doubtful points in colour; the whole reason as a tooltip."""
        if role == ROLES.ToolTipRole:
            reasons = [thing.left_out, thing.point.reason, _doubt(thing.point), _model(thing.point)]
            return "\n".join(reason for reason in reasons if reason) or None
        if role == ROLES.ForegroundRole and column == _OUTCOME_COLUMN:
            colours = theme_colours(self._theme)
            if thing.left_out or thing.point.outcome in ("failed", "refused", "out_of_reach"):
                return QColor(colours.warning)
        return None


def _doubt(point: FocusPoint) -> str:
    return "" if point.uncertainty_um is None else f"Uncertainty {point.uncertainty_um:.2f} µm"


def _model(point: FocusPoint) -> str:
    return f"Model {point.model}" if point.model else ""


class PointsTable(QTableView):
    """Lists the points of a book.

    Parameters
    ----------
    book : MapBook
        The points.
    theme : str
        Id of the napari theme whose colours are used.
    """

    picked = Signal(object)

    def __init__(self, book: MapBook, theme: str) -> None:
        super().__init__()
        self._book = book
        self.rows = PointsModel(theme)
        self.setModel(self.rows)
        self._dress()
        self.selectionModel().selectionChanged.connect(self._on_selection_changed)
        book.changed.connect(self.refresh)
        book.fitted_changed.connect(self.refresh)
        self.refresh()

    def _dress(self) -> None:
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setTabKeyNavigation(False)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(_ROW_PX)
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setHighlightSections(False)
        header.setStretchLastSection(True)
        header.setStyleSheet("QHeaderView::section { border: none; padding: 2px 3px; }")
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumHeight((_LEAST_ROWS + 1) * _ROW_PX)
        self.setToolTip("Points of the map; the one that is selected is marked on the map too")

    def sizeHint(self) -> QSize:
        return QSize(super().minimumSizeHint().width(), self.minimumHeight())

    def set_theme(self, theme: str) -> None:
        """Wear the colours of a napari theme."""
        self.rows.set_theme(theme)

    @property
    def chosen(self) -> int | None:
        """The point that is selected; None where there is none."""
        rows = self.selectionModel().selectedRows()
        return rows[0].row() if rows else None

    def choose(self, index: int | None) -> None:
        """Select a point, or none."""
        if index == self.chosen:
            return
        if index is None or index >= len(self.rows.things()):
            self.clearSelection()
            return
        place = self.rows.index(index, 0)
        how = QItemSelectionModel.SelectionFlag.ClearAndSelect | QItemSelectionModel.SelectionFlag.Rows
        self.selectionModel().select(place, how)
        self.selectionModel().setCurrentIndex(place, QItemSelectionModel.SelectionFlag.NoUpdate)
        self.scrollTo(place)

    def refresh(self) -> None:
        """Show the points as they are now."""
        chosen, book = self.chosen, self._book
        rejected = book.rejected
        self.rows.show(
            [
                Row(index, point, book.residual_um(index), rejected.get(index, ""))
                for index, point in enumerate(book.points)
            ]
        )
        if chosen is not None and chosen < len(book.points):
            self.choose(chosen)

    def _on_selection_changed(self, *_: object) -> None:
        self.picked.emit(self.chosen)
