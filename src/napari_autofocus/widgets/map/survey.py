"""Start and stop a survey: what will move is said first, then points colour the map as they are found."""

from __future__ import annotations

from collections.abc import Sequence

from napari.utils.colormaps import ensure_colormap
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QProgressBar, QVBoxLayout, QWidget

from napari_autofocus.errors import InputError
from napari_autofocus.routines.survey_config import SurveyStep
from napari_autofocus.slide.area import require_within
from napari_autofocus.widgets.map.marks import COLOURS
from napari_autofocus.widgets.map.picture import Limits
from napari_autofocus.widgets.map.words import NO_MODEL, NOT_CONNECTED, Place, permission_words, step_words
from napari_autofocus.widgets.overlay.legend import Legend
from napari_autofocus.widgets.parts.forms import Message, button, label, row, snug
from napari_autofocus.widgets.session import Session

_MARKS = (("○", "empty"), ("×", "failed"), ("◇", "by hand"), ("◉", "left out"))
_START, _GO_ON = "Start survey", "Go on"


class SurveySection(QWidget):
    """Says what will move, starts and stops, and tells how far it has come.

    Parameters
    ----------
    session : Session
        What the panels share.
    theme : str
        Id of the napari theme whose colours are used.
    """

    start_wanted = Signal()
    anew_wanted = Signal()
    stop_wanted = Signal()

    def __init__(self, session: Session, theme: str) -> None:
        super().__init__()
        self._session = session
        self._build(theme)
        self._arrange()
        self.start_button.clicked.connect(self.start_wanted)
        self.anew_button.clicked.connect(self.anew_wanted)
        self.stop_button.clicked.connect(self._on_stop_clicked)

    def _build(self, theme: str) -> None:
        self.permission = Message(theme)
        self.start_button = button(
            _START, "Find focus at every planned point, one shot each: stage and drive move (µm)"
        )
        self.anew_button = button("Start anew", "Forget what was found, and survey all planned points (µm)")
        self.stop_button = button("Stop", "Halt the drive and bring stage and drive back; points found so far stay")
        self.progress = QProgressBar()
        self.progress.setToolTip("Points settled of those planned (a number)")
        self.message = Message(theme)
        self.legend = Legend(ensure_colormap(COLOURS), theme)
        self.marks = [label(f"{mark} {word}", tip=f"Points of the map: {word}") for mark, word in _MARKS]

    def _arrange(self) -> None:
        snug(self.permission, self.message)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.permission)
        buttons = row(self.start_button, self.anew_button, self.stop_button)
        buttons.setStretch(0, 2)
        buttons.setStretch(2, 1)
        column.addLayout(buttons)
        column.addWidget(self.progress)
        column.addWidget(self.message)
        self._legend_row = QWidget()
        lines = QVBoxLayout(self._legend_row)
        lines.setContentsMargins(0, 0, 0, 0)
        lines.setSpacing(2)
        lines.addLayout(row(label("Points: z"), self.legend, 1))
        lines.addLayout(row(*self.marks, 1, spacing=10))
        column.addWidget(self._legend_row)
        self.progress.hide()
        self._legend_row.hide()

    def set_theme(self, theme: str) -> None:
        """Wear the colours of a napari theme."""
        for part in (self.permission, self.message, self.legend):
            part.set_theme(theme)

    # what happens

    def _on_stop_clicked(self) -> None:
        self.message.say("Stopping; stage and drive go back…")
        self.stop_button.setEnabled(False)
        self.stop_wanted.emit()

    def show_step(self, step: SurveyStep) -> None:
        """How far it has come."""
        self.progress.setRange(0, max(step.total, 1))
        self.progress.setValue(step.done)
        self.progress.setFormat(f"{step.done} of {step.total} points")
        if self.stop_button.isEnabled():
            self.message.say(step_words(step))

    def show_limits(self, limits: Limits, shown: bool) -> None:
        """What the colours mean."""
        self.legend.set_range(*limits, "µm")
        self._legend_row.setVisible(shown)

    def _out_of_reach(self, places: Sequence[Place]) -> str:
        """Why the stage cannot go there; empty where it can."""
        microscope = self._session.microscope
        try:
            if microscope is not None and places:
                require_within(places, microscope.xy.limits_um)
        except InputError as error:
            return str(error)
        return ""

    def refresh(self, places: Sequence[Place], fault: str, *, ours: bool, left: int) -> None:
        """What is possible now; ``left`` points of an earlier survey can be gone on with."""
        session = self._session
        connected, running = session.connection is not None, session.is_running
        lacking = NOT_CONNECTED if not connected else "" if session.focus.chosen is not None else NO_MODEL
        fault = fault or self._out_of_reach(places)
        limits = session.microscope.focus.limits_um if session.microscope is not None else None
        words = lacking or fault or (permission_words(places, limits) if places else "")
        self.permission.say(words, "warning" if fault and places else "plain")
        ready = not lacking and not fault and bool(places) and not running
        self.start_button.setText(f"{_GO_ON} ({left} left)" if left else _START)
        self.start_button.setEnabled(ready)
        self.anew_button.setVisible(bool(left))
        self.anew_button.setEnabled(ready)
        self.stop_button.setEnabled(running and ours)
        self.progress.setVisible(running and ours)
