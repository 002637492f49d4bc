"""A table of things, one a row, whose columns are functions of them: what every list of the panels asks of Qt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt

ROLES = Qt.ItemDataRole
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter

Column = tuple[str, str, Qt.AlignmentFlag, Callable[[Any], str]]
"""Name, tooltip, alignment, and the text of a thing in this column."""


class ColumnsModel(QAbstractTableModel):
    """Things as rows; a child says which columns there are, which things, and what else a cell shows.

    Attributes
    ----------
    columns : tuple of Column
        From left to right.
    """

    columns: tuple[Column, ...] = ()

    def things(self) -> Sequence[Any]:
        """What the rows show."""
        raise NotImplementedError

    def extra(self, thing: Any, column: int, role: int) -> Any:
        """Colour, picture or tooltip of a cell; None where it has none."""
        raise NotImplementedError

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        """Number of things."""
        return 0 if parent is not None and parent.isValid() else len(self.things())

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        """Number of columns."""
        return 0 if parent is not None and parent.isValid() else len(self.columns)

    def data(self, index: QModelIndex, role: int = ROLES.DisplayRole) -> Any:
        """Text or alignment of a cell, or what the child adds."""
        things = self.things()
        if not 0 <= index.row() < len(things):
            return None
        thing = things[index.row()]
        _, _, alignment, text = self.columns[index.column()]
        if role == ROLES.DisplayRole:
            return text(thing)
        return alignment if role == ROLES.TextAlignmentRole else self.extra(thing, index.column(), role)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = ROLES.DisplayRole) -> Any:
        """Name, tooltip or alignment of a column; rows have no names."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        name, tip, alignment, _ = self.columns[section]
        return {ROLES.DisplayRole: name, ROLES.ToolTipRole: tip, ROLES.TextAlignmentRole: alignment}.get(role)
