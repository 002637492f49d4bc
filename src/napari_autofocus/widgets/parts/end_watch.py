"""When a viewer ends: it is closed, by the user or by a program, or the application quits, or Python itself ends."""

from __future__ import annotations

import atexit
from collections.abc import Callable
from weakref import WeakSet

from napari.components import ViewerModel
from qtpy.QtCore import QCoreApplication, QEvent, QObject

_listening: WeakSet[EndWatch] = WeakSet()


@atexit.register
def _end_all() -> None:
    """Python ends and windows are still open, as where somebody leaves IPython: left to Qt, it would crash."""
    for watch in list(_listening):
        watch.end_viewer()


class EndWatch(QObject):
    """Calls a function when the viewer is closed, before napari takes its layers away, or when the application ends.

    A window that the user closes may ask whether that is meant, so only its disappearing counts then; one that is
    closed by a program never asks, and may never have been shown. ``viewer.close()`` takes the layers away before it
    comes to the window: what puts layers into the viewer, as live mode does, has to end earlier.

    Parameters
    ----------
    viewer : ViewerModel
        The viewer, or its bare model.
    ended : callable
        Called at the end.
    """

    def __init__(self, viewer: ViewerModel, ended: Callable[[], None]) -> None:
        super().__init__()
        self._viewer = viewer
        self._ended = ended
        self._asked = False
        # napari offers no public event for this; without a window (a bare model) its owner closes the session.
        self._window = getattr(getattr(viewer, "window", None), "_qt_window", None)
        if self._window is not None:
            self._window.installEventFilter(self)
        # Nor one before viewer.close() takes the layers away: to shut its slicer down is the first thing that it does.
        self._slicer = getattr(viewer, "_layer_slicer", None)
        if self._slicer is not None:
            self._slicer.shutdown = self._on_shutdown
        if (application := QCoreApplication.instance()) is not None:
            application.aboutToQuit.connect(self.end)
        _listening.add(self)

    def detach(self) -> None:
        """Listen no more."""
        if self._window is not None:
            self._window.removeEventFilter(self)
            self._window = None
        if self._slicer is not None:
            self._slicer.__dict__.pop("shutdown", None)
        if (application := QCoreApplication.instance()) is not None:
            application.aboutToQuit.disconnect(self.end)
        _listening.discard(self)

    def end(self) -> None:
        """Call it now."""
        self._ended()

    def end_viewer(self) -> None:
        """Call it now, and close the viewer's window where it has one."""
        has_window = self._window is not None
        self.end()
        if has_window:
            self._viewer.close()  # type: ignore[attr-defined]
            QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)

    def _on_shutdown(self) -> None:
        try:
            self._ended()
        finally:
            type(self._slicer).shutdown(self._slicer)

    def eventFilter(self, _: QObject, event: QEvent) -> bool:
        kind = event.type()
        if kind == QEvent.Type.Close:
            self._asked = event.spontaneous()
            if not event.spontaneous():
                self._ended()
        elif kind == QEvent.Type.Hide and self._asked and not event.spontaneous():
            self._ended()
        return False
