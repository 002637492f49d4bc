"""Which way a drive focuses that does not know it itself: asked before anything moves by it."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_autofocus.routines.refocus_config import LEAST_PROBE_UM
from napari_autofocus.widgets.parts.forms import Message, button, row
from napari_autofocus.widgets.session import Session


class DirectionQuestion(QWidget):
    """Asks which way a drive focuses that does not know it itself; nothing moves by a guess.

    Parameters
    ----------
    session : Session
        Whose drive it is; what is answered is stated there.
    theme : str
        Id of the napari theme whose colours are used.
    """

    probe_wanted = Signal()

    def __init__(self, session: Session, theme: str) -> None:
        super().__init__()
        self._session = session
        self._start: Callable[[], None] | None = None
        self.message = Message(theme)
        self.together_button = button("Together", "A growing z brings sample and objective together")
        self.apart_button = button("Apart", "A growing z moves sample and objective apart")
        self.probe_button = button("Find out", "Move sample and objective a little, and compare two estimates")
        self.cancel_button = button("Cancel", "Do nothing")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.message)
        column.addLayout(row(self.together_button, self.apart_button, self.probe_button, self.cancel_button))
        self.together_button.clicked.connect(lambda: self._answer(1))
        self.apart_button.clicked.connect(lambda: self._answer(-1))
        self.probe_button.clicked.connect(self._on_probe_clicked)
        self.cancel_button.clicked.connect(self.hide)
        self.hide()

    def before(self, start: Callable[[], None], probe_um: float = LEAST_PROBE_UM, *, may_probe: bool) -> None:
        """Start, at once where the direction is known, otherwise once it has been answered.

        Parameters
        ----------
        start : callable
            What needs the direction.
        probe_um : float
            By how much the drive would move to find out, µm.
        may_probe : bool
            A proposal, by which nothing moves, may not find out by a move.
        """
        microscope = self._session.microscope
        if microscope is None or microscope.focus.focus_direction or self._session.focus.focus_direction:
            start()
            return
        self._start = start
        self.probe_button.setText(f"Find out by {probe_um:g} µm")
        self.probe_button.setToolTip(f"Move sample and objective by {probe_um:g} µm, and compare two estimates")
        self.message.say("Does a growing z bring sample and objective together, or apart?", "warning")
        self.probe_button.setVisible(may_probe)
        self.show()

    def _answer(self, focus_direction: int) -> None:
        self.hide()
        self._session.focus.state_direction(focus_direction)
        if self._start is not None:
            self._start()

    def _on_probe_clicked(self) -> None:
        self.hide()
        self.probe_wanted.emit()

    def set_theme(self, theme: str) -> None:
        """Wear the colours of a napari theme."""
        self.message.set_theme(theme)
