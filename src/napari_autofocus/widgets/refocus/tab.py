"""The Refocus tab: refocus, propose and accept, undo, stop, and what came of it in words."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_autofocus.errors import AutofocusError, InputError, OpticsRefused
from napari_autofocus.records import FocusRecord
from napari_autofocus.routines.refocus_config import Proposal, RefocusStep
from napari_autofocus.routines.sweep import SweepStep
from napari_autofocus.widgets.estimate.readings import refusal_of
from napari_autofocus.widgets.parts.depth_row import DepthRow
from napari_autofocus.widgets.parts.forms import Message, Tone, connect_while_alive, snug
from napari_autofocus.widgets.parts.sentences import plain_um, proposal_sentence, run_sentence, step_sentence
from napari_autofocus.widgets.plots import FocusCurvePlot
from napari_autofocus.widgets.refocus.buttons import RefocusButtons
from napari_autofocus.widgets.refocus.direction import DirectionQuestion
from napari_autofocus.widgets.refocus.focus_runs import FocusRuns
from napari_autofocus.widgets.refocus.options import RefocusOptions
from napari_autofocus.widgets.refocus.words import SAME_PLACE_UM, reasons_of, sweep_step, tilt_words
from napari_autofocus.widgets.session import Connection, Session

_PLOT_PX = 100
_TONES: dict[str, Tone] = {"focused": "good", "already_in_focus": "good", "cancelled": "plain", "failed": "error"}
_CURVE_PHASES = ("scan", "sweep")
_NO_MICROSCOPE = "Connect a microscope in the Microscope panel first."
_NO_MODEL = "Choose a model above first, or take the method Sweep."


class RefocusSection(QWidget):
    """Focuses the connected microscope and shows what happens.

    Parameters
    ----------
    session : Session
        What the panels share.
    theme : str
        Id of the napari theme whose colours are used.
    """

    finished = Signal(object)
    curve_wanted = Signal(bool)

    def __init__(self, session: Session, theme: str) -> None:
        super().__init__()
        self._session = session
        self._state = session.focus
        self.record: FocusRecord | None = None
        self.proposal: Proposal | None = None
        self.runs = FocusRuns(session)
        self.options = RefocusOptions(session, theme)
        self.buttons = RefocusButtons(session.viewer, self)
        self.direction = DirectionQuestion(session, theme)
        self.message, self.reasons = Message(theme), Message(theme)
        self.depth = DepthRow(session, theme)
        self.plot = FocusCurvePlot(theme)
        self.plot.setToolTip("Sharpness over z (µm) as a search grows; dashed: where the drive stands")
        self.plot.setMinimumHeight(_PLOT_PX)
        self._arrange()
        self._connect()
        self._on_connection_changed(session.connection)
        self._on_model_changed()

    def _arrange(self) -> None:
        snug(self.message, self.reasons, self.direction.message)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 0, 0)
        column.setSpacing(4)
        for part in (self.options, self.buttons, self.direction, self.message, self.reasons, self.depth):
            column.addWidget(part)
        column.addStretch(1)

    def _connect(self) -> None:
        buttons, session, runs = self.buttons, self._session, self.runs
        for signal, slot in (
            (buttons.refocus.clicked, self._on_refocus_clicked),
            (buttons.propose.clicked, lambda: self._ask_or(self._propose)),
            (buttons.accept.clicked, self._on_accept_clicked),
            (buttons.discard.clicked, lambda: self._drop_proposal("Discarded; nothing has moved.")),
            (buttons.undo.clicked, runs.undo),
            (buttons.stop.clicked, self._on_stop_clicked),
            (self.options.changed, self._on_possible_changed),
            (self.direction.probe_wanted, self._on_probe_wanted),
            (runs.started, self._on_started),
            (runs.stepped, self._on_step),
            (runs.recorded, self._on_record),
            (runs.proposed, self._on_proposed),
            (runs.undone, self._on_undone),
            (runs.read, self._on_read),
            (runs.failed, self._on_failed),
            (runs.fused, self.depth.show_fused),
            (runs.stopped_early, lambda: self.message.say("Stopped; nothing has moved.")),
            (runs.undo_lost, lambda: self._drop_proposal("The slide was moved: there is nothing to undo here.")),
        ):
            signal.connect(slot)
        connect_while_alive(
            self,
            [
                (session.connection_changed, self._on_connection_changed),
                (session.running_changed, self._on_running_changed),
                (session.z_changed, self._on_z_changed),
                (session.view.shown, runs.on_frame_shown),
                (self._state.model_changed, self._on_model_changed),
            ],
        )

    def set_theme(self, theme: str) -> None:
        """Wear the colours of a napari theme."""
        for part in (self.options, self.direction, self.message, self.reasons, self.depth, self.plot):
            part.set_theme(theme)

    # starting

    def _on_refocus_clicked(self) -> None:
        self.proposal = None
        if self.options.method == "sweep":
            self._try(lambda: self.runs.sweep(self.options.sweeping.config()))
        else:
            self._ask_or(self._refocus)

    def _on_accept_clicked(self) -> None:
        proposal, self.proposal = self.proposal, None
        self._try(lambda: self.runs.refocus(self.options.config(probe=False), proposal))

    def _refocus(self) -> None:
        self._try(lambda: self.runs.refocus(self.options.config(probe=False)))

    def take_two(self) -> None:
        """Tell the defocus here by two shots; the drive comes back."""
        self.proposal = None
        self._ask_or(self._take_two)

    def _take_two(self) -> None:
        self._try(lambda: self.runs.take_two(self.options.config(probe=False)))

    def _propose(self) -> None:
        self._try(lambda: self.runs.propose(self.options.config(probe=False)))

    def _try(self, start: Callable[[], None]) -> None:
        """Settings that make no sense are a message."""
        try:
            start()
        except InputError as error:
            self.message.fail(error)

    def _ask_or(self, start: Callable[[], None]) -> None:
        """Start, unless nobody knows which way the drive focuses."""
        self.direction.before(start, self.options.probe_um, may_probe=start == self._refocus)

    def _on_probe_wanted(self) -> None:
        self._try(lambda: self.runs.refocus(self.options.config(probe=True)))

    def _on_stop_clicked(self) -> None:
        self.message.say("Stopping…")
        self.runs.stop()

    # while it runs

    def _on_started(self, words: str) -> None:
        self.direction.hide()
        self.depth.clear()
        self.plot.clear()
        self.reasons.say("")
        self.message.say(words)
        self.curve_wanted.emit(self.options.method == "sweep")

    def _on_step(self, step: RefocusStep | SweepStep) -> None:
        is_sweep = isinstance(step, SweepStep)
        if is_sweep or step.phase in _CURVE_PHASES:
            self.curve_wanted.emit(True)
            self.plot.add_point(step.z_um, step.sharpness or 0.0)
        self.message.say(sweep_step(step) if is_sweep else step_sentence(step))

    # what came of it

    def _on_record(self, record: FocusRecord) -> None:
        self.record = record
        best = getattr(record, "best_z_um", None)
        self.plot.set_peak(best, record.uncertainty_um if best is not None else None)
        self.plot.set_marker(record.end_um)
        self.message.say(run_sentence(record), _TONES.get(record.outcome, "warning"))
        others = [entry.record for entry in self._session.runs.entries if entry.record is not record]
        self.reasons.say("\n".join((*reasons_of(record), *tilt_words(record, others))))
        self._enable()
        self.finished.emit(record)

    def _on_proposed(self, proposal: Proposal) -> None:
        self.proposal = proposal if proposal.target_um is not None else None
        self.message.say(proposal_sentence(proposal), "plain" if self.proposal else "warning")
        self._enable()

    def _on_read(self) -> None:
        self.message.say("Two shots taken; the drive is back where it was.")
        self._enable()

    def _on_undone(self, z_um: float) -> None:
        self.message.say(f"Undone: the drive is back at {plain_um(z_um)}.")
        self.plot.set_marker(z_um)

    def _on_failed(self, error: AutofocusError) -> None:
        if isinstance(error, OpticsRefused):
            self._state.tell_refused(error)
            self.message.fail(refusal_of(error).advice)
        else:
            self.message.fail(error)

    def _drop_proposal(self, words: str) -> None:
        self.proposal = None
        self.message.say(words)
        self._enable()

    # what is possible now

    def _on_connection_changed(self, connection: Connection | None) -> None:
        self.runs.forget()
        self.direction.hide()
        self.plot.clear()
        self.plot.set_marker(None)
        if connection is not None and connection.dof_um is not None:
            self.options.sweeping.set_dof(connection.dof_um)
        self._on_possible_changed()

    def _on_model_changed(self, *_: object) -> None:
        pair = self._state.pair
        self.buttons.tell_shots(None if pair is None else pair.card.dz_um)
        self._on_possible_changed()

    def _on_z_changed(self, z_um: float) -> None:
        self.plot.set_marker(z_um)
        moved = self.proposal is not None and abs(z_um - self.proposal.frame.z_um) > SAME_PLACE_UM
        if moved and not self._session.is_running:
            self._drop_proposal("The drive was moved since; propose again.")

    def _on_running_changed(self, running: bool) -> None:
        self.runs.on_running_changed(running)
        self._enable()

    def _on_possible_changed(self) -> None:
        self.proposal = None
        if not self._session.is_running:
            self.reasons.say("")
            self.message.say(self._hindrance())
            self.curve_wanted.emit(self.options.method == "sweep")
        self._enable()

    def _hindrance(self) -> str:
        """Why nothing can be started; empty where something can."""
        if self._session.connection is None:
            return _NO_MICROSCOPE
        return _NO_MODEL if self.options.method == "one-shot" and self._state.chosen is None else ""

    def _enable(self) -> None:
        running = self._session.is_running
        self.options.setEnabled(not running)
        self.buttons.enable(
            ready=not running and not self._hindrance(),
            running=running,
            by_model=self.options.method == "one-shot" and self._state.model is not None,
            proposal=self.proposal,
            undo=not running and self._session.connection is not None and self.runs.can_undo,
        )
