"""The picture of the Acquire panel: ``xvfb-run python docs/picture_acquiring.py OUT.png [light|dark]``; a minute."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import napari
import numpy as np
from qtpy.QtWidgets import QApplication

from napari_autofocus.microscope.clock import VirtualClock
from napari_autofocus.microscope.simulated import simulated_rig
from napari_autofocus.optics import Objective
from napari_autofocus.simulation.scene import Scene
from napari_autofocus.widgets.session import Connection, Session

LONGEST_S = 300.0
LENS = Objective.parse("20x/0.75")


def wait(until: Callable[[], bool], seconds: float = LONGEST_S) -> None:
    """Let napari work until something is so, or the time is up."""
    end_s = time.monotonic() + seconds
    while not until() and time.monotonic() < end_s:
        QApplication.processEvents()
        time.sleep(0.01)


def main(out: Path, theme: str = "dark") -> None:
    """Acquire a few small stacks of a sparse smear and take a picture on the way."""
    viewer = napari.Viewer()
    viewer.theme = theme
    viewer.window.resize(1366, 740)
    session = Session.of(viewer)
    scene = Scene.build("cytology", "extremely-sparse", LENS, seed=5, shape=(512, 612))
    rig = simulated_rig(scene, clock=VirtualClock())
    session.connect(Connection("Simulated", rig.microscope, rig.close, dof_um=1.0, objective=LENS, rig=rig))
    _, panel = viewer.window.add_plugin_dock_widget("napari-autofocus", "Acquire stacks")
    session.snap()
    wait(lambda: session.view.frames_shown > 0)
    with tempfile.TemporaryDirectory() as folder:
        panel.folder.choose(Path(folder) / "slide 12")
        panel.places.count_box.setValue(8)
        panel.places.rng = np.random.default_rng(3)  # the same places in every picture
        panel.stacks.range_box.setValue(4)
        panel.stacks.step_box.setValue(1)
        panel.start_button.click()
        wait(lambda: panel.fields.count() >= 6 and "plane" in panel.message.text())
        wait(lambda: False, 0.5)
        viewer.screenshot(str(out), canvas_only=False, flash=False)
        panel.stop_button.click()
        wait(lambda: not session.is_running)
    viewer.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
