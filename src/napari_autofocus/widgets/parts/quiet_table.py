"""A small table that is read and not worked with: no grid, no frame, nothing to choose, as high as its rows."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QAbstractItemView, QFrame, QHeaderView, QTableWidget, QTableWidgetItem

_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class QuietTable(QTableWidget):
    """Names in the first column, values to the right of them.

    Parameters
    ----------
    headers : sequence of (str, str)
        Name and tooltip of each column.
    row_px : int
        Height of a row, px.
    width_px : int
        The least width, px.
    """

    def __init__(self, headers: Sequence[tuple[str, str]], *, row_px: int, width_px: int) -> None:
        super().__init__(0, len(headers))
        self._least_px = width_px
        self.setHorizontalHeaderLabels([name for name, _ in headers])
        for column, (_, tip) in enumerate(headers):
            self.horizontalHeaderItem(column).setToolTip(tip)
            self.horizontalHeaderItem(column).setTextAlignment(_RIGHT if column else Qt.AlignmentFlag.AlignLeft)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(row_px)
        self._style()

    def _style(self) -> None:
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setHighlightSections(False)
        header.setStyleSheet("QHeaderView::section { border: none; padding: 2px 4px; }")
        self.setShowGrid(False)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        for policy in (self.setHorizontalScrollBarPolicy, self.setVerticalScrollBarPolicy):
            policy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def minimumSizeHint(self) -> QSize:
        return QSize(self._least_px, self.height())

    def put(self, row: int, column: int, text: str, tip: str) -> None:
        """Show a text, with what a tooltip says of it."""
        item = QTableWidgetItem(text)
        item.setToolTip(tip)
        if column:
            item.setTextAlignment(_RIGHT)
        self.setItem(row, column, item)

    def embolden(self, row: int, column: int) -> None:
        """Have one text stand out."""
        item = self.item(row, column)
        font = item.font()
        font.setBold(True)
        item.setFont(font)
