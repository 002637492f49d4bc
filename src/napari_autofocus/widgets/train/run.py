"""The training of one viewer: a process beside napari, followed on the GUI thread whether a panel shows it or not."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Literal
from weakref import WeakKeyDictionary

from psygnal import Signal

from napari_autofocus.widgets.session import Session
from napari_autofocus.widgets.worker import Listener, Worker
from napari_autofocus.workflows.training.process import TrainingProcess
from napari_autofocus.workflows.training.request import TrainingFolder, TrainingRequest
from napari_autofocus.workflows.training.steps import (
    Learning,
    OpticsKnown,
    Paused,
    RefocuserMade,
    TrainingMade,
    TrainingStep,
    Working,
)

State = Literal["idle", "running", "pausing"]
_SOON_S = 3.0


class Following:
    """Tells what a process says, on the GUI thread.

    Parameters
    ----------
    process : TrainingProcess
        It runs.
    step, done, failed : callable
        Told each step, how it ended, or why it could not be done.
    ended : callable, optional
        Told that nothing more will come.
    """

    def __init__(
        self,
        process: TrainingProcess,
        *,
        step: Listener,
        done: Listener,
        failed: Listener,
        ended: Callable[[], None] | None = None,
    ) -> None:
        self.process = process
        self.is_over = False
        self._ended = ended
        self._worker = Worker("napari-autofocus training")
        self._worker.run(process.steps(), step=step, done=done, failed=failed, ended=self._on_ended)

    def leave(self) -> None:
        """Let the process stop by itself, with its next step, and listen no more."""
        self._worker.cancel_all()
        self.process.pause()  # it answers at once, which wakes the thread that listens
        self._worker.close(_SOON_S)

    def end(self) -> None:
        """End the process at once, with nothing kept."""
        if not self.is_over:
            self.process.throw_away()

    def _on_ended(self) -> None:
        self.is_over = True
        self._worker.close(_SOON_S)
        if self._ended is not None:
            self._ended()


class TrainingRun:
    """What is being taught, or was last.

    Signals are emitted on the GUI thread: ``changed`` (it began or ended, or is to pause), ``stepped`` (Working or
    Learning), ``made`` (TrainingMade or RefocuserMade), ``paused``, ``thrown_away`` (nothing is kept) and ``failed``
    (AutofocusError).
    """

    changed = Signal()
    stepped = Signal(object)
    made = Signal(object)
    paused = Signal()
    thrown_away = Signal()
    failed = Signal(object)

    _of_sessions: ClassVar[WeakKeyDictionary[Session, TrainingRun]] = WeakKeyDictionary()

    def __init__(self, session: Session) -> None:
        self.state: State = "idle"
        self.request: TrainingRequest | None = None
        self.newest: Working | Learning | None = None
        self.curve: list[Learning] = []
        self.pairs: tuple[tuple[float, float], ...] = ()
        self.dof_um: float | None = None
        self.result: TrainingMade | RefocuserMade | None = None
        self.following: Following | None = None
        self._is_unwanted = False
        session.closing.connect(self.leave)

    @classmethod
    def of(cls, session: Session) -> TrainingRun:
        """The training of a session; the first to ask makes it."""
        if session not in cls._of_sessions:
            cls._of_sessions[session] = cls(session)
        return cls._of_sessions[session]

    @property
    def taught_s(self) -> float:
        """Time spent teaching so far, over all stages and folds, s."""
        return sum({step.part: step.seconds for step in self.curve}.values())

    @property
    def left_s(self) -> float:
        """Time still to teach, s: each model of a cross-validation takes as long as the one of all stacks."""
        if self.request is None or not self.curve:
            return 0.0
        total_s = 60 * self.request.minutes * (1 + max(step.folds for step in self.curve))
        return max(total_s - self.taught_s, self.curve[-1].seconds_left)

    def start(self, request: TrainingRequest) -> None:
        """Begin, or go on where the same training was paused."""
        if self.state != "idle":
            return
        self.request, self.result, self.newest, self.pairs, self.dof_um = request, None, None, (), None
        self._is_unwanted = False
        self.curve = TrainingFolder.of(request.target).past()
        process = TrainingProcess(request)
        self.following = Following(
            process, step=self._on_step, done=self._on_done, failed=self.failed.emit, ended=self._on_ended
        )
        self._go("running")

    def pause(self) -> None:
        """Stop with the next step; the same training can be taken up again."""
        if self.following is not None and self.state == "running":
            self._go("pausing")
            self.following.process.pause()

    def throw_away(self) -> None:
        """Stop at once and delete what was learned."""
        if self.following is not None and self.state != "idle":
            self._is_unwanted = True
            self._go("pausing")
            self.following.end()

    def forget(self) -> None:
        """What came of the last training has been seen."""
        self.result = None
        self.changed.emit()

    def leave(self) -> None:
        """The viewer closes: pause, and wait for nothing."""
        if self.following is not None and not self.following.is_over:
            self.following.leave()

    def _go(self, state: State) -> None:
        self.state = state
        self.changed.emit()

    def _on_step(self, step: TrainingStep) -> None:
        if isinstance(step, OpticsKnown):
            self.dof_um = step.dof_um
        elif isinstance(step, Working | Learning):
            self.newest = step
            if isinstance(step, Learning):
                self._grow(step)
            self.stepped.emit(step)

    def _grow(self, step: Learning) -> None:
        """What was learned after the checkpoint that a run goes on from is learned again."""
        while self.curve and self.curve[-1].part == step.part and self.curve[-1].seconds >= step.seconds:
            self.curve.pop()
        self.curve.append(step)
        if step.pairs:
            self.pairs = step.pairs

    def _on_done(self, end: TrainingMade | RefocuserMade | Paused) -> None:
        if isinstance(end, TrainingMade | RefocuserMade):
            self.result = end
            self.made.emit(end)
        else:
            (self.thrown_away if self._is_unwanted else self.paused).emit()

    def _on_ended(self) -> None:
        self._go("idle")
