"""How far annotators agree with each other and with Brenner, as a small table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

if TYPE_CHECKING:
    from napari_autofocus.labelling.agreement import Agreement

_ROW_PX = 22
_MOST_ROWS = 6
_LEAST_COLUMN_PX = 24


def _share(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.0f} %"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


_COLUMNS: tuple[tuple[str, str, Callable[[Agreement], str]], ...] = (
    ("Who", "The two that are compared", lambda pair: f"{pair.first} – {pair.second}"),
    ("n", "Stacks about which both said something", lambda pair: str(pair.stacks)),
    ("|Δz| µm", "Mean distance of their best focus, µm, where both say sharp", lambda pair: _number(pair.mean_abs_um)),
    ("≤ ½ DOF", "Share of these within half a depth of field", lambda pair: _share(pair.within_half_dof)),
    ("Verdict", "Share of stacks with the same verdict", lambda pair: _share(pair.same_verdict)),
    ("κ", "Cohen's kappa of the verdicts: 1 always agree, 0 as chance would", lambda pair: _number(pair.kappa)),
)


class AgreementTable(QTableWidget):
    """A row for each pair of annotators, Brenner among them."""

    def __init__(self) -> None:
        super().__init__(0, len(_COLUMNS))
        self.setToolTip("How far annotators agree with each other and with Brenner")
        for column, (name, tip, _) in enumerate(_COLUMNS):
            header = QTableWidgetItem(name)
            header.setToolTip(tip)
            self.setHorizontalHeaderItem(column, header)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setShowGrid(False)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(_ROW_PX)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.horizontalHeader().setMinimumSectionSize(_LEAST_COLUMN_PX)
        self.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.horizontalHeader().setHighlightSections(False)
        self.horizontalHeader().setStyleSheet("QHeaderView::section { border: none; padding: 2px 3px; }")
        self.show_pairs(())

    def show_pairs(self, pairs: Sequence[Agreement]) -> None:
        """Show these pairs in place of all others."""
        self.setRowCount(len(pairs))
        for row, pair in enumerate(pairs):
            for column, (_, tip, text) in enumerate(_COLUMNS):
                cell = QTableWidgetItem(text(pair))
                cell.setToolTip(tip)
                if column:
                    cell.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self.setItem(row, column, cell)
        self.setFixedHeight((min(max(len(pairs), 1), _MOST_ROWS) + 1) * _ROW_PX + 6)
