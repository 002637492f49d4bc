"""What ``live.py`` measures with: a camera that replays planes, a drive that moves, timers of the event loop."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtCore import QEventLoop, QTimer

from napari_autofocus.microscope.clock import WallClock
from napari_autofocus.microscope.protocol import walk_to
from napari_autofocus.microscope.replay import PlaneReplay
from napari_autofocus.microscope.simulated import SimulatedRig, simulated_rig
from napari_autofocus.simulation.scene import Scene
from napari_autofocus.widgets.session import Session

EXPOSURE_MS = 50.0
REACH_UM = 6.0
STEP_UM = 0.25
MOVE_EVERY_MS = 100
TICK_MS = 5
RSS_EVERY_S = 5.0
SIDE_PX = 1024
OBJECTIVE = "20x/0.75"


class Heartbeat:
    """A timer of the event loop: how far apart its ticks come is how long the GUI did not answer."""

    def __init__(self) -> None:
        self.gaps_ms: list[float] = []
        self._last_s = time.perf_counter()
        self._timer = QTimer()
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self._on_tick)

    def start(self) -> None:
        self.gaps_ms, self._last_s = [], time.perf_counter()
        self._timer.start()

    def stop(self) -> None:
        self._timer.stop()

    def _on_tick(self) -> None:
        now_s = time.perf_counter()
        self.gaps_ms.append(1000 * (now_s - self._last_s))
        self._last_s = now_s


class CountingClock(WallClock):
    """The wall clock; counts what devices have waited for."""

    slept_s = 0.0

    def sleep(self, seconds: float) -> None:
        """Wait that long."""
        began_s = self.now_s()
        super().sleep(seconds)
        self.slept_s += self.now_s() - began_s


class Screen:
    """Counts what really reaches the screen."""

    def __init__(self, viewer: Any, session: Session) -> None:
        self._session = session
        self.draws = self.displayed = 0
        self._counted = 0
        viewer.window._qt_viewer.canvas._scene_canvas.events.draw.connect(self._on_draw)

    def _on_draw(self, _: Any) -> None:
        self.draws += 1
        shown = self._session.view.frames_shown
        self.displayed += shown != self._counted
        self._counted = shown


def replaying_rig() -> SimulatedRig:
    """A microscope whose field was rendered once, every quarter of a depth of field."""
    scene = Scene.build("he", "dense", OBJECTIVE, seed=3, shape=(SIDE_PX, SIDE_PX))
    centre_um = scene.best_focus_um(0.0, 0.0)
    positions = centre_um + np.arange(-REACH_UM, REACH_UM + STEP_UM / 2, STEP_UM)
    planes = PlaneReplay.of(scene, positions, rng=np.random.default_rng(0))
    return simulated_rig(
        planes, exposure_ms=EXPOSURE_MS, reject_repeats=False, settling_s=0.05, speed_um_s=20.0, clock=CountingClock()
    )


def up_and_down(session: Session) -> QTimer:
    """Move the drive a little every now and then, there and back."""
    path = np.concatenate([np.arange(-REACH_UM, REACH_UM, STEP_UM), np.arange(REACH_UM, -REACH_UM, -STEP_UM)])
    state = {"index": 0}

    def move() -> None:
        if session.hardware.busy or session.is_running:
            return
        z_um = float(path[state["index"] % len(path)])
        state["index"] += 1
        session.ask(lambda microscope: walk_to(microscope.focus, z_um))

    timer = QTimer()
    timer.timeout.connect(move)
    timer.start(MOVE_EVERY_MS)
    return timer


def rss_mb() -> float:
    """Memory of this process, MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def let_pass(seconds: float, every: Callable[[], None] | None = None, every_s: float = RSS_EVERY_S) -> None:
    """Let the event loop run, undisturbed."""
    loop = QEventLoop()
    QTimer.singleShot(int(1000 * seconds), loop.quit)
    watch = QTimer()
    if every is not None:
        watch.timeout.connect(every)
        watch.start(int(1000 * every_s))
    loop.exec()
    watch.stop()


def wait_until(done: Callable[[], bool], timeout_s: float = 60.0) -> None:
    """Let the event loop run until something is so."""
    loop, watch = QEventLoop(), QTimer()
    watch.timeout.connect(lambda: loop.quit() if done() else None)
    QTimer.singleShot(int(1000 * timeout_s), loop.quit)
    watch.start(1)
    loop.exec()
    watch.stop()
