"""Pictures of calibrating: ``xvfb-run python docs/picture_calibrating.py FOLDER OUT_DIR`` of a finished calibration.

FOLDER is what ``napari-autofocus calibrate`` left; the report is drawn by chromium, where that is installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import napari
from PIL import Image
from qtpy.QtWidgets import QApplication

from napari_autofocus.widgets.choices import SimulatedChoice
from napari_autofocus.widgets.session import Session

SIZE_PX = (1366, 740)
PAGE_PX = (1000, 1180)


def wait(seconds: float) -> None:
    """Let napari work."""
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        QApplication.processEvents()
        time.sleep(0.01)


def panel(folder: Path, out: Path) -> None:
    """The panel with the verdict, beside a simulated slide."""
    os.environ["NAPARI_AUTOFOCUS_MODELS"] = str(folder.parent)
    viewer = napari.Viewer(show=False)
    viewer.show()
    viewer.window.resize(*SIZE_PX)
    session = Session.of(viewer)
    session.connect(SimulatedChoice(shape=(450, 540)).connect())
    session.snap()
    _, panel = viewer.window.add_plugin_dock_widget("napari-autofocus", "Calibrate")
    panel.form.name_edit.setText(folder.name.removesuffix(".calibration"))
    panel.form.changed.emit()
    wait(3.0)
    viewer.screenshot(str(out), canvas_only=False, flash=False)
    viewer.close()


def page(folder: Path, out: Path) -> None:
    """The report in a browser."""
    chromium = shutil.which("chromium")
    if chromium is None:
        print("chromium is not installed; the report was not drawn.")
        return
    size = f"--window-size={PAGE_PX[0]},{PAGE_PX[1]}"
    options = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", size, f"--screenshot={out}")
    subprocess.run([chromium, *options, (folder / "calibration.html").absolute().as_uri()], check=True)


def main(folder: Path, out: Path) -> None:
    """Both, in few colours."""
    with tempfile.TemporaryDirectory() as place:
        for name, draw in (("calibrate.png", panel), ("calibration_report.png", page)):
            draw(folder, Path(place) / name)
            if (Path(place) / name).exists():
                with Image.open(Path(place) / name) as picture:
                    picture.convert("RGB").quantize(256, kmeans=1).save(out / name, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute(), Path(sys.argv[2]))
