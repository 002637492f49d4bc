"""The picture of the Train panel: ``xvfb-run python docs/picture_training.py OUT.png [MINUTES]``; it trains so long.

Eight simulated stacks are made, and a shipped model is fitted to them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import napari
from PIL import Image
from qtpy.QtWidgets import QApplication

SIMULATE = (
    "from napari_autofocus.cli import main; main()",
    *("simulate", "--stain", "he", "--density", "dense", "--objective", "20x/0.75", "--fields", "8"),
    *("--range-um", "6", "--step-um", "1", "--shape", "512x512", "--seed", "11"),
)
SIZE_PX = (1366, 560)


def wait(until: Callable[[], bool], seconds: float = 1800.0) -> None:
    """Let napari work until something is so, or the time is up."""
    end_s = time.monotonic() + seconds
    while not until() and time.monotonic() < end_s:
        QApplication.processEvents()
        time.sleep(0.01)


def main(out: Path, minutes: float = 4.0) -> None:
    """Train on a few stacks; put the panel on its way and at its end side by side."""
    with tempfile.TemporaryDirectory() as folder:
        stacks = Path(folder) / "slide-12"
        subprocess.run([sys.executable, "-c", *SIMULATE, "--out", str(stacks)], check=True)
        os.environ["NAPARI_AUTOFOCUS_MODELS"] = str(Path(folder) / "models")
        viewer = napari.Viewer()
        viewer.window.resize(*SIZE_PX)
        dock, panel = viewer.window.add_plugin_dock_widget("napari-autofocus", "Train")
        pictures = [Path(folder) / f"{number}.png" for number in range(3)]
        panel.choice.choose(stacks)
        wait(lambda: not panel.choice.summary.is_looking)
        panel.choice.minutes_box.setValue(minutes)
        keep(dock, pictures[0])
        panel.train_button.click()
        wait(lambda: (panel.run.taught_s > 48 * minutes and bool(panel.run.pairs)) or panel.run.state == "idle")
        keep(dock, pictures[1])
        wait(lambda: panel.run.state == "idle")
        panel.result.use_button.click()
        wait(lambda: panel.result.undo_button.isEnabled(), 60)
        keep(dock, pictures[2])
        print(panel.run.result or panel.message.text())
        viewer.close()
        join(pictures, out)


def keep(dock: object, picture: Path) -> None:
    """Take a picture of the panel."""
    wait(lambda: False, 0.3)
    dock.grab().save(str(picture))


def join(pictures: list[Path], out: Path) -> None:
    """Put pictures side by side."""
    parts = [Image.open(picture).convert("RGB") for picture in pictures]
    whole = Image.new("RGB", (sum(part.width for part in parts), max(part.height for part in parts)))
    left = 0
    for part in parts:
        whole.paste(part, (left, 0))
        left += part.width
    whole.quantize(256, kmeans=1).save(out, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *(float(value) for value in sys.argv[2:]))
