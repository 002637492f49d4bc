"""Pictures of the Virtual refocus panel: ``xvfb-run python docs/picture_virtual.py OUT_DIR [light|dark]``; a minute.

Two planes of the dense sample stack are the shots. The model is ``tsva-20x``, or the file that MODEL names.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import napari
from PIL import Image
from qtpy.QtWidgets import QApplication

from napari_autofocus.io.napari import read_stack
from napari_autofocus.sample_data import sample_path
from napari_autofocus.widgets.session import Session

LONGEST_S = 600.0
SIZE_PX = (1366, 820)


def wait(until: Callable[[], bool], seconds: float = LONGEST_S) -> None:
    """Let napari work until something is so, or the time is up."""
    end_s = time.monotonic() + seconds
    while not until() and time.monotonic() < end_s:
        QApplication.processEvents()
        time.sleep(0.01)


def keep(viewer: napari.Viewer, path: Path) -> None:
    """Take a picture of the window, in few colours."""
    wait(lambda: False, 1.0)
    viewer.screenshot(str(path), canvas_only=False, flash=False)
    with Image.open(path) as picture:
        small = picture.convert("RGB").quantize(256, kmeans=1)
    small.save(path, optimize=True)


def main(out: Path, theme: str = "dark") -> None:
    """Recover the image in focus from two planes, and compare it with the plane in focus."""
    viewer = napari.Viewer()
    viewer.theme = theme
    viewer.window.resize(*SIZE_PX)
    session = Session.of(viewer)
    _, panel = viewer.window.add_plugin_dock_widget("napari-autofocus", "Virtual refocus")
    wait(lambda: not session.analysis.busy)
    if "MODEL" in os.environ:
        panel.model.use_file(Path(os.environ["MODEL"]))
    ((data, attributes, _),) = read_stack(str(sample_path("he_dense")))
    viewer.add_image(data, **attributes)
    wait(lambda: not session.analysis.busy)
    keep(viewer, out / "virtual_before.png")
    panel.source.stack.half_box.setValue(1.6)
    panel.run_button.click()
    wait(lambda: not session.analysis.busy)
    panel.compare.count_button.click()
    wait(lambda: not session.analysis.busy)
    panel.compare.pictures.beside_button.click()
    keep(viewer, out / "virtual_refocus.png")
    panel.compare.pictures.beside_button.click()
    panel.result.uncertainty_box.setChecked(True)
    keep(viewer, out / "virtual_uncertainty.png")
    viewer.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
