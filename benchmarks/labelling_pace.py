"""How long the labelling panel keeps an annotator waiting: a hundred stacks by keys alone, in the real viewer.

    xvfb-run -a -s "-screen 0 1920x1080x24" python benchmarks/labelling_pace.py [--stacks 100] [--size 128]

Simulated H&E stacks of 21 planes are labelled as fast as keys can be sent: nobody looks at them, so nothing is read
ahead in the seconds that an annotator would spend looking. Brenner runs first. Then B (Brenner is right) on most, every
fifth stack one plane up and Space, every tenth N, every twentieth Ctrl+Z and N again. Counted from a key until the next
stack has been drawn: by the clock, and what the GUI's own thread computed. Writes
benchmarks/results/labelling_pace.json.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import napari
import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_autofocus.workflows.simulate import simulate_stacks
from napari_autofocus.workflows.simulation_settings import SimulationSettings

RESULTS = Path(__file__).parent / "results" / "labelling_pace.json"
PATIENCE_S = 900.0
SEED = 23
_KEYS = Qt.Key
_CONTROL = Qt.KeyboardModifier.ControlModifier


@dataclass(frozen=True)
class Wait:
    """What one key cost: which stack it was pressed on, seconds by the clock and in the GUI's thread."""

    stack: str
    action: str
    wall_s: float
    gui_s: float


class Annotator:
    """Presses keys on a labelling panel."""

    def __init__(self, folder: Path) -> None:
        self.viewer = napari.Viewer(show=False)
        self.viewer.show()
        self.viewer.window.resize(1366, 740)
        _, self.panel = self.viewer.window.add_plugin_dock_widget("napari-autofocus", "Label z-stack")
        self.panel.open_folder(folder)
        self.until(self.in_sight)
        self.viewer.window._qt_window.activateWindow()
        self.until(lambda: QApplication.activeWindow() is not None)
        self.waits: list[Wait] = []

    def until(self, condition: Callable[[], bool]) -> None:
        """Let the event loop run until something is so."""
        end_s = time.monotonic() + PATIENCE_S
        while not condition():
            QApplication.processEvents()
            if time.monotonic() > end_s:
                raise SystemExit(f"Nothing came for {PATIENCE_S:g} s; the panel says: {self.panel.message.text()}")

    def in_sight(self) -> bool:
        """Whether the stack at hand is the one that is shown."""
        item, read = self.panel.at.item, self.panel.folder.read
        return item is not None and read is not None and read.path == item.path

    def measure_all(self) -> float:
        """Have Brenner measure every stack; seconds."""
        began_s = time.perf_counter()
        self.panel.measure.all_button.click()
        self.until(lambda: not self.panel.is_running)
        return time.perf_counter() - began_s

    def press(self, key: Any, action: str = "", modifier: Any = Qt.KeyboardModifier.NoModifier) -> None:
        """Press a key; with an action, wait for the next stack to be drawn and note how long that took."""
        stack = self.panel.at.item.name
        wall_s, gui_s = time.perf_counter(), time.thread_time()
        QTest.keyClick(self.viewer.window._qt_viewer, key, modifier)
        if action:
            self.until(lambda: self.panel.at.item.name != stack and self.in_sight())
        QApplication.processEvents()
        if action:
            self.waits.append(Wait(stack, action, time.perf_counter() - wall_s, time.thread_time() - gui_s))

    def label(self, number: int) -> None:
        """Say something about the stack at hand, by keys."""
        if number % 10 == 9:
            self.press(_KEYS.Key_N, "no content")
        elif number % 5 == 4:
            self.press(_KEYS.Key_Up)
            self.press(_KEYS.Key_Space, "sharp here")
        else:
            self.press(_KEYS.Key_B, "accept")
        if number % 20 == 19:
            self.press(_KEYS.Key_Z, "undo", _CONTROL)
            self.press(_KEYS.Key_N, "no content")


def make(folder: Path, stacks: int, size: int) -> None:
    """Simulated stacks without labels."""
    settings = SimulationSettings(fields=stacks, range_um=5.0, step_um=0.5, seed=SEED, shape=(size, size))
    for _ in simulate_stacks(settings, folder):
        pass
    (folder / "labels.csv").unlink()


def summary(values: list[float]) -> dict[str, float]:
    """Median, 90th percentile and largest, s."""
    return {
        "median": round(float(np.median(values)), 3),
        "p90": round(float(np.quantile(values, 0.9)), 3),
        "worst": round(max(values), 3),
    }


def main() -> None:
    """Label them all; write what it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stacks", type=int, default=100)
    parser.add_argument("--size", type=int, default=128)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "stacks"
        make(folder, options.stacks, options.size)
        annotator = Annotator(folder)
        brenner_s = annotator.measure_all()
        for number in range(options.stacks - 1):  # the last one has no next
            annotator.label(number)
        counts = annotator.panel.at.desk.counts()
        found = {
            "stacks": options.stacks,
            "size_px": options.size,
            "planes": 21,
            "seed": SEED,
            "cores": os.cpu_count(),
            "load_average": round(os.getloadavg()[0], 1),
            "brenner_s": round(brenner_s, 1),
            "keys_that_went_on": len(annotator.waits),
            "wall_s": summary([wait.wall_s for wait in annotator.waits]),
            "gui_thread_s": summary([wait.gui_s for wait in annotator.waits]),
            "counts": counts,
            "slowest": [asdict(wait) for wait in sorted(annotator.waits, key=lambda wait: -wait.wall_s)[:3]],
        }
        annotator.viewer.close()
    RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
