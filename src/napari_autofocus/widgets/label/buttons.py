"""What an annotator may say about a stack, and the brushes, as buttons that name their keys."""

from __future__ import annotations

from collections.abc import Mapping

from qtpy.QtCore import Signal
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import QGridLayout, QPushButton, QWidget

from napari_autofocus.labelling.painting import IMPORTANT, NOTHING, UNIMPORTANT
from napari_autofocus.widgets.label.keys import hint
from napari_autofocus.widgets.label.paint import SHADES
from napari_autofocus.widgets.parts.forms import button

_SAYINGS = (
    ("sharp", "Sharp here", "This plane is sharp; goes on to the next open stack"),
    ("accept", "Brenner is right", "Best focus is where the line stands; goes on to the next open stack"),
    ("undo", "Undo", "Take back what you said last, on whichever stack it was"),
    ("no_content", "No content", "There is nothing to focus on; goes on"),
    ("two_depths", "Two depths", "Content lies at two depths, so that no single plane is right; goes on"),
    ("skip", "Skip", "Leave this stack out; goes on"),
)
_BRUSHES = (
    (IMPORTANT, "important", "Important", "Paint what tells about focus"),
    (UNIMPORTANT, "unimportant", "Unimportant", "Paint what says nothing about focus, such as dust"),
    (NOTHING, "erase", "Erase", "Take away what was painted"),
)
_SWATCH_PX = 10
_COLUMNS = 3


class SayButtons(QWidget):
    """The sayings; ``pressed`` tells the action of :data:`~napari_autofocus.widgets.label.keys.KEYS`."""

    pressed = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.buttons: Mapping[str, QPushButton] = {
            action: button(words, f"{tip}{hint(action)}") for action, words, tip in _SAYINGS
        }
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(4)
        for number, (action, made) in enumerate(self.buttons.items()):
            grid.addWidget(made, *divmod(number, _COLUMNS))
            made.clicked.connect(lambda _=False, action=action: self.pressed.emit(action))


class Brushes(QWidget):
    """What the mouse paints; ``chosen`` tells the kind, or None where the mouse is to be given back."""

    chosen = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.buttons: dict[int, QPushButton] = {}
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(4)
        for column, (kind, action, words, tip) in enumerate(_BRUSHES):
            made = button(words, f"{tip}{hint(action)}; [ and ] change the brush", checkable=True)
            if kind in SHADES:
                made.setIcon(_swatch(SHADES[kind]))
            made.clicked.connect(lambda checked, kind=kind: self.chosen.emit(kind if checked else None))
            grid.addWidget(made, 0, column)
            self.buttons[kind] = made

    def show_kind(self, kind: int | None) -> None:
        """Show what is being painted."""
        for each, made in self.buttons.items():
            made.setChecked(each == kind)


def _swatch(colour: str) -> QIcon:
    pixmap = QPixmap(_SWATCH_PX, _SWATCH_PX)
    pixmap.fill(QColor(colour))
    return QIcon(pixmap)
