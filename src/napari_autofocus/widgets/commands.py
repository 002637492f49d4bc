"""Commands of napari's menus and of its command palette that act on the microscope rather than open a panel."""

from __future__ import annotations

import napari.viewer
from napari.utils.notifications import show_info, show_warning

from napari_autofocus.widgets.parts import session_keys
from napari_autofocus.widgets.parts.shortcuts import HALT_KEY, native
from napari_autofocus.widgets.session import NOT_CONNECTED, Session


def halt(napari_viewer: napari.viewer.Viewer) -> None:
    """Stop the run, or halt focus drive and stage at once."""
    session = Session.of(napari_viewer)
    if session.microscope is None:
        show_warning(NOT_CONNECTED)
        return
    session_keys.halt(session)
    show_info(f"Halted ({native(HALT_KEY)} does the same).")


def toggle_live(napari_viewer: napari.viewer.Viewer) -> None:
    """Turn live mode on or off."""
    session = Session.of(napari_viewer)
    if session.microscope is None:
        show_warning(NOT_CONNECTED)
        return
    session_keys.toggle_live(session)


def snap(napari_viewer: napari.viewer.Viewer) -> None:
    """Take one frame and show it."""
    session = Session.of(napari_viewer)
    if session.microscope is None:
        show_warning(NOT_CONNECTED)
        return
    session.snap()
