"""Does napari survive layers that go beside a live image? With napari alone, and with what this package does about it.

A picture is drawn 25 times a second; three layers come, are hidden and go, one after the other; again and again.

    xvfb-run -a -s "-screen 0 1920x1080x24" python benchmarks/removed_layers.py           # napari alone
    xvfb-run -a -s "-screen 0 1920x1080x24" python benchmarks/removed_layers.py --kept

Each ends with the number of rounds it has survived, or in a crash of the process. What happens is told in
``widgets/layers/canvas_context.py``.
"""

from __future__ import annotations

import argparse
import faulthandler
from typing import Any

import napari
import numpy as np
from qtpy.QtCore import QEventLoop, QTimer

from napari_autofocus.widgets.layers.canvas_context import keep_context

SIDE_PX = 256
FRAME_EVERY_MS = 40
LAYERS = 3
_SEEN_MS, _HIDDEN_MS, _BETWEEN_MS = 250, 150, 100


def let_pass(milliseconds: int) -> None:
    """Let the window work for so long."""
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


def live_image(viewer: Any, rng: np.random.Generator) -> QTimer:
    """A picture that changes as a camera's does."""
    layer = viewer.add_image(np.zeros((SIDE_PX, SIDE_PX, 3), np.uint8), name="live", rgb=True)

    def draw() -> None:
        layer.data[:] = rng.integers(0, 255, layer.data.shape, np.uint8)
        layer.refresh(extent=False, thumbnail=False, highlight=False)

    timer = QTimer()
    timer.timeout.connect(draw)
    timer.start(FRAME_EVERY_MS)
    return timer


def one_round(viewer: Any, rng: np.random.Generator) -> None:
    """Layers come, are hidden, and go."""
    layers = [viewer.add_image(rng.random((16, 16)), scale=(16, 16), opacity=0.5) for _ in range(LAYERS)]
    let_pass(_SEEN_MS)
    for layer in layers:
        layer.visible = False
    let_pass(_HIDDEN_MS)
    for layer in layers:
        viewer.layers.remove(layer)
        let_pass(_BETWEEN_MS)


def main() -> None:
    """Do as many rounds as are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument(
        "--kept", action="store_true", help="with the canvas's context made current before a layer goes"
    )
    options = parser.parse_args()
    faulthandler.enable(all_threads=False)
    rng = np.random.default_rng(0)
    viewer = napari.Viewer(show=True)
    if options.kept:
        keep_context(viewer)
    timer = live_image(viewer, rng)
    for number in range(options.rounds):
        one_round(viewer, rng)
        print(f"round {number + 1} of {options.rounds}", flush=True)
    timer.stop()
    viewer.close()


if __name__ == "__main__":
    main()
