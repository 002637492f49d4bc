"""Small parts that panels are put together from: controls with a tooltip, a line of message, tidy connections."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, Literal

from qtpy.QtCore import QEvent, QObject, QSignalBlocker, QSize, Qt
from qtpy.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_autofocus.widgets.parts.theme import theme_colours

Tone = Literal["plain", "good", "warning", "error"]
Pairs = Iterable[tuple[Any, Callable[..., Any]]]

MARGIN_PX = 6
NAME_PX = 58
"""Width of the names in front of rows that stand below each other."""
_LEAST_HEIGHT_PX = 120
_SPARE_PX = 6
_NUMBER_WIDTH_PX = 102


def number(
    value: float,
    lowest: float,
    highest: float,
    step: float,
    unit: str,
    tip: str,
    *,
    decimals: int = 2,
    width_px: int = _NUMBER_WIDTH_PX,
) -> QDoubleSpinBox:
    """A field for a number with its unit shown in it."""
    box = QDoubleSpinBox()
    box.setDecimals(decimals)
    box.setRange(lowest, highest)
    box.setSingleStep(step)
    box.setValue(value)
    box.setSuffix(f" {unit}" if unit else "")
    box.setToolTip(tip)
    box.setAlignment(Qt.AlignmentFlag.AlignRight)
    box.setKeyboardTracking(False)
    # napari's style sheet sets a width of its own, which only a style sheet overrules.
    box.setStyleSheet(f"min-width: {width_px}px; max-width: {width_px}px;")
    return box


def choice(items: Sequence[tuple[str, Any]], tip: str) -> QComboBox:
    """A list to choose from; each item is what is shown and what it stands for."""
    box = QComboBox()
    for text, data in items:
        box.addItem(text, data)
    box.setToolTip(tip)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(8)
    return box


def refill(box: QComboBox, items: Sequence[tuple[str, Any]], chosen: Any) -> None:
    """Give a choice new items without telling of it, keeping what is chosen where it is still there."""
    with QSignalBlocker(box):
        box.clear()
        for text, data in items:
            box.addItem(text, data)
        found = [index for index, (_, data) in enumerate(items) if data is chosen]
        box.setCurrentIndex(found[0] if found else len(items) - 1)


def button(text: str, tip: str, *, checkable: bool = False) -> QPushButton:
    """A button that says what it does."""
    made = QPushButton(text)
    made.setToolTip(tip)
    made.setCheckable(checkable)
    return made


def label(text: str, *, wrap: bool = False, tip: str = "") -> QLabel:
    """A text; wrapped where it may be longer than its place."""
    made = QLabel(text)
    made.setWordWrap(wrap)
    made.setToolTip(tip)
    return made


def heading(text: str) -> QLabel:
    """The title of a group of controls."""
    made = QLabel(f"<b>{text}</b>")
    made.setContentsMargins(0, 4, 0, 0)
    return made


def row(*parts: QWidget | int, spacing: int = 4) -> QHBoxLayout:
    """Controls side by side; a number in place of a control is a stretch."""
    layout = QHBoxLayout()
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(spacing)
    for part in parts:
        if isinstance(part, int):
            layout.addStretch(part)
        else:
            layout.addWidget(part)
    return layout


def columns_form(*rows: tuple[str, QWidget]) -> QFormLayout:
    """Controls below each other, each with its name to the left."""
    form = QFormLayout()
    form.setContentsMargins(0, 0, 0, 0)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    for name, widget in rows:
        form.addRow(name, widget)
    return form


class Message(QLabel):
    """A sentence for the user, wrapped, selectable, in a colour that says how it is meant."""

    def __init__(self, theme: str) -> None:
        super().__init__()
        self.tone: Tone = "plain"
        self._theme = theme
        self.setWordWrap(True)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.MinimumExpanding)
        self.hide()

    def say(self, text: object, tone: Tone = "plain") -> None:
        """Show a sentence; an empty one hides the line."""
        self.tone = tone
        self.setText(str(text))
        self.setVisible(bool(str(text)))
        self.set_theme(self._theme)

    def fail(self, error: object) -> None:
        """Show what went wrong."""
        self.say(error, "error")

    def set_theme(self, theme: str) -> None:
        """Wear the colours of a napari theme."""
        self._theme = theme
        colours = theme_colours(theme)
        shades = {"plain": colours.text, "good": colours.text, "warning": colours.warning, "error": colours.error}
        weight = "bold" if self.tone == "good" else "normal"
        self.setStyleSheet(f"QLabel {{ color: {shades[self.tone]}; font-weight: {weight}; }}")


def snug(*lines: QLabel) -> None:
    """Let wrapped lines take the height that their width asks for, not that of the narrowest they might become."""
    for line in lines:
        line.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)


class _Column(QScrollArea):
    """Controls below each other: as wide as they need, scrolled where the screen is too low for them, never cut off."""

    def __init__(self) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setWidget(QWidget())

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self.widget() and event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()  # a scroll area does not pass on that its controls now need another width
        return super().eventFilter(watched, event)

    def minimumSizeHint(self) -> QSize:
        bar = self.verticalScrollBar().sizeHint().width()
        return QSize(self.widget().minimumSizeHint().width() + bar, _LEAST_HEIGHT_PX)

    def sizeHint(self) -> QSize:
        spare = QSize(0, _SPARE_PX)  # or rounding brings a scroll bar up
        return self.minimumSizeHint().expandedTo(self.widget().sizeHint() + spare)


def scrolled(owner: QWidget) -> QVBoxLayout:
    """Give a panel a column of controls that scrolls where the screen is low; returns the column's layout."""
    area = _Column()
    outer = QVBoxLayout(owner)
    outer.setContentsMargins(0, 0, 0, 0)
    outer.addWidget(area)
    layout = QVBoxLayout(area.widget())
    layout.setContentsMargins(MARGIN_PX, MARGIN_PX, MARGIN_PX, MARGIN_PX)
    layout.setSpacing(5)
    return layout


def connect_while_alive(owner: QWidget, pairs: Pairs) -> None:
    """Connect signals of longer-lived objects to an owner's slots, and disconnect them when the owner is destroyed."""
    kept = list(pairs)
    for signal, slot in kept:
        signal.connect(slot)

    def disconnect(*_: object) -> None:
        for signal, slot in kept:
            # The garbage collector may have taken the slot before Qt deletes the owner; to PySide the owner is gone by
            # now, and with it the connection.
            with suppress(TypeError, RuntimeError, SystemError):
                signal.disconnect(slot)

    owner.destroyed.connect(disconnect)
