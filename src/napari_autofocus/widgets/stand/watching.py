"""Keeps an eye on the microscope for its panel: what it does, what others do with it, whether it is there.

Hardware is asked on the session's hardware thread only, so that a look never falls into a pause of live mode.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QObject, Qt, QTimer, Signal

from napari_autofocus.errors import HardwareError
from napari_autofocus.microscope.mmcore import CoreMicroscope
from napari_autofocus.microscope.state import DevicesGone, MicroscopeState, look_at, on_core_news
from napari_autofocus.widgets.session import Connection, Session

# Whose state, whether the session was live when it was asked for, and the state.
_Look = tuple[CoreMicroscope, bool, MicroscopeState]

_EVERY_MS = 1000
_SOON_MS = 40
_LATE_NEWS_S = 1.0
_LIVE_ENDED = "Live mode has ended: another program stopped it, or the camera did. Press Live to start it again."
_RELOADED = (
    "Another program loaded a configuration into this core; connect again, since its stages may stand elsewhere."
)


class MicroscopeWatch(QObject):
    """Looks at the microscope every second, when something has changed, and after what it is told to do.

    Signals: ``seen`` (MicroscopeState), ``failed`` (HardwareError: it did not answer; told once), ``recovered`` (it
    answers again), ``said`` (a sentence about what others did) and ``lost`` (HardwareError: the microscope is no more,
    and has been let go of).

    Parameters
    ----------
    session : Session
        Whose microscope.
    wanted : callable
        Whether anybody wants to know; otherwise it is left in peace.
    """

    seen = Signal(object)
    failed = Signal(object)
    recovered = Signal()
    said = Signal(str)
    lost = Signal(object)
    _changed = Signal()
    _reloaded = Signal(object)

    def __init__(self, session: Session, wanted: Callable[[], bool]) -> None:
        super().__init__()
        self._session = session
        self._wanted = wanted
        self._looking = False
        self._blind = False
        self._since_s = 0.0
        self._end_news: Callable[[], None] | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(_EVERY_MS)
        self._soon = QTimer(self)
        self._soon.setInterval(_SOON_MS)
        self._soon.setSingleShot(True)
        self._timer.timeout.connect(self._on_time_to_look)
        self._soon.timeout.connect(self.look)
        # Later, since the core may be waiting for whoever listens to its news.
        self._changed.connect(self._soon.start, Qt.ConnectionType.QueuedConnection)
        self._reloaded.connect(self._on_reloaded, Qt.ConnectionType.QueuedConnection)

    def follow(self, connection: Connection | None) -> None:
        """Watch this microscope from now on, or none."""
        self.leave()
        if connection is None:
            return
        microscope = connection.microscope
        self._since_s = time.monotonic()
        self._end_news = on_core_news(microscope, self._changed.emit, lambda: self._reloaded.emit(microscope))
        self._timer.start()
        self.look()

    def leave(self) -> None:
        """Watch nothing."""
        self._timer.stop()
        self._soon.stop()
        self._blind = False
        if self._end_news is not None:
            self._end_news()
            self._end_news = None

    def act(self, change: Callable[[CoreMicroscope], object], ended: Callable[[], None] | None = None) -> None:
        """Have something done with the microscope, and look at it; a failure is told by the session."""
        was_live = self._session.is_live
        self._session.ask(lambda microscope: _after(change, microscope, was_live), done=self._on_looked, ended=ended)

    def look(self) -> None:
        """Look now, or as soon as the hardware is free."""
        microscope = self._session.microscope
        if microscope is None or self._looking:
            return
        self._looking = True
        was_live = self._session.is_live
        self._session.hardware.call(
            lambda: (microscope, was_live, look_at(microscope)),
            done=self._on_looked,
            failed=self._on_look_failed,
            ended=self._on_look_ended,
        )

    def _on_time_to_look(self) -> None:
        """Devices that do not report what happens to them are asked, while nothing else is going on."""
        if self._wanted() and not self._session.hardware.busy:
            self.look()

    def _on_looked(self, found: _Look) -> None:
        microscope, was_live, state = found
        if microscope is not self._session.microscope:
            return
        if self._blind:
            self._blind = False
            self.recovered.emit()
        self.seen.emit(state)
        # A click of ours since then counts for more.
        if state.streams != was_live and self._session.is_live == was_live:
            self._follow_live(state.streams)

    def _follow_live(self, streams: bool) -> None:
        """Live mode is no longer what the session left it at."""
        self._session.set_live(streams)
        if not streams:
            self.said.emit(_LIVE_ENDED)

    def _on_look_failed(self, error: HardwareError) -> None:
        if isinstance(error, DevicesGone):
            self._lose(error)
        elif not self._blind:
            self._blind = True
            self.failed.emit(error)

    def _on_look_ended(self) -> None:
        self._looking = False

    def _on_reloaded(self, microscope: Any) -> None:
        if microscope is not self._session.microscope:
            return
        if time.monotonic() - self._since_s > _LATE_NEWS_S:
            self._lose(HardwareError(_RELOADED))
        else:  # news of the very configuration that was connected may come late
            self.look()

    def _lose(self, error: HardwareError) -> None:
        self._session.disconnect()
        self.lost.emit(error)


def _after(change: Callable[[CoreMicroscope], object], microscope: CoreMicroscope, was_live: bool) -> _Look:
    change(microscope)
    return microscope, was_live, look_at(microscope)
