"""The sparsity tour in a window of its own: for somebody at the screen, or by itself, leaving pictures."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import napari
from qtpy.QtCore import QTimer

from napari_autofocus.errors import HardwareError
from napari_autofocus.files import replacing
from napari_autofocus.widgets.parts.waiting import Waiting
from napari_autofocus.widgets.show.report import installed_versions
from napari_autofocus.widgets.sparsity_tour import SparsityPanel
from napari_autofocus.workflows.sparse.figure import density_words, save_sparsity_figure
from napari_autofocus.workflows.sparse.records import SparsitySettings

PLUGIN = "napari-autofocus"
PANEL = "Sparsity tour"
_WINDOW_PX = (1366, 740)


def open_sparsity(settings: SparsitySettings, *, seconds: float = 0.0) -> None:
    """Open napari with the sparsity tour begun and stay until it is closed.

    Parameters
    ----------
    settings : SparsitySettings
        Which fields.
    seconds : float
        Close by itself after so long, s; 0 waits for the user.
    """
    viewer, _ = _begun(settings)
    if seconds > 0:
        QTimer.singleShot(round(1000 * seconds), viewer.close)
    napari.run()


def run_sparsity(
    settings: SparsitySettings, out: Path, *, seconds: float = 300.0, told: Callable[[str], None] = print
) -> dict[str, Any]:
    """Take the sparsity tour without anybody at the mouse; leaves a picture of each field, the figure and a report.

    Parameters
    ----------
    settings : SparsitySettings
        Which fields.
    out : Path
        Folder for pictures and ``report.json``; must exist.
    seconds : float
        Time for the whole tour, s.
    told : callable
        Told in a line what happens.

    Returns
    -------
    dict
        What ``report.json`` says: every field with every answer, and the files.

    Raises
    ------
    RoutineTimeout
        If something takes too long.
    HardwareError
        If the simulated microscope failed.
    """
    viewer, panel = _begun(settings)
    try:
        waiting = Waiting(panel.session, seconds)
        waiting.until("the fields", lambda: panel.is_complete or not panel.is_running)
        waiting.until("the last answers", lambda: not panel.is_running)
        if not panel.is_complete:
            raise HardwareError(f"The sparsity tour ended early: {panel.message.text()}")
        pictures = [_picture(viewer, panel, index, out, waiting, told) for index in range(len(panel.fields))]
    finally:
        viewer.close()
    figures = save_sparsity_figure(panel.fields, out)
    report = {
        "seed": settings.seed,
        "fields": [field.to_json() for field in panel.fields],
        "screenshots": pictures,
        "figures": [path.name for path in figures],
        "versions": installed_versions(),
    }
    with replacing(out / "report.json") as unfinished:
        unfinished.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return report


def _begun(settings: SparsitySettings) -> tuple[napari.Viewer, SparsityPanel]:
    """A window with the panel docked and at work."""
    viewer = napari.Viewer(title="napari-autofocus: sparsity tour", show=False)
    viewer.show()
    viewer.window.resize(*_WINDOW_PX)  # once shown: before, napari puts its own last size back
    _, panel = viewer.window.add_plugin_dock_widget(PLUGIN, PANEL)
    panel.use(settings)
    panel.start_button.click()
    return viewer, panel


def _picture(
    viewer: napari.Viewer, panel: SparsityPanel, index: int, out: Path, waiting: Waiting, told: Callable[[str], None]
) -> str:
    """Show a field and take a picture of the window; returns the name of its file."""
    panel.go_to(index)
    waiting.settle()
    found = panel.fields[index]
    told(f"{density_words(found)}: {panel.lesson}")
    path = out / f"{index + 1}-{found.density}.png"
    viewer.screenshot(str(path), canvas_only=False, flash=False)
    return path.name
