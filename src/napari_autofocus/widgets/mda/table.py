"""What focusing found at each place and time of an acquisition, a row for each attempt."""

from __future__ import annotations

from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QAbstractItemView, QFrame, QHeaderView, QTableWidget, QTableWidgetItem

from napari_autofocus.widgets.parts.sentences import signed_um
from napari_autofocus.widgets.parts.theme import theme_colours
from napari_autofocus.workflows.mda import FocusEvent

_HEADERS = (
    ("Time", "Number of the time point, from 0"),
    ("Place", "Name or number of the position, from 0"),
    ("Focus", "Drive position that the frames are taken around, µm"),
    ("Off", "Defocus before, µm (positive: sample and objective too close)"),
    ("Outcome", "Focused, or what was done instead; the reasons are in the tooltip"),
)
_OUTCOMES = {
    "focused": "focused",
    "already_in_focus": "in focus",
    "skipped_no_content": "empty",
    "refused": "refused",
    "reverted": "not found",
    "cancelled": "cancelled",
    "timed_out": "out of time",
    "failed": "failed",
}
_POLICIES = {
    "keep": "kept",
    "map": "by the map",
    "skip": "left out",
    "stop": "stopped",
    "neighbours": "by neighbours",
}
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_LAST = len(_HEADERS) - 1
_ROW_PX = 24
MOST_ROWS = 500
"""Older rows go; the record keeps them all."""


class FocusTable(QTableWidget):
    """A row for each attempt to focus, the newest last and in sight.

    Parameters
    ----------
    theme : str
        Id of the napari theme whose colours are used.
    """

    def __init__(self, theme: str) -> None:
        super().__init__(0, len(_HEADERS))
        self._theme = theme
        self._events: list[FocusEvent] = []
        self.setHorizontalHeaderLabels([name for name, _ in _HEADERS])
        for column, (_, tip) in enumerate(_HEADERS):
            self.horizontalHeaderItem(column).setToolTip(tip)
            self.horizontalHeaderItem(column).setTextAlignment(_RIGHT if column < _LAST else _LEFT)
        self._style()

    def _style(self) -> None:
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(_LAST, QHeaderView.ResizeMode.Stretch)
        header.setHighlightSections(False)
        header.setStyleSheet("QHeaderView::section { border: none; padding: 2px 4px; }")
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(_ROW_PX)
        self.setShowGrid(False)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def minimumSizeHint(self) -> QSize:
        return QSize(300, 5 * _ROW_PX)

    def sizeHint(self) -> QSize:
        return QSize(330, 9 * _ROW_PX)

    def set_theme(self, theme: str) -> None:
        """Wear the colours of a napari theme."""
        self._theme = theme
        events, self._events = self._events, []
        self.setRowCount(0)
        for event in events:
            self.add(event)

    def clear_events(self) -> None:
        """Begin anew."""
        self._events = []
        self.setRowCount(0)

    def add(self, event: FocusEvent) -> None:
        """Show one attempt more."""
        if self.rowCount() >= MOST_ROWS:
            self.removeRow(0)
            self._events.pop(0)
        self._events.append(event)
        row = self.rowCount()
        self.insertRow(row)
        colours = theme_colours(self._theme)
        shade = colours.text if event.found else colours.error if event.policy == "stop" else colours.warning
        tip = f"{event.reason}\nBy {event.model}; {event.frames} frames, {event.seconds:.1f} s."
        for column, text in enumerate(_texts(event)):
            item = QTableWidgetItem(text)
            item.setToolTip(tip)
            item.setForeground(QColor(shade))
            item.setTextAlignment(_RIGHT if column < _LAST else _LEFT)
            self.setItem(row, column, item)
        self.scrollToBottom()


def _texts(event: FocusEvent) -> tuple[str, ...]:
    outcome = _OUTCOMES.get(event.outcome, event.outcome)
    if event.policy:
        outcome = f"{outcome}, {_POLICIES.get(event.policy, event.policy)}"
    place = event.position or str(event.index.get("p", 0))
    if "g" in event.index:
        place = f"{place}/{event.index['g']}"
    return (
        str(event.index.get("t", 0)),
        place,
        "–" if event.used_um is None else f"{event.used_um:.2f}".replace("-", "−"),
        _short(event.defocus_um),
        outcome,
    )


def _short(value_um: float | None) -> str:
    return "–" if value_um is None else signed_um(value_um).removesuffix(" µm")
