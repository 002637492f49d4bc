"""Keys that work in a viewer's window whatever panel is open: stop the run, halt everything, live on and off.

They are shortcuts of the window, not ``keybindings`` of the manifest: napari 0.9 takes no notice of those, and once it
does, a key that stands in both would be ambiguous to Qt, which then does neither.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QShortcut

from napari_autofocus.errors import AutofocusError
from napari_autofocus.widgets.parts.shortcuts import HALT_KEY, LIVE_KEY, STOP_KEY

if TYPE_CHECKING:
    from napari_autofocus.widgets.session import Session


class SessionKeys:
    """The keys of one session; they go with the session.

    Parameters
    ----------
    session : Session
        What they act on. Without a window (a bare model) there are no keys.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        window = getattr(getattr(session.viewer, "window", None), "_qt_window", None)
        self.stop, self.halt, self.live = (
            self._shortcut(window, keys, pressed)
            for keys, pressed in (
                (STOP_KEY, session.stop_run),
                (HALT_KEY, lambda: halt(session)),
                (LIVE_KEY, lambda: toggle_live(session)),
            )
        )
        self._on_running_changed(False)
        session.running_changed.connect(self._on_running_changed)
        session.closing.connect(self._on_closing)

    def _shortcut(self, window: object, keys: str, pressed: Callable[[], None]) -> QShortcut | None:
        if window is None:
            return None
        made = QShortcut(QKeySequence(keys), window)
        made.setContext(Qt.ShortcutContext.WindowShortcut)
        made.setAutoRepeat(False)
        made.activated.connect(pressed)
        return made

    def _on_running_changed(self, running: bool) -> None:
        """Esc is napari's own while nothing runs."""
        if self.stop is not None:
            self.stop.setEnabled(running)

    def _on_closing(self) -> None:
        for made in (self.stop, self.halt, self.live):
            with contextlib.suppress(RuntimeError):  # the window may have taken it along
                if made is not None:
                    made.deleteLater()
        self.stop = self.halt = self.live = None


def halt(session: Session) -> None:
    """Stop the run, if there is one; otherwise halt focus drive and stage wherever they are."""
    if session.is_running:
        session.stop_run()
    elif session.microscope is not None:
        try:
            session.microscope.stop()  # from here, since the hardware thread may be waiting for the drive
        except AutofocusError as error:
            session.failed.emit(error)


def toggle_live(session: Session) -> None:
    """Turn live mode on or off; without a microscope the reason is told."""
    session.set_live(not session.is_live)
