"""How far a calibration is: its phases as a list, the work at hand as a bar and in words."""

from __future__ import annotations

from qtpy.QtWidgets import QProgressBar, QVBoxLayout, QWidget

from napari_autofocus.widgets.parts.forms import Message, label, snug
from napari_autofocus.widgets.parts.theme import theme_colours
from napari_autofocus.workflows.calibration.steps import PHASES, CalibrationStep, Phase

_BAR = 1000


class CalibrationProgress(QWidget):
    """Shows the phases of a calibration.

    Parameters
    ----------
    theme : str
        Id of the napari theme whose colours are used.
    """

    def __init__(self, theme: str) -> None:
        super().__init__()
        self._theme = theme
        self.phase: Phase | None = None
        self._lines = {
            phase: label(words, tip="A phase of the calibration (no unit)") for phase, words in PHASES.items()
        }
        self.bar = QProgressBar()
        self.bar.setToolTip("The work at hand (share done, %)")
        self.words = Message(theme)
        snug(self.words)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(3)
        for part in (*self._lines.values(), self.bar, self.words):
            column.addWidget(part)
        self.begin()

    def begin(self) -> None:
        """Nothing is done yet."""
        self.phase = None
        self.bar.setRange(0, 0)
        self._mark()

    def show_step(self, step: CalibrationStep) -> None:
        """Show where the calibration is."""
        if step.phase != self.phase:
            self.phase = step.phase
            self._mark()
        self.bar.setRange(0, _BAR if step.total else 0)
        if step.total:
            self.bar.setValue(round(_BAR * min(step.done / step.total, 1.0)))
        self.words.say(step.words)

    def set_theme(self, theme: str) -> None:
        """Wear the colours of a napari theme."""
        self._theme = theme
        self.words.set_theme(theme)
        self._mark()

    def _mark(self) -> None:
        """Done, at work, to come: told by a sign, a weight and a colour."""
        colours, order = theme_colours(self._theme), list(PHASES)
        now = order.index(self.phase) if self.phase is not None else -1
        for index, (phase, line) in enumerate(self._lines.items()):
            sign = "✓" if index < now else "▸" if index == now else "·"
            colour = colours.good if index < now else colours.text
            weight = "bold" if index == now else "normal"
            line.setText(f"{sign}  {PHASES[phase]}")
            line.setStyleSheet(f"QLabel {{ color: {colour}; font-weight: {weight}; }}")
