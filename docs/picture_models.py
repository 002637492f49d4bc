"""Pictures for models.md: ``xvfb-run python docs/picture_models.py OUT_DIR [STAIN …]``; a minute each.

The Autofocus panel on a fluorescent slide and on unstained cells, seen by a grey camera; the model is chosen by itself.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import napari
from PIL import Image
from qtpy.QtWidgets import QApplication

from napari_autofocus.widgets.choices import SimulatedChoice
from napari_autofocus.widgets.session import Session

LONGEST_S = 240.0
SIZE_PX = (1200, 800)
DEFOCUS_UM = 4.0


def wait(until: Callable[[], bool], seconds: float = LONGEST_S) -> None:
    """Let napari work until something is so, or the time is up."""
    end_s = time.monotonic() + seconds
    while not until() and time.monotonic() < end_s:
        QApplication.processEvents()
        time.sleep(0.01)


def picture(stain: str, path: Path) -> None:
    """Look at a slide that is a few µm out of focus."""
    viewer = napari.Viewer(show=False)
    viewer.show()
    viewer.window.resize(*SIZE_PX)
    session = Session.of(viewer)
    _, panel = viewer.window.add_plugin_dock_widget("napari-autofocus", "Autofocus")
    connection = SimulatedChoice(stain, "dense", shape=(640, 768)).connect()
    session.connect(connection)
    wait(lambda: not session.analysis.busy)
    wait(lambda: session.focus.chosen is not None, 60)
    session.ask(lambda microscope: microscope.focus.move_to(DEFOCUS_UM))
    panel.image.choose("camera")
    panel.image.estimate_button.setChecked(True)
    panel.show_row.defocus_box.setChecked(True)
    session.snap()
    wait(lambda: session.focus.newest is not None, 60)
    wait(lambda: False, 3.0)
    viewer.screenshot(str(path), canvas_only=False, flash=False)
    with Image.open(path) as taken:
        small = taken.convert("RGB").quantize(128, kmeans=1)
    small.save(path, optimize=True)
    viewer.close()


if __name__ == "__main__":
    for name in sys.argv[2:] or ("fluorescence", "unstained"):
        picture(name, Path(sys.argv[1]) / f"model_{name}.png")
