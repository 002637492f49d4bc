"""How panels share a column of the window: above each other where it is high enough, otherwise behind tabs."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget

_GROWS = "autofocusPanelGrows"


def share_height(panel: QWidget, *, grows: bool) -> None:
    """Give panels in one column the room they need, and the rest to those that grow, when this one first appears."""
    panel.setProperty(_GROWS, grows)
    panel.installEventFilter(_FirstShow(panel))
    panel.installEventFilter(_GoesWithDock(panel))


def share_again(panel: QWidget) -> None:
    """Share the height anew once the window has laid itself out: the panel now needs more or less of it."""
    _soon(panel, _share)


def _soon(panel: QWidget, function: Callable[[QWidget], None]) -> None:
    _Soon(panel, function).start(0)


class _Soon(QTimer):
    """Calls a function with its parent once the event loop is free, and goes with it should that be sooner.

    A lambda that held the panel would be a cycle with it: of a panel that nobody holds any more, Python empties the
    lambda first, and the timer then calls what is left of it, which crashes.
    """

    def __init__(self, panel: QWidget, function: Callable[[QWidget], None]) -> None:
        super().__init__(panel)
        self._function = function
        self.setSingleShot(True)
        self.timeout.connect(self._on_timeout)

    def _on_timeout(self) -> None:
        self.deleteLater()
        self._function(self.parent())


def _raise(panel: QWidget) -> None:
    """Bring a new panel to the front, should another have been put before it meanwhile."""
    dock = _parent_of(panel, QDockWidget)
    if dock is not None:
        dock.raise_()


class _FirstShow(QObject):
    """Waits for its parent to be shown, once."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Show:
            watched.removeEventFilter(self)
            share_again(watched)
            _soon(watched, _raise)
        return False


class _GoesWithDock(QObject):
    """Deletes its parent once napari has taken it out of its dock: it would go on unseen, listening and drawing."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ParentChange and watched.parent() is None:
            _soon(watched, _delete_if_loose)
        return False


def _delete_if_loose(panel: QWidget) -> None:
    if panel.parent() is None:
        panel.deleteLater()


def _share(panel: QWidget) -> None:
    dock = _parent_of(panel, QDockWidget)
    window = _parent_of(panel, QMainWindow)
    if dock is None or window is None or dock.isFloating():
        return
    docks = [other for other in window.findChildren(QDockWidget) if _in_column(window, dock, other)]
    column = sorted(docks, key=lambda other: bool(_panel_of(other).property(_GROWS)))
    room = sum(other.height() for other in column)
    needed = [other.sizeHint().height() for other in column]
    if sum(needed) > room and len(column) > 1:
        _stack(window, column, dock)
        return
    growing = [bool(_panel_of(other).property(_GROWS)) for other in column]
    spare = max(room - sum(needed), 0) // max(sum(growing), 1)
    heights = [need + spare * grows for need, grows in zip(needed, growing, strict=True)]
    window.resizeDocks(column, heights, Qt.Orientation.Vertical)
    window.resizeDocks([dock], [max(other.sizeHint().width() for other in column)], Qt.Orientation.Horizontal)


def _stack(window: QMainWindow, column: list[QDockWidget], dock: QDockWidget) -> None:
    """Put panels behind tabs, the new one in front: none could be used without scrolling otherwise."""
    for other in column[1:]:
        window.tabifyDockWidget(column[0], other)
    dock.raise_()


def _in_column(window: QMainWindow, dock: QDockWidget, other: QDockWidget) -> bool:
    """Whether both stand in one column, visibly, the other a panel of ours too."""
    same_area = window.dockWidgetArea(other) == window.dockWidgetArea(dock)
    ours = _panel_of(other) is not None
    return ours and same_area and other.isVisible() and not other.isFloating() and other.x() == dock.x()


def _panel_of(dock: QDockWidget) -> QWidget | None:
    panels = [child for child in dock.findChildren(QWidget) if child.property(_GROWS) is not None]
    return panels[0] if panels else None


def _parent_of(widget: QObject, kind: type) -> QWidget | None:
    while widget is not None and not isinstance(widget, kind):
        widget = widget.parent()
    return widget
