"""The Hold tab: keep a field in focus over time, see the drift, and hear why it stopped."""

from __future__ import annotations

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_autofocus.errors import AutofocusError, InputError
from napari_autofocus.focus.estimate import ImageOptics
from napari_autofocus.records import TrackRecord
from napari_autofocus.routines.track import TrackConfig, TrackStep, track
from napari_autofocus.widgets.estimate.seeing import FrameSeen
from napari_autofocus.widgets.focus_state import Estimated
from napari_autofocus.widgets.hold.drift_row import DriftRow
from napari_autofocus.widgets.hold.plot import DriftPlot
from napari_autofocus.widgets.hold.words import ENDS, STATES, counted, duration
from napari_autofocus.widgets.parts.forms import Message, Tone, button, connect_while_alive, label, number, row
from napari_autofocus.widgets.parts.paced import CurrentJob, PacedJob
from napari_autofocus.widgets.parts.sentences import signed_um
from napari_autofocus.widgets.session import Connection, Session

_NO_MICROSCOPE = "Connect a microscope in the Microscope panel first."
_NO_MODEL = "Choose a model above first."
_RUNNING = "Waits while another run holds the microscope."
_WIDTH_PX = 84
_START, _STOP = "Hold focus", "Stop holding"
_TIP = "Look now and then, and follow best focus where it drifts to; pauses while you move the stage, and says so"


class HoldSection(QWidget):
    """Holds the connected microscope in focus by the session's model.

    Parameters
    ----------
    session : Session
        What the panels share.
    theme : str
        Id of the napari theme whose colours are used.
    """

    finished = Signal(object)

    def __init__(self, session: Session, theme: str) -> None:
        super().__init__()
        self._session = session
        self._state = session.focus
        self._current = CurrentJob()
        self._since_s = 0.0
        self.record: TrackRecord | None = None
        self._build(theme)
        self._arrange()
        self._connect()
        self._on_model_changed()

    # layout

    def _build(self, theme: str) -> None:
        self.hold_button = button(_START, _TIP, checkable=True)
        self.hold_button.setMinimumHeight(34)
        self.interval_box = number(5, 0.5, 3600, 1, "s", "Time between two looks, s", decimals=1, width_px=_WIDTH_PX)
        tip = "Best focus is averaged over so many looks: more are steadier, fewer are quicker"
        self.window_box = number(5, 1, 50, 1, "looks", tip, decimals=0, width_px=_WIDTH_PX)
        tip = "Nothing moves while average best focus is nearer to the drive than this, µm"
        self.band_box = number(0.33, 0.01, 100, 0.05, "µm", tip)
        self.band_box.setPrefix("±")
        self.state_word = Message(theme)
        self.message = Message(theme)
        self.summary = label("", tip="Drift since the hold began or the last pause (µm); moves and pauses so far")
        self.plot = DriftPlot(theme)
        self.drift = DriftRow(self._session, theme)

    def _arrange(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.hold_button)
        column.addLayout(row(label("Every"), self.interval_box, 1, label("Average of"), self.window_box))
        column.addLayout(row(label("Dead band"), self.band_box, 1))
        for part in (self.state_word, self.message, self.summary):
            column.addWidget(part)
        column.addWidget(self.plot, 1)
        column.addWidget(self.drift)
        self.summary.hide()

    def _connect(self) -> None:
        self.hold_button.toggled.connect(self._on_toggled)
        self.band_box.valueChanged.connect(self.plot.set_band)
        current, session = self._current, self._session
        current.kept.connect(self._on_record)
        # Neither may outlive its panel, nor be a child of it: there is a generator to close.
        self.destroyed.connect(lambda *_: current.cancel())
        connect_while_alive(
            self,
            [
                (session.connection_changed, self._on_connection_changed),
                (session.running_changed, self._on_running_changed),
                (self._state.model_changed, self._on_model_changed),
            ],
        )

    def set_theme(self, theme: str) -> None:
        """Wear the colours of a napari theme."""
        for part in (self.state_word, self.message, self.plot, self.drift):
            part.set_theme(theme)

    # starting and stopping

    @property
    def is_holding(self) -> bool:
        """Whether a hold is on, paused ones included."""
        return self._current.job is not None

    def config(self) -> TrackConfig:
        """What a hold is told. Raises InputError if a value makes no sense."""
        state = self._state
        return TrackConfig(
            optics=None if state.objective is None else ImageOptics(state.objective),
            insist=state.insist,
            region=state.region,
            focus_direction=state.focus_direction,
            interval_s=self.interval_box.value(),
            window=int(self.window_box.value()),
            dead_band_um=self.band_box.value(),
        )

    def _on_toggled(self, wanted: bool) -> None:
        if wanted:
            self._start()
        else:
            self._current.cancel()
        self._enable()

    def _start(self) -> None:
        microscope, model = self._session.microscope, self._state.model
        if microscope is None or model is None:
            return
        try:
            config = self.config()
        except InputError as error:
            self._tell("", error, "error")
            return
        self.record = None
        self.plot.clear()
        self.summary.hide()
        self._tell("Starting", "The first look…", "plain")
        job = PacedJob(self._session, track(microscope, model, config, keep=self._current.kept.emit))
        job.stepped.connect(self._on_step)
        job.failed.connect(self._on_failed)
        job.ended.connect(self._on_ended)
        self._current.job = job
        job.start()

    # while it holds

    def _on_step(self, step: TrackStep) -> None:
        if step.frame is not None and not self._session.is_live:
            self._session.view.show(step.frame)
        if step.frame is not None and step.estimate is not None:
            self._state.tell(Estimated(FrameSeen(step.frame).read(), step.estimate))
        word, tone = STATES[step.state]
        self._tell(word, step.sentence, tone)
        self.plot.add(step.at_s, step.z_um, step.best_z_um, None if step.state == "missed" else step.drift_um)
        if step.best_z_um is not None and step.drift_um is not None:
            self.plot.set_line(*self.drift.line(step.at_s, step.best_z_um - step.drift_um, step.at_s - self._since_s))
        self._sum_up(step)

    def _sum_up(self, step: TrackStep) -> None:
        """Drift is told since the hold began, or since the last pause."""
        if step.drift_um is None:
            self._since_s = step.at_s
            return
        self.summary.setText(f"Drift {signed_um(step.drift_um)} in {duration(step.at_s - self._since_s)}")
        self.summary.show()

    def _on_failed(self, error: AutofocusError) -> None:
        self._tell("Stopped", error, "error")

    def _on_record(self, record: TrackRecord) -> None:
        """However a hold ended."""
        self.record = record
        counts = f"{counted(record.moves, 'move')}, {counted(record.pauses, 'pause')} in {duration(record.seconds)}"
        if record.ended == "cancelled":
            self._tell("Not holding", self._hindrance() or "Ended; the drive stays where it is.", "plain")
        else:
            tone: Tone = "error" if record.ended == "hardware" else "warning"
            self._tell(ENDS[record.ended], record.reasons[-1], tone)
        drift = "" if record.drift_um is None else f"Drift {signed_um(record.drift_um)}, "
        self.summary.setText(f"{drift}{counts}")
        self.summary.setVisible(record.rounds > 0)
        self.finished.emit(record)

    def _on_ended(self) -> None:
        self._current.job = None
        self._enable()

    def _tell(self, word: str, sentence: object, tone: Tone) -> None:
        self.state_word.say(word, "good" if tone in ("good", "plain") and word else tone)
        self.message.say(sentence, "plain" if tone == "good" else tone)

    # what is possible now

    def _on_connection_changed(self, _: Connection | None) -> None:
        self._say_what_is_missing()
        self._enable()

    def _on_model_changed(self, *_: object) -> None:
        """Another model is another hold: the one that is on ends."""
        self._current.cancel()
        if self._state.model is not None:
            dof_um = self._state.model.card.dof_um
            self.band_box.setValue(TrackConfig().dead_band_for(dof_um))
        self._say_what_is_missing()
        self._enable()

    def _on_running_changed(self, running: bool) -> None:
        if self.is_holding and running:
            self._tell("Waiting", _RUNNING, "plain")
        self._enable()

    def _say_what_is_missing(self) -> None:
        if not self.is_holding:
            self._tell("", self._hindrance(), "plain")

    def _hindrance(self) -> str:
        """Why nothing can be held; empty where it can."""
        if self._session.connection is None:
            return _NO_MICROSCOPE
        return _NO_MODEL if self._state.model is None else ""

    def _enable(self) -> None:
        holding = self.is_holding
        with QSignalBlocker(self.hold_button):
            self.hold_button.setChecked(holding)
        self.hold_button.setText(_STOP if holding else _START)
        self.hold_button.setEnabled(holding or (not self._hindrance() and not self._session.is_running))
        for part in (self.interval_box, self.band_box, self.window_box):
            part.setEnabled(not holding)
