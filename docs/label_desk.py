"""Take the picture of the labelling panel at work: ``xvfb-run -a python docs/label_desk.py OUT.png``; a minute."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import napari
from qtpy.QtWidgets import QApplication

from napari_autofocus.labelling.opinions import Opinion
from napari_autofocus.widgets.labelling import LabellingPanel
from napari_autofocus.workflows.labels.desk import LabellingDesk
from napari_autofocus.workflows.simulate import simulate_stacks
from napari_autofocus.workflows.simulation_settings import SimulationSettings

FIELDS = 8
PATIENCE_S = 600.0


def until(condition: Callable[[], bool]) -> None:
    """Let the event loop run until something is so."""
    end_s = time.monotonic() + PATIENCE_S
    while not condition():
        QApplication.processEvents()
        time.sleep(0.005)
        if time.monotonic() > end_s:
            raise SystemExit("The panel did not come to rest.")


def settle(seconds: float = 1.0) -> None:
    """Let everything be drawn."""
    end_s = time.monotonic() + seconds
    until(lambda: time.monotonic() > end_s)


def work(panel: LabellingPanel, folder: Path) -> None:
    """Ann labels some stacks, of which Ben sees two otherwise."""
    panel.source.annotator_edit.setText("ann")
    panel.open_folder(folder)
    in_sight(panel, 0)
    panel.measure.all_button.click()
    until(lambda: not panel.is_running)
    acts = panel.acts.by_name
    for number, action in enumerate(("accept", "accept", "no_content"), 1):
        acts[action]()
        in_sight(panel, number)
    with LabellingDesk(folder, "ben") as ben:
        for item, shift_um in zip(ben.items[:4], (0.1, 1.6, None, 0.9), strict=True):
            best_z_um = item.consensus.best_z_um
            if shift_um is not None and best_z_um is not None:
                ben.say(item.path, Opinion("sharp", best_z_um + shift_um))
    panel.at.look()
    until(lambda: "ben" in panel.work.model.index(3, 3).data())
    panel.at.turn_to(panel.at.items[3].path)
    panel.view.patches_check.setChecked(True)


def in_sight(panel: LabellingPanel, number: int) -> None:
    """Wait for a stack."""
    path = panel.at.items[number].path if panel.at.items else None
    until(lambda: panel.folder.read is not None and path in (None, panel.folder.read.path))


def main() -> None:
    """Simulate, label, take the picture."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "biopsy"
        settings = SimulationSettings(fields=FIELDS, range_um=6.0, step_um=0.5, seed=4, shape=(384, 448))
        for _ in simulate_stacks(settings, folder):
            pass
        viewer = napari.Viewer(show=False)
        viewer.show()
        viewer.window.resize(1366, 740)
        _, panel = viewer.window.add_plugin_dock_widget("napari-autofocus", "Label z-stack")
        settle()
        work(panel, folder)
        settle()
        viewer.screenshot(sys.argv[1], canvas_only=False, flash=False)
        viewer.close()


if __name__ == "__main__":
    main()
