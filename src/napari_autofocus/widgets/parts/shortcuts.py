"""Shortcuts that work anywhere in a viewer's window, floating panels included, and go with their panel."""

from __future__ import annotations

from collections.abc import Callable

from napari.components import ViewerModel
from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QShortcut, QWidget

REFOCUS_KEY = "Ctrl+Shift+F"
PROPOSE_KEY = "Ctrl+Shift+D"
UNDO_KEY = "Ctrl+Shift+U"
HALT_KEY = "Ctrl+Shift+H"
LIVE_KEY = "Ctrl+Shift+L"
STOP_KEY = "Esc"
"""Only while a routine runs: napari's shapes and points layers use it otherwise."""


def add_shortcut(viewer: ViewerModel, panel: QWidget, keys: str, pressed: Callable[[], None]) -> QShortcut:
    """Have keys do something for as long as a panel lives.

    The shortcut belongs to the main window, or it would not work while the panel is hidden behind another tab.
    """
    window = getattr(getattr(viewer, "window", None), "_qt_window", None)
    made = QShortcut(QKeySequence(keys), window if window is not None else panel)
    made.setContext(Qt.ShortcutContext.WindowShortcut)
    made.activated.connect(pressed)
    if window is not None:
        panel.destroyed.connect(made.deleteLater)
    return made


def native(keys: str) -> str:
    """How the user's system writes keys."""
    return QKeySequence(keys).toString(QKeySequence.SequenceFormat.NativeText)
