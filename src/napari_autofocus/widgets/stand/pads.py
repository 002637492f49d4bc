"""Step buttons for a stage, with the arrow keys as their twins; a held key never piles up moves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import QGridLayout, QPushButton, QWidget

_BUTTON_PX = 28


@dataclass(frozen=True)
class Arrow:
    """One step button.

    Parameters
    ----------
    text, tip : str
        What is written on it and what it does.
    place : tuple of int
        Row and column.
    key : Qt.Key
        Does the same while the pad has the keyboard focus.
    steps : tuple of float
        Number of steps along x (or z) and along y.
    """

    text: str
    tip: str
    place: tuple[int, int]
    key: Qt.Key
    steps: tuple[float, float]


Z_ARROWS = (
    Arrow("−10", "Lower z by ten steps (Page Down)", (0, 0), Qt.Key.Key_PageDown, (-10, 0)),
    Arrow("−1", "Lower z by one step (arrow down)", (0, 1), Qt.Key.Key_Down, (-1, 0)),
    Arrow("+1", "Raise z by one step (arrow up)", (0, 2), Qt.Key.Key_Up, (1, 0)),
    Arrow("+10", "Raise z by ten steps (Page Up)", (0, 3), Qt.Key.Key_PageUp, (10, 0)),
)
XY_ARROWS = (
    Arrow("←", "Look one step to the left: x falls (arrow left)", (0, 0), Qt.Key.Key_Left, (-1, 0)),
    Arrow("→", "Look one step to the right: x grows (arrow right)", (0, 1), Qt.Key.Key_Right, (1, 0)),
    Arrow("↑", "Look one step up: y falls (arrow up)", (0, 2), Qt.Key.Key_Up, (0, -1)),
    Arrow("↓", "Look one step down: y grows (arrow down)", (0, 3), Qt.Key.Key_Down, (0, 1)),
)


class StepPad(QWidget):
    """Step buttons with their keys; tells how many steps were asked for along each axis."""

    stepped = Signal(float, float)

    def __init__(self, arrows: tuple[Arrow, ...], what: str) -> None:
        super().__init__()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(what)
        self._keys = {arrow.key: arrow for arrow in arrows}
        self.buttons = [self._button(arrow) for arrow in arrows]
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(3)
        for arrow, made in zip(arrows, self.buttons, strict=True):
            grid.addWidget(made, *arrow.place)

    def _button(self, arrow: Arrow) -> QPushButton:
        made = QPushButton()
        made.setText(arrow.text)
        made.setToolTip(arrow.tip)
        made.setFixedSize(_BUTTON_PX + 8, _BUTTON_PX)
        made.setStyleSheet("padding: 0px;")
        made.setAutoRepeat(True)
        # The keyboard focus goes to the pad, whose keys do all that its buttons do.
        made.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        made.setFocusProxy(self)
        made.clicked.connect(lambda: self.stepped.emit(*arrow.steps))
        return made

    def keyPressEvent(self, event: QKeyEvent) -> None:
        arrow = self._keys.get(Qt.Key(event.key()))
        if arrow is None:
            super().keyPressEvent(event)
        else:
            self.stepped.emit(*arrow.steps)


class Gathered:
    """Gathers steps while the stage is on its way, so that a held key ends in one more move, not in a queue of them.

    Parameters
    ----------
    move : callable
        Starts a move by (dx, dy) µm; :meth:`arrived` is to be called when it has ended, well or not.
    """

    def __init__(self, move: Callable[[float, float], None]) -> None:
        self._move = move
        self._under_way = False
        self._waiting_um = (0.0, 0.0)

    def add(self, dx_um: float, dy_um: float) -> None:
        """Move by this much, now or with what else is waiting."""
        x_um, y_um = self._waiting_um
        self._waiting_um = (x_um + dx_um, y_um + dy_um)
        self._go()

    def arrived(self) -> None:
        """The stage rests again."""
        self._under_way = False
        self._go()

    def drop(self) -> None:
        """Make no more of the moves that are waiting; the one under way ends as it will."""
        self._waiting_um = (0.0, 0.0)

    def forget(self) -> None:
        """The stage is gone: nothing is waiting or under way."""
        self._under_way = False
        self.drop()

    def _go(self) -> None:
        if not self._under_way and self._waiting_um != (0.0, 0.0):
            self._under_way = True
            ahead, self._waiting_um = self._waiting_um, (0.0, 0.0)
            self._move(*ahead)
