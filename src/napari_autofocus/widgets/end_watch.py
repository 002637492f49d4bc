"""When a viewer ends: its window is closed, by the user or by a program, or the application quits."""

from __future__ import annotations

from collections.abc import Callable

from napari.components import ViewerModel
from qtpy.QtCore import QCoreApplication, QEvent, QObject


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
        self._ended = ended
        self._asked = False
        # napari offers no public event for this; without a window (a bare model) its owner closes the session.
        self._window = getattr(getattr(viewer, "window", None), "_qt_window", None)
        if self._window is not None:
            self._window.installEventFilter(self)
        # Nor one before viewer.close() takes the layers away: to shut its slicer down is the first thing that it does.
        self._slicer = viewer._layer_slicer
        self._slicer.shutdown = self._on_shutdown  # type: ignore[method-assign]
        if (application := QCoreApplication.instance()) is not None:
            application.aboutToQuit.connect(self._on_quit)

    def detach(self) -> None:
        """Listen no more."""
        if self._window is not None:
            self._window.removeEventFilter(self)
            self._window = None
        self._slicer.__dict__.pop("shutdown", None)
        if (application := QCoreApplication.instance()) is not None:
            application.aboutToQuit.disconnect(self._on_quit)

    def _on_quit(self) -> None:
        self._ended()

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
