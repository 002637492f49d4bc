"""Widgets that end at a time that is known: one left to the garbage collector may be half gone when Qt deletes it."""

from __future__ import annotations

from qtpy.QtCore import QCoreApplication, QEvent
from qtpy.QtWidgets import QWidget


def delete_now(widget: QWidget) -> None:
    """Close a widget and delete it, while somebody still holds it."""
    widget.close()
    widget.deleteLater()
    QCoreApplication.sendPostedEvents(widget, QEvent.Type.DeferredDelete.value)
