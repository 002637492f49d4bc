"""A part of a panel that folds away under its title, for screens that are low."""

from __future__ import annotations

from collections.abc import Iterable

from qtpy.QtCore import Qt
from qtpy.QtGui import QIcon
from qtpy.QtWidgets import QLayout, QVBoxLayout, QWidget
from superqt import QCollapsible

_INDENT_PX = 14
# napari would paint an unfolded title like a button that is pressed.
_TITLE = """
QPushButton, QPushButton:checked {
  text-align: left; border: none; outline: none; background: transparent; padding: 3px;
}
QPushButton:hover, QPushButton:focus { background: rgba(128, 128, 128, 50); }
"""


class Fold(QCollapsible):
    """Controls under a title that is clicked to show or hide them; folded at first.

    Parameters
    ----------
    title : str
        Always visible.
    tip : str
        What is found inside.
    parts : QLayout or QWidget
        The controls, below each other.
    """

    # What superqt falls back on: a null icon is false to PySide, and then not taken.
    _expanded_icon = _collapsed_icon = QIcon()

    def __init__(self, title: str, tip: str, *parts: QLayout | QWidget) -> None:
        # The arrow is written into the title: as an icon it would not wear the colours of napari's theme.
        super().__init__(expandedIcon=QIcon(), collapsedIcon=QIcon())
        self._title = title
        self.setDuration(0)
        self.layout().setContentsMargins(0, 0, 0, 0)
        self.layout().setSpacing(0)
        toggle = self.toggleButton()
        toggle.setStyleSheet(_TITLE)
        toggle.setToolTip(tip)
        toggle.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setContent(_column(parts))
        self.collapse(animate=False)
        self.toggled.connect(self._on_toggled)
        self._on_toggled(False)

    def set_title(self, title: str) -> None:
        """Change what is always visible."""
        self._title = title
        self._show_title()

    def _on_toggled(self, unfolded: bool) -> None:
        # Hidden, not only squeezed to nothing: the tabulator key would otherwise lead to controls that nobody sees.
        self.content().setVisible(unfolded)
        self._show_title()

    def _show_title(self) -> None:
        arrow = "▾" if self.isExpanded() else "▸"
        self.setText(f"{arrow} {self._title}".replace("&", "&&"))


def _column(parts: Iterable[QLayout | QWidget]) -> QWidget:
    content = QWidget()
    column = QVBoxLayout(content)
    column.setContentsMargins(_INDENT_PX, 2, 0, 4)
    column.setSpacing(4)
    for part in parts:
        column.addLayout(part) if isinstance(part, QLayout) else column.addWidget(part)
    return content
