"""Picture of the Tunable lens panel: ``xvfb-run python docs/picture_lens.py OUT_DIR [CURVE.json]``.

With the curve of a file it is shown as loaded and focusing; without, the simulated lens is calibrated first, for
some minutes.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import napari
from PIL import Image
from qtpy.QtWidgets import QApplication

from napari_autofocus.widgets.choices import SimulatedChoice
from napari_autofocus.widgets.session import Session

SIZE_PX = (1366, 900)


def wait(seconds: float) -> None:
    """Let napari work."""
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        QApplication.processEvents()
        time.sleep(0.01)


def main(out: Path, curve: Path | None) -> None:
    """The panel beside a simulated slide, in few colours."""
    viewer = napari.Viewer(show=False)
    viewer.show()
    viewer.window.resize(*SIZE_PX)
    session = Session.of(viewer)
    session.connect(SimulatedChoice(shape=(450, 540)).connect())
    session.snap()
    _, panel = viewer.window.add_plugin_dock_widget("napari-autofocus", "Tunable lens")
    wait(3.0)
    if curve is None:
        panel.start_button.click()
        while session.is_running:
            wait(0.5)
    else:
        panel.keeping.load(curve)
        panel.keeping.use_button.click()
    wait(3.0)
    with tempfile.TemporaryDirectory() as place:
        shot = Path(place) / "shot.png"
        viewer.screenshot(str(shot), canvas_only=False, flash=False)
        with Image.open(shot) as picture:
            picture.convert("RGB").quantize(256, kmeans=1).save(out / "tunable_lens.png", optimize=True)
    viewer.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
