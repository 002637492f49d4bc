"""A routine that looks now and then: each step is one short call on the hardware thread, with time for others between.

A generator that says with each step how long to wait (``wait_s``) is driven from the GUI thread by a timer. It gives
way to a routine that holds the microscope, and ends with the microscope.
"""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass
from typing import Any

from qtpy.QtCore import QObject, QTimer, Signal

from napari_autofocus.errors import HardwareError
from napari_autofocus.widgets.session import Session
from napari_autofocus.widgets.worker import Work

_MOST_MS = 2**31 - 1


@dataclass(frozen=True)
class _Returned:
    """What a generator returned, in place of a step."""

    value: Any


class PacedJob(QObject):
    """Drives a generator whose steps say how long to wait before the next; signals arrive on the GUI thread.

    At most one of ``returned`` and ``failed`` is emitted (neither where it is cancelled), then ``ended``, once.

    Parameters
    ----------
    session : Session
        Whose hardware thread does the steps. While ``session.is_running`` none is begun.
    work : generator
        Yields steps with a ``wait_s`` in seconds.
    """

    stepped = Signal(object)
    returned = Signal(object)
    failed = Signal(object)
    ended = Signal()

    def __init__(self, session: Session, work: Work) -> None:
        super().__init__()
        self._session = session
        self._work = work
        self._calling = False
        self._answered = False
        self._wait_ms = 0
        self._cancelled = False
        self._over = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._advance)
        session.running_changed.connect(self._on_running_changed)
        session.connection_changed.connect(self._on_connection_changed)

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self._over

    def start(self) -> None:
        """Take the first step now."""
        self._timer.start(0)

    def cancel(self) -> None:
        """Close the generator on the hardware thread, after the step it may be in."""
        if self._over or self._cancelled:
            return
        self._cancelled = True
        self._timer.stop()
        try:
            self._session.hardware.call(self._close, ended=self._finish)
        except HardwareError:  # the viewer has been closed, and the thread with it
            self._close()
            self._finish()

    # steps

    def _advance(self) -> None:
        if self._over or self._cancelled or self._calling or self._session.is_running:
            return
        self._calling, self._answered = True, False
        try:
            self._session.hardware.call(self._next, done=self._on_done, failed=self._on_failed, ended=self._on_ended)
        except HardwareError:
            self._finish()

    def _next(self) -> Any:
        """On the hardware thread."""
        try:
            return next(self._work)
        except StopIteration as stop:
            return _Returned(stop.value)

    def _on_done(self, step: Any) -> None:
        self._answered = True
        if self._over or self._cancelled:
            return
        if isinstance(step, _Returned):
            self.returned.emit(step.value)
            self._finish()
            return
        self._wait_ms = min(math.ceil(1000 * max(step.wait_s, 0.0)), _MOST_MS)
        self.stepped.emit(step)

    def _on_failed(self, error: object) -> None:
        self._answered = True
        if not (self._over or self._cancelled):
            self.failed.emit(error)
            self._finish()

    def _on_ended(self) -> None:
        """The last that is heard of a step: only now may the next one be asked for."""
        self._calling = False
        if self._over or self._cancelled:  # a listener may have cancelled
            return
        if self._answered:
            self._timer.start(self._wait_ms)
        else:  # cancelled with the microscope, or a programming error
            self._close()
            self._finish()

    # others

    def _on_running_changed(self, running: bool) -> None:
        """Wait for a routine that holds the microscope; what is left of the time starts when it is done."""
        if self._over or self._cancelled or self._calling:
            return
        if not running and not self._timer.isActive():
            self._timer.start(0)

    def _on_connection_changed(self, _: object) -> None:
        """The microscope is gone, and its thread at rest: nothing can be asked of it any more."""
        self._timer.stop()
        self._cancelled = True
        self._close()
        self._finish()

    # the end

    def _close(self) -> None:
        # A step that hangs beyond the patience of the session cannot be closed; it ends by itself.
        with contextlib.suppress(ValueError):
            self._work.close()

    def _finish(self) -> None:
        if self._over:
            return
        self._over = True
        self._session.running_changed.disconnect(self._on_running_changed)
        self._session.connection_changed.disconnect(self._on_connection_changed)
        self.ended.emit()


class CurrentJob(QObject):
    """The job of a panel that is on; it outlives a panel that is closed meanwhile, until its generator is closed."""

    kept = Signal(object)  # emitted on the hardware thread, heard on the GUI's

    def __init__(self) -> None:
        super().__init__()
        self.job: PacedJob | None = None

    def cancel(self) -> None:
        """End it, if there is one."""
        if self.job is not None:
            self.job.cancel()
