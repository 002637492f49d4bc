"""Live mode with estimates and all overlays: frames and estimates a second, the longest stall of the GUI, memory; idle.

A simulated camera replays 1024 x 1024 RGB planes, rendered before, at 20 frames a second while the focus drive goes
slowly up and down. Run it with a screen, or on one in memory with software rendering:

    xvfb-run -a -s "-screen 0 1920x1080x24" python benchmarks/live.py [--minutes 10] [--idle-seconds 60]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import napari
import numpy as np
from qtpy.QtCore import QEventLoop, QTimer, qVersion

from napari_autofocus.microscope.protocol import walk_to
from napari_autofocus.microscope.replay import PlaneReplay
from napari_autofocus.microscope.simulated import SimulatedRig, simulated_rig
from napari_autofocus.models.predictor import load_model
from napari_autofocus.optics import Objective
from napari_autofocus.simulation.scene import Scene
from napari_autofocus.widgets.session import Connection, Session

RESULTS = Path(__file__).parent / "results" / "live.json"
MODEL = "brightfield-20x"
OBJECTIVE = "20x/0.75"
SIDE_PX = 1024
WINDOW = (1366, 740)
EXPOSURE_MS = 50.0
REACH_UM = 6.0
STEP_UM = 0.5
MOVE_EVERY_MS = 400
TICK_MS = 5
RSS_EVERY_S = 5.0
WARM_UP_S = 10.0
TARGETS = {
    "displayed_per_s": (9.0, "at_least"),
    "estimates_per_s": (9.0, "at_least"),
    "longest_stall_ms": (150.0, "at_most"),
}


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
    """A microscope whose field was rendered once, every half depth of field."""
    scene = Scene.build("he", "dense", OBJECTIVE, seed=3, shape=(SIDE_PX, SIDE_PX))
    centre_um = scene.best_focus_um(0.0, 0.0)
    positions = centre_um + np.arange(-REACH_UM, REACH_UM + STEP_UM / 2, STEP_UM)
    planes = PlaneReplay.of(scene, positions, rng=np.random.default_rng(0))
    return simulated_rig(planes, exposure_ms=EXPOSURE_MS, reject_repeats=False, settling_s=0.05, speed_um_s=20.0)


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


def live(viewer: Any, session: Session, minutes: float) -> dict[str, Any]:
    """Live mode, estimates and overlays for so many minutes, after ten seconds to warm up."""
    screen, heart = Screen(viewer, session), Heartbeat()
    estimates: list[float] = []
    refusals: list[str] = []
    session.focus.estimated.connect(lambda told: estimates.append(told.estimate.seconds))
    session.focus.refused.connect(lambda error: refusals.append(str(error)))
    session.set_live(True)
    mover = up_and_down(session)
    heart.start()
    let_pass(WARM_UP_S)
    start_up_ms = max(heart.gaps_ms)
    screen.draws = screen.displayed = 0
    estimates.clear()
    heart.start()
    memory: list[tuple[float, float]] = [(0.0, rss_mb())]
    began_s, cpu_s = time.perf_counter(), time.process_time()
    let_pass(60 * minutes, lambda: memory.append((time.perf_counter() - began_s, rss_mb())))
    seconds, cpu_s = time.perf_counter() - began_s, time.process_time() - cpu_s
    heart.stop()
    mover.stop()
    session.set_live(False)
    gaps = np.sort(heart.gaps_ms)
    return {
        "seconds": round(seconds, 1),
        "displayed_per_s": round(screen.displayed / seconds, 2),
        "redraws_per_s": round(screen.draws / seconds, 2),
        "estimates_per_s": round(len(estimates) / seconds, 2),
        "estimate_ms": round(1000 * float(np.median(estimates)), 1) if estimates else None,
        "longest_stall_ms": round(float(gaps[-1]), 1),
        "stalls_99_9_ms": round(float(np.quantile(gaps, 0.999)), 1),
        "stalls_above_150_ms": int((gaps > 150).sum()),
        "longest_stall_at_start_ms": round(start_up_ms, 1),
        "cpu_cores": round(cpu_s / seconds, 2),
        "refusals": refusals,
        "memory": _memory(memory),
    }


def _memory(samples: list[tuple[float, float]]) -> dict[str, Any]:
    at_s, mb = np.array(samples).T
    late = at_s >= at_s[-1] / 3
    slope = float(np.polyfit(at_s[late] / 60, mb[late], 1)[0]) if late.sum() > 2 else None
    return {"start_mb": round(mb[0], 1), "end_mb": round(mb[-1], 1), "slope_mb_per_min": slope and round(slope, 2)}


def idle(seconds: float) -> dict[str, Any]:
    """Share of one core that napari takes with the panels open and nothing running."""
    let_pass(5)
    began_s, cpu_s = time.perf_counter(), time.process_time()
    let_pass(seconds)
    passed_s = time.perf_counter() - began_s
    return {
        "seconds": round(passed_s, 1),
        "percent_of_a_core": round(100 * (time.process_time() - cpu_s) / passed_s, 3),
    }


def open_panel(viewer: Any, session: Session, *, bare: bool) -> list[Any]:
    """The Autofocus panel with everything switched on; or only what it is made of."""
    session.focus.use_model(load_model(MODEL))
    if not bare:
        raise NotImplementedError
    from napari_autofocus.widgets.estimating import LiveEstimator
    from napari_autofocus.widgets.overlays import FocusOverlays

    estimator, overlays = LiveEstimator(session), FocusOverlays(viewer, session.focus)
    overlays.show_defocus(True)
    estimator.set_source("camera")
    return [estimator, overlays]


def judged(found: dict[str, Any]) -> list[dict[str, Any]]:
    """The figures to reach, and whether they were."""
    return [
        {
            "figure": name,
            how: limit,
            "found": found[name],
            "reached": found[name] >= limit if how == "at_least" else found[name] <= limit,
        }
        for name, (limit, how) in TARGETS.items()
    ]


def main() -> None:
    """Run the benchmark and write its figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--idle-seconds", type=float, default=60.0)
    parser.add_argument("--bare", action="store_true", help="without the panel: only what estimates and draws")
    parser.add_argument("--screenshot", type=Path)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    rig = replaying_rig()
    viewer = napari.Viewer(show=True)
    viewer.window.resize(*WINDOW)
    session = Session.of(viewer)
    parts = open_panel(viewer, session, bare=options.bare)
    result: dict[str, Any] = {"machine": {"cores": os.cpu_count(), "load": os.getloadavg()[0]}}
    if options.idle_seconds:
        result["idle"] = idle(options.idle_seconds)
    lens = Objective.parse(OBJECTIVE, pixel_size_um=rig.scene.pixel_size_um)
    session.connect(Connection("Replay", rig.microscope, rig.close, dof_um=lens.dof_um, objective=lens, rig=rig))
    session.focus.state_objective(lens)
    result["live"] = live(viewer, session, options.minutes)
    if options.screenshot:
        viewer.screenshot(str(options.screenshot), canvas_only=False, flash=False)
    result["targets"] = judged(result["live"])
    result["machine"] |= {"load_after": os.getloadavg()[0], "python": platform.python_version(), "qt": qVersion()}
    print(json.dumps(result, indent=1))
    options.out.write_text(json.dumps(result, indent=1) + "\n")
    del parts
    viewer.close()


if __name__ == "__main__":
    main()
