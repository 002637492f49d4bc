"""The work list: a row for each stack of a data set, what is known about it, and by whom."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from qtpy.QtCore import QModelIndex, QSortFilterProxyModel, Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QLineEdit, QSizePolicy, QTableView, QVBoxLayout, QWidget

from napari_autofocus.labelling.opinions import Status
from napari_autofocus.widgets.label.words import (
    STATUS_WORDS,
    best_words,
    by_words,
    counts_words,
    item_words,
    needs_person,
    short_name,
    status_shade,
    status_words,
)
from napari_autofocus.widgets.parts.columns import LEFT, RIGHT, ROLES, Column, ColumnsModel
from napari_autofocus.widgets.parts.forms import choice, label, row
from napari_autofocus.widgets.parts.theme import theme_colours
from napari_autofocus.workflows.labels.desk import WorkItem

_ROW_PX, _LEAST_ROWS = 20, 4
_WIDTHS_PX = ((1, 96), (2, 88), (3, 66))
_LEAST_WIDTH_PX = 390
_COLUMNS: tuple[Column, ...] = (
    ("Stack", "Name of the stack in its folder", LEFT, lambda item: short_name(item.name)),
    ("Status", "How far it has come, and what was said", LEFT, status_words),
    ("Best z (µm)", "Best focus, µm; ± Brenner's standard uncertainty", RIGHT, best_words),
    ("By", "Who said so", LEFT, by_words),
)
_STATUS_COLUMN = 1
_FILTERS: tuple[tuple[str, Callable[[WorkItem], bool]], ...] = (
    ("All stacks", lambda _: True),
    ("Still open", lambda item: item.is_open),
    ("Brenner is unsure", needs_person),
    *((word.capitalize(), lambda item, status=status: item.consensus.status == status)
      for status, word in STATUS_WORDS.items()),
    ("Unreadable", lambda item: bool(item.failed)),
)  # fmt: skip


class WorkModel(ColumnsModel):
    """The stacks of a data set as rows, in the order of their paths.

    Parameters
    ----------
    theme : str
        Id of the napari theme whose colours the statuses wear.
    """

    columns = _COLUMNS

    def __init__(self, theme: str) -> None:
        super().__init__()
        self.annotator = ""
        self._items: list[WorkItem] = []
        self._rows: dict[Path, int] = {}
        self.set_theme(theme)

    def set_theme(self, theme: str) -> None:
        """Wear the colours of a napari theme."""
        colours = theme_colours(theme)
        self._shades = {name: QColor(getattr(colours, name)) for name in ("text", "curve", "good", "warning", "error")}
        self._tell(range(len(self._items)))

    def set_items(self, items: Sequence[WorkItem]) -> None:
        """Show these stacks: only what has changed is drawn anew where they are the same ones."""
        if [item.path for item in items] == [item.path for item in self._items]:
            changed = [at for at, (old, new) in enumerate(zip(self._items, items, strict=True)) if old != new]
            self._items = list(items)
            self._tell(changed)
            return
        self.beginResetModel()
        self._items = list(items)
        self._rows = {item.path: at for at, item in enumerate(self._items)}
        self.endResetModel()

    def item(self, at: int) -> WorkItem | None:
        """The stack in a row; None where there is no such row."""
        return self._items[at] if 0 <= at < len(self._items) else None

    def row_of(self, path: Path) -> int:
        """The row of a stack; -1 where it has none."""
        return self._rows.get(path, -1)

    def _tell(self, rows: Iterable[int]) -> None:
        for at in rows:
            self.dataChanged.emit(self.index(at, 0), self.index(at, len(_COLUMNS) - 1))

    def things(self) -> Sequence[WorkItem]:
        """Stacks of the data set."""
        return self._items

    def extra(self, thing: WorkItem, column: int, role: int) -> Any:
        """The colour of the status; the path and what is known as a tooltip."""
        if role == ROLES.ForegroundRole and column == _STATUS_COLUMN:
            return self._shades[status_shade(thing)]
        if role == ROLES.ToolTipRole:
            return "\n".join(filter(None, (str(thing.path), item_words(thing, self.annotator))))
        return None


class _Filter(QSortFilterProxyModel):
    """The rows that are wanted."""

    wanted: Callable[[WorkItem], bool] = staticmethod(_FILTERS[0][1])
    words = ""

    def filterAcceptsRow(self, at: int, _: QModelIndex) -> bool:
        item = self.sourceModel().item(at)
        return item is not None and self.wanted(item) and self.words in item.name.lower()


class WorkList(QWidget):
    """The table of stacks with its filters; ``chosen`` tells the path of a row that the user clicks.

    Parameters
    ----------
    theme : str
        Id of the napari theme whose colours are used.
    """

    chosen = Signal(object)

    def __init__(self, theme: str) -> None:
        super().__init__()
        self.model = WorkModel(theme)
        self._filter = _Filter()
        self._filter.setSourceModel(self.model)
        self.filter_box = choice(_FILTERS, "Which stacks are listed")
        self.search_edit = QLineEdit()
        self.search_edit.setPlaceholderText("part of a name")
        self.search_edit.setClearButtonEnabled(True)
        self.search_edit.setToolTip("List only stacks whose names contain this")
        self.counts = label("", wrap=True, tip="How many stacks have come how far")
        self.table = self._make_table()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.counts)
        column.addLayout(row(self.filter_box, self.search_edit))
        column.addWidget(self.table, 1)
        self.filter_box.currentIndexChanged.connect(self._on_filter_changed)
        self.search_edit.textChanged.connect(self._on_filter_changed)
        self.table.clicked.connect(self._on_clicked)

    def _make_table(self) -> QTableView:
        table = QTableView()
        table.setModel(self._filter)
        table.setToolTip("The stacks of the folder; a click shows one")
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.setTabKeyNavigation(False)
        table.setShowGrid(False)
        table.setWordWrap(False)
        table.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(_ROW_PX)
        header = table.horizontalHeader()
        header.setHighlightSections(False)
        header.setStyleSheet("QHeaderView::section { border: none; padding: 2px 3px; }")
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for section, width in _WIDTHS_PX:
            header.resizeSection(section, width)
        table.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored)  # as high as there is room
        table.setMinimumWidth(_LEAST_WIDTH_PX)
        table.setMinimumHeight((_LEAST_ROWS + 1) * _ROW_PX + 6)
        return table

    @property
    def rows_shown(self) -> int:
        """How many stacks the filters leave."""
        return self._filter.rowCount()

    def show_items(self, items: Sequence[WorkItem], counts: dict[Status, int]) -> None:
        """Show these stacks."""
        self.model.set_items(items)
        self.counts.setText(counts_words(counts))

    def mark(self, path: Path | None) -> None:
        """Show which stack is at hand."""
        at = self.model.row_of(path) if path is not None else -1
        index = self._filter.mapFromSource(self.model.index(at, 0)) if at >= 0 else QModelIndex()
        if index.isValid():
            self.table.selectRow(index.row())
            self.table.scrollTo(index)
        else:
            self.table.clearSelection()

    def set_theme(self, theme: str) -> None:
        """Wear the colours of a napari theme."""
        self.model.set_theme(theme)

    def _on_filter_changed(self, *_: object) -> None:
        self._filter.wanted = self.filter_box.currentData()
        self._filter.words = self.search_edit.text().strip().lower()
        self._filter.invalidate()

    def _on_clicked(self, index: QModelIndex) -> None:
        item = self.model.item(self._filter.mapToSource(index).row())
        if item is not None:
            self.chosen.emit(item.path)
