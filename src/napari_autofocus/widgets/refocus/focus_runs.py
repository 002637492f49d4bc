"""Focusing runs of one viewer: started on the hardware thread, shown while they run, logged, undone. No controls."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QObject, QTimer, Signal

from napari_autofocus.errors import AutofocusError, InputError, MicroscopeTaken, MoveRefused
from napari_autofocus.io.fused import FusedOrigin
from napari_autofocus.microscope.protocol import Frame
from napari_autofocus.records import FocusRecord
from napari_autofocus.routines.refocus import Proposal, RefocusConfig, RefocusStep, propose, refocus
from napari_autofocus.routines.refocus_config import Composite
from napari_autofocus.routines.sweep import SweepConfig, SweepStep, sweep
from napari_autofocus.routines.two_shot import estimate_by_pair, refocus_by_pair
from napari_autofocus.widgets.estimate.seeing import FrameSeen
from napari_autofocus.widgets.focus_state import Estimated
from napari_autofocus.widgets.layers.depth import FusedShown
from napari_autofocus.widgets.parts.sentences import plain_um
from napari_autofocus.widgets.refocus.undoing import UndoStack, go_back
from napari_autofocus.widgets.session import Session
from napari_autofocus.widgets.worker import Listener, Work

_DRAWN_AFTER_MS = 250
"""How long a verifying frame waits at most to be drawn: mostly what came of the run is told long before."""
_WORDS_FIRST_MS = 20
"""How long it waits once that is told, so that the words are painted first: drawing a frame takes 50 ms."""


class FocusRuns(QObject):
    """Starts runs, one at a time, and tells what becomes of them.

    A run ends with ``recorded``, ``proposed``, ``read``, ``undone``, ``failed`` or ``stopped_early``; one that is
    refused by the model is first recorded, then failed.

    Parameters
    ----------
    session : Session
        What the panels share; every record is added to its ``runs``.
    """

    started = Signal(str)
    stepped = Signal(object)
    recorded = Signal(object)
    proposed = Signal(object)
    read = Signal()
    undone = Signal(float)
    failed = Signal(object)
    stopped_early = Signal()
    undo_lost = Signal()
    fused = Signal(object)
    """Told the all-in-focus image of an uneven field (a FusedShown)."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._state = session.focus
        self._undo = UndoStack()
        self._relay = _Relay()
        self._relay.kept.connect(self._on_record)
        self._first: Frame | None = None
        self._last: Frame | None = None
        self._undrawn: RefocusStep | None = None
        self._drawing = QTimer(self)
        self._drawing.setSingleShot(True)
        self._drawing.timeout.connect(self._draw_held)
        self._composite: Composite | None = None
        self._pending = False

    @property
    def can_undo(self) -> bool:
        """Whether there is a place to go back to."""
        return len(self._undo) > 0

    # starting

    def sweep(self, config: SweepConfig) -> None:
        """Focus by a classical search."""
        microscope = self._session.microscope
        if microscope is not None:
            self._start(sweep(microscope, config, keep=self._relay.tell), "Sweeping…")

    def refocus(self, config: RefocusConfig, proposal: Proposal | None = None) -> None:
        """Focus by the session's model, of one shot or of two; carries out a proposal where there is one."""
        microscope, model, keep = self._session.microscope, self._state.model, self._relay.tell
        if microscope is None:
            return
        if self._state.pair is not None:
            self._start(refocus_by_pair(microscope, self._state.pair, config, keep=keep), "Refocusing by two shots…")
        elif model is not None:
            work = refocus(microscope, model, config, proposal=proposal, keep=keep, pair=self._state.fallback)
            self._start(work, "Refocusing…")

    def take_two(self, config: RefocusConfig) -> None:
        """Estimate by two shots: the drive goes apart by their distance and comes back."""
        microscope, pair = self._session.microscope, self._state.pair
        if microscope is not None and pair is not None:
            work = estimate_by_pair(microscope, pair, config)
            self._start(work, "Taking two shots…", done=self._end_with(self._on_read))

    def propose(self, config: RefocusConfig) -> None:
        """Ask the session's model where it would go; nothing moves."""
        microscope, model = self._session.microscope, self._state.model
        if microscope is not None and model is not None:
            self._start(propose(microscope, model, config), "Looking…", done=self._end_with(self.proposed.emit))

    def undo(self) -> None:
        """Go back to the z before the newest run that moved."""
        microscope, place = self._session.microscope, self._undo.newest()
        if microscope is not None and place is not None:
            words = f"Going back to {plain_um(place.z_um)}…"
            self._start(go_back(microscope, place), words, done=self._end_with(self._on_undone))

    def stop(self) -> None:
        """Halt at once; a routine goes back to where it started."""
        self._session.stop_run()

    def forget(self) -> None:
        """There is nothing to undo any more."""
        self._undo.clear()

    def _start(self, work: Work, words: str, done: Listener | None = None) -> None:
        if self._session.is_running:
            work.close()
            return
        self._first = self._last = self._undrawn = self._composite = None
        self._drawing.stop()
        self._pending = True
        self.started.emit(words)
        self._session.start_run(work, step=self._on_step, done=done, failed=self._end_with(self._on_failed))

    def _end_with(self, told: Listener) -> Listener:
        def ended(result: Any) -> None:
            self._pending = False
            told(result)

        return ended

    # what becomes of it

    def _on_step(self, step: RefocusStep | SweepStep) -> None:
        self._draw_held()
        self._first, self._last = self._first or step.frame, step.frame
        if isinstance(step, RefocusStep) and step.phase == "verify":
            self._undrawn = step
            self._drawing.start(_DRAWN_AFTER_MS)
        else:
            self._draw(step)
        self.stepped.emit(step)

    def _draw_held(self) -> None:
        """Draw the verifying frame: later than what came of the run is told, which somebody waits for."""
        self._drawing.stop()
        held, self._undrawn = self._undrawn, None
        if held is not None:
            self._draw(held)

    def _draw(self, step: RefocusStep | SweepStep) -> None:
        composite = getattr(step, "composite", None)
        if composite is not None:
            self._on_composite(step.frame, composite)
        else:
            self._session.view.show(step.frame)
        estimate = getattr(step, "estimate", None)
        if estimate is not None:
            first = getattr(step, "first", None)
            other = None if first is None else FrameSeen(first).read()
            self._state.tell(Estimated(FrameSeen(step.frame).read(), estimate, other))

    def _on_composite(self, frame: Frame, composite: Composite) -> None:
        """Told with all that its layers need; the run's entry in the log keeps it, small."""
        self._composite = composite
        seen, connection = FrameSeen(frame).read(), self._session.connection
        origin = FusedOrigin("the scan of an uneven field", composite.z_um, composite.shift_px)
        place = {"scale": seen.scale, "translate": seen.translate, "units": seen.units}
        lens = None if connection is None else connection.objective
        name = f"All in focus, z {plain_um(frame.z_um)}"
        self.fused.emit(FusedShown(name, composite.image, composite.depth_um, origin, place, seen.pixel_size_um, lens))

    def _on_record(self, record: FocusRecord) -> None:
        """However a run ended."""
        self._pending = False
        self._learn_direction(record)
        self._undo.remember(record, self._last)
        first, last = (None if frame is None else frame.image for frame in (self._first, self._last))
        self._first = self._last = None
        self.recorded.emit(record)
        if self._session.is_live:
            self._draw_held()  # before newer frames come
        elif self._undrawn is not None:
            self._drawing.start(_WORDS_FIRST_MS)
        try:
            self._session.runs.add(record, before=first, after=last, composite=self._composite)
        except InputError as error:
            self.failed.emit(error)

    def _learn_direction(self, record: FocusRecord) -> None:
        """What a probing move has found out, and a verified move has proved, need not be asked again."""
        found = getattr(record, "focus_direction", 0)
        microscope = self._session.microscope
        if found and record.outcome == "focused" and microscope and not microscope.focus.focus_direction:
            self._state.state_direction(found)

    def _on_read(self, _: object) -> None:
        self.read.emit()

    def _on_undone(self, z_um: float) -> None:
        self._undo.drop()
        self.undone.emit(z_um)

    def _on_failed(self, error: AutofocusError) -> None:
        if isinstance(error, MoveRefused) and not isinstance(error, MicroscopeTaken):  # the way back is not open
            self._undo.clear()
        self.failed.emit(error)

    def on_running_changed(self, running: bool) -> None:
        """A run that was stopped before it began leaves nothing behind."""
        if not running and self._pending:
            self._pending = False
            self.stopped_early.emit()

    def on_frame_shown(self, frame: Frame) -> None:
        """The places to go back to hold for one field only."""
        if self._undo.is_of_another_field(frame) and not self._session.is_running:
            self._undo.clear()
            self.undo_lost.emit()


class _Relay(QObject):
    """Brings a record from the hardware thread to the GUI's; it outlives a panel that is closed meanwhile."""

    kept = Signal(object)

    def tell(self, record: FocusRecord) -> None:
        """Called on any thread."""
        self.kept.emit(record)
