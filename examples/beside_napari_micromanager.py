"""napari with napari-micromanager and our panels, on one core: theirs runs the microscope, ours focuses it.

    python examples/beside_napari_micromanager.py                on Micro-Manager's demo devices
    python examples/beside_napari_micromanager.py MMConfig.cfg   on a microscope of your own
    python examples/beside_napari_micromanager.py --run          focuses the demo devices, tells what came of it, ends

By hand: open *Plugins > napari-micromanager* and load a configuration there; then open *Plugins > Autofocus >
Microscope*, choose "Running core of another plugin" and connect. Disconnecting leaves the core to them, as it is.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import napari
from napari_micromanager.main_window import MainWindow
from qtpy.QtTest import QTest

from napari_autofocus.widgets.autofocus import AutofocusPanel
from napari_autofocus.widgets.connecting import RUNNING
from napari_autofocus.widgets.session import Session


def wait(until: Callable[[], bool]) -> None:
    """Let napari work until something is so."""
    while not until():
        QTest.qWait(10)


def focus_by_sweep(session: Session, panel: AutofocusPanel) -> None:
    """What a person does: choose the method Sweep, press the button, read the result."""
    core = session.microscope.core
    core.setProperty("Camera", "Mode", "Fluorescent Beads")  # these blur with distance from 0
    core.setPosition(3.4)  # their slider would do it; our panels see every move of the core
    options = panel.refocusing.options
    options.method_box.setCurrentIndex(options.method_box.findData("sweep"))
    panel.refocusing.buttons.refocus.click()
    wait(lambda: panel.record is not None and not session.is_running)
    print(f"outcome: {panel.record.outcome}, {panel.record.frames} frames")
    print(f"drive, as their core says: {panel.record.start_um:.2f} -> {core.getPosition():.2f} µm")


def main() -> None:
    """Their window first, then ours, then connected."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", nargs="?", default="MMConfig_demo.cfg", help="a Micro-Manager configuration (.cfg)")
    parser.add_argument("--run", action="store_true", help="focus the demo devices and end")
    parser.add_argument("--picture", type=Path, help="with --run: keep a picture of the window")
    wanted = parser.parse_args()
    viewer = napari.Viewer()
    theirs = MainWindow(viewer, config=wanted.config)
    viewer.window.add_dock_widget(theirs, name="Micro-Manager", area="top")
    _, microscope = viewer.window.add_plugin_dock_widget("napari-autofocus", "Microscope")
    dock, autofocus = viewer.window.add_plugin_dock_widget("napari-autofocus", "Autofocus", tabify=True)
    microscope.form.source_box.setCurrentIndex(RUNNING)
    microscope.form.connect_button.click()
    if not wanted.run:
        napari.run()
        return
    session = Session.of(viewer)
    wait(lambda: session.connection is not None and session.focus.model is not None)  # chosen for this camera
    print(f"one core: {session.microscope.core is theirs.core}")
    dock.raise_()
    focus_by_sweep(session, autofocus)
    if wanted.picture:
        viewer.window.resize(1366, 860)
        QTest.qWait(2000)
        viewer.reset_view()
        viewer.screenshot(str(wanted.picture), canvas_only=False, flash=False)
    microscope.form.connect_button.click()  # disconnect
    print(f"still theirs: camera {theirs.core.getCameraDevice()}, stage {theirs.core.getFocusDevice()}")
    viewer.close()


if __name__ == "__main__":
    main()
