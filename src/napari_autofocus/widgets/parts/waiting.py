"""Waiting in the event loop for what panels do, with a limit of time: for tours that press buttons by themselves."""

from __future__ import annotations

import time
from collections.abc import Callable

from qtpy.QtCore import QCoreApplication

from napari_autofocus.errors import AutofocusError, RoutineTimeout
from napari_autofocus.widgets.session import Session

_SETTLING_S = 0.5
_NAP_S = 0.005


class Waiting:
    """Lets the event loop run until something is fulfilled; raises what the session reports as failed.

    Parameters
    ----------
    session : Session
        What the panels share.
    seconds : float
        Time for everything together, s.
    """

    def __init__(self, session: Session, seconds: float) -> None:
        self._session = session
        self._deadline = time.monotonic() + seconds
        self._failure: AutofocusError | None = None
        self._refused = False
        self.meanwhile: Callable[[], None] = _nothing
        session.failed.connect(self._on_failed)
        session.focus.estimated.connect(self._on_estimated)
        session.focus.refused.connect(self._on_refused)

    def until(self, what: str, fulfilled: Callable[[], bool]) -> None:
        """Wait for something, named for the message should it not come.

        Raises
        ------
        RoutineTimeout
            If the time is up.
        AutofocusError
            What failed meanwhile.
        """
        while not fulfilled():
            if self._failure is not None:
                raise self._failure
            if time.monotonic() > self._deadline:
                raise RoutineTimeout(f"The tour waited in vain for {what}; run it again with more --seconds.")
            QCoreApplication.processEvents()
            self.meanwhile()
            time.sleep(_NAP_S)

    def for_seconds(self, seconds: float) -> None:
        """Let the event loop run so long."""
        end = time.monotonic() + seconds
        self.until("the window", lambda: time.monotonic() > end)

    def settle(self) -> None:
        """Let the window lay itself out and draw."""
        self.for_seconds(_SETTLING_S)

    def for_microscope_and_model(self) -> None:
        """Until there is a live microscope, and a model that can estimate its frames."""
        session = self._session
        self.until("the microscope to connect", lambda: session.is_live and not session.hardware.busy)
        self.until("the model", lambda: session.focus.model is not None)

    def for_rest(self) -> None:
        """Until no routine runs and the microscope has nothing to do."""
        self.until("the microscope to come to rest", lambda: not self._session.is_running)
        self.until("the microscope to come to rest", lambda: not self._session.hardware.busy)

    def for_frames(self, count: int) -> None:
        """Until frames have been drawn that were exposed after now (the newest may be older)."""
        target = self._session.view.frames_shown + count
        self.until("live frames", lambda: self._session.view.frames_shown >= target)

    def for_answer(self) -> None:
        """Until the model has answered for a frame that was taken after now, or refuses such frames."""
        since, focus = time.monotonic(), self._session.focus
        self.until(
            "an estimate", lambda: self._refused or (focus.newest is not None and focus.newest.seen.at_s > since)
        )

    def _on_estimated(self, _: object) -> None:
        self._refused = False

    def _on_refused(self, _: object) -> None:
        self._refused = True

    def _on_failed(self, error: AutofocusError) -> None:
        self._failure = error


def _nothing() -> None:
    pass
