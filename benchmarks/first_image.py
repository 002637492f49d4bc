"""Print when (seconds since 1970) the demo has drawn its first live image, or napari alone an image; then leave.

    python benchmarks/first_image.py demo|napari

``bench_start.py`` starts it and subtracts when. The demo is that of ``napari-autofocus demo`` on a screen.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

PATIENCE_MS = 240_000


def main() -> None:
    """Open, wait, print, leave."""
    what = sys.argv[1]
    viewer, is_there = _demo() if what == "demo" else _napari()
    import napari
    from qtpy.QtCore import QTimer

    def drawn(_: Any) -> None:
        if is_there():
            print(time.time(), flush=True)
            os._exit(0)  # what closing takes is not asked

    viewer.window._qt_viewer.canvas._scene_canvas.events.draw.connect(drawn)
    QTimer.singleShot(PATIENCE_MS, lambda: os._exit(1))
    napari.run()


def _demo() -> Any:
    import napari_autofocus.cli  # what the shell imports before it knows the command
    from napari_autofocus.cli.demo import _choice
    from napari_autofocus.widgets.demo import Demo

    assert napari_autofocus.cli
    demo = Demo(_choice("he", "sparse", 7, "20x/0.75", None))
    demo.connect()
    return demo.viewer, lambda: demo.session.view.frames_shown > 0


def _napari() -> Any:
    import napari
    import numpy as np

    viewer = napari.Viewer(show=True)
    viewer.add_image(np.zeros((900, 1080, 3), np.uint8), rgb=True)
    return viewer, lambda: True


if __name__ == "__main__":
    main()
