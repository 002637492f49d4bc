"""When a viewer ends: its window is closed, by the user or by a program, or the application quits."""

from __future__ import annotations

from collections.abc import Callable

from napari.components import ViewerModel
from qtpy.QtCore import QCoreApplication, QEvent, QObject


class EndWatch(QObject):
    """Calls a function once the viewer's window has been closed, or the application ends.

    A window that the user closes may ask whether that is meant, so only its disappearing counts then; one that is
    closed by a program never asks, and may never have been shown.

    Parameters
    ----------
    viewer : ViewerModel
        The viewer, or its bare model.
    ended : callable
        Called at the end.
    """

    def __init__(self, viewer: ViewerModel, ended: Callable[[], None]) -> None:
        super().__init__()
        self._ended = ended
        self._asked = False
        # napari offers no public event for this; without a window (a bare model) its owner closes the session.
        self._window = getattr(getattr(viewer, "window", None), "_qt_window", None)
        if self._window is not None:
            self._window.installEventFilter(self)
        if (application := QCoreApplication.instance()) is not None:
            application.aboutToQuit.connect(self._on_quit)

    def detach(self) -> None:
        """Listen no more."""
        if self._window is not None:
            self._window.removeEventFilter(self)
            self._window = None
        if (application := QCoreApplication.instance()) is not None:
            application.aboutToQuit.disconnect(self._on_quit)

    def _on_quit(self) -> None:
        self._ended()

    def eventFilter(self, _: QObject, event: QEvent) -> bool:
        kind = event.type()
        if kind == QEvent.Type.Close:
            self._asked = event.spontaneous()
            if not event.spontaneous():
                self._ended()
        elif kind == QEvent.Type.Hide and self._asked and not event.spontaneous():
            self._ended()
        return False
