"""Names and values below each other, beside a picture."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QGridLayout, QLabel, QWidget

from napari_autofocus.widgets.parts.theme import theme_colours


class Facts(QWidget):
    """A small table of names and values.

    Parameters
    ----------
    theme : str
        Id of the napari theme whose colours are used.
    tip : str
        What the values are.
    """

    def __init__(self, theme: str, tip: str) -> None:
        super().__init__()
        self.values: dict[str, str] = {}
        self._theme = theme
        self._text = QLabel()
        self._text.setTextFormat(Qt.TextFormat.RichText)
        self._text.setWordWrap(True)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._text.setToolTip(tip)
        layout = QGridLayout(self)
        layout.setContentsMargins(2, 0, 0, 0)
        layout.addWidget(self._text, 0, 0, Qt.AlignmentFlag.AlignTop)

    def show_facts(self, facts: Sequence[tuple[str, str]]) -> None:
        """Show these in place of those before."""
        self.values = dict(facts)
        colours = theme_colours(self._theme)
        rows = [
            f'<div style="margin-bottom:5px"><span style="color:{colours.text}">{name}</span><br>'
            f'<b style="color:{colours.text}">{value}</b></div>'
            for name, value in facts
        ]
        self._text.setText("".join(rows))

    def set_theme(self, theme: str) -> None:
        """Wear the colours of a napari theme."""
        self._theme = theme
        self.show_facts(list(self.values.items()))
