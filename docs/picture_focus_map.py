"""Pictures of the Focus map panel: ``xvfb-run python docs/picture_focus_map.py OUT_DIR [COLUMNS]``; some minutes.

A tilted simulated slide is surveyed by the model that fits it, with COLUMNS x COLUMNS points (8 unless given).
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

LONGEST_S = 3000.0
SIZE_PX = (1366, 860)


def wait(until: Callable[[], bool], seconds: float = LONGEST_S) -> None:
    """Let napari work until something is so, or the time is up."""
    end_s = time.monotonic() + seconds
    while not until() and time.monotonic() < end_s:
        QApplication.processEvents()
        time.sleep(0.01)


def keep(viewer: napari.Viewer, path: Path) -> None:
    """Take a picture of the window, in few colours."""
    wait(lambda: False, 2.0)
    viewer.screenshot(str(path), canvas_only=False, flash=False)
    with Image.open(path) as picture:
        small = picture.convert("RGB").quantize(128, kmeans=1)
    small.save(path, optimize=True)


def main(out: Path, columns: int = 8) -> None:
    """Survey 4 x 4 mm, and look at the map flat and from the side."""
    viewer = napari.Viewer(show=False)
    viewer.show()
    viewer.window.resize(*SIZE_PX)
    session = Session.of(viewer)
    _, panel = viewer.window.add_plugin_dock_widget("napari-autofocus", "Focus map")
    session.connect(SimulatedChoice("he", "dense", tilt_um_per_mm=3.0, shape=(450, 540)).connect())
    wait(lambda: session.focus.model is not None)
    panel.plan.side_box.setValue(4)
    panel.plan.square_button.click()
    panel.plan.kind_box.setCurrentIndex(panel.plan.kind_box.findData("grid"))
    panel.plan.columns_box.setValue(columns)
    panel.plan.rows_box.setValue(columns)
    panel.survey.start_button.click()
    wait(lambda: panel.record is not None)
    wait(lambda: panel.book.map is not None and panel.book.map.points == panel.book.points)
    panel.tabs.setCurrentWidget(panel.judge)
    wait(lambda: False, 1.0)  # the docks find their widths
    panel.view.show_map()
    keep(viewer, out / "focus_map.png")
    panel.view.solid_button.click()
    keep(viewer, out / "focus_map_side.png")
    viewer.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *(int(columns) for columns in sys.argv[2:]))
