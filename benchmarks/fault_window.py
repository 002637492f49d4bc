"""A napari window is closed while a routine runs in it: does everything stop, go back and let the process end?

    python benchmarks/fault_window.py [--seed 0] [--doing refocus] --out FILE

Opens napari with the Microscope and Autofocus panels over a simulated microscope that lives by the wall clock, starts
live mode and a routine (by the panel's buttons where it has some), and closes the window after a random time. What is
told is told by the devices: commands after the end, limits, where the drive rests, whether the camera still streams.
Needs a screen; without one it starts itself again under ``xvfb-run``.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from fault_stand import BEST_UM, DOF_UM, HOME_UM, LENS, LIMITS_UM, XY_LIMITS_UM, ReadableSlide, Stand
from fault_window_doing import DOING, ENDED_S, Scene
from napari_autofocus.errors import AutofocusError
from napari_autofocus.microscope.simulated import simulated_rig

OPENED_MS, POLL_MS, STARTS_MS = 1500, 20, 20_000


def stand_by_the_wall(seed: int, folder: Path) -> Stand:
    """A microscope slow enough to be interrupted, out of focus, that lives by the wall clock."""
    slide, direction = ReadableSlide(), random.Random(seed).choice((-1, 1))
    limits = {"limits_um": LIMITS_UM, "xy_limits_um": XY_LIMITS_UM}
    rig = simulated_rig(
        slide, focus_direction=direction, exposure_ms=60.0, speed_um_s=15.0, xy_speed_um_s=100.0, seed=seed, **limits
    )
    rig.microscope.move_xy_to(*HOME_UM)
    start_um = rig.microscope.focus.move_to(direction * BEST_UM + 5.0)
    return Stand(rig, slide, folder, np.random.default_rng(seed), direction, start_um)


def reader_of(stand: Stand) -> Any:
    """A model that the panels take for a real one."""
    from napari_autofocus.models.library import find_model
    from napari_autofocus.models.package import CardOptics, open_package

    made: Any = stand.reader()
    card = open_package(find_model("brightfield-20x")).card
    made.card = card.model_copy(update={"optics": CardOptics.of(LENS, "mono"), "patch_px": 32, "stride_px": 16})
    return made


def open_window(stand: Stand) -> Scene:
    """Napari with two panels, connected to the microscope."""
    import napari

    from napari_autofocus.widgets.session import Connection, Session

    viewer, rig = napari.Viewer(show=True), stand.rig
    for name in ("Microscope", "Autofocus"):
        _, panel = viewer.window.add_plugin_dock_widget("napari-autofocus", name)
    session = Session.of(viewer)
    session.connect(Connection("rig", rig.microscope, rig.microscope.close, dof_um=1.0, objective=LENS, rig=rig))
    session.focus.use_model(reader_of(stand))
    return Scene(viewer, session, panel, stand, stand.folder)


def run(doing: str, after_ms: int, seed: int, folder: Path) -> dict[str, Any]:
    """Open, start, close; what the devices say afterwards."""
    import napari
    from qtpy.QtCore import QTimer

    scene = open_window(stand_by_the_wall(seed, folder))
    stage, moments = scene.stand.rig.z_stage, dict[str, float]()
    earlier = len(stage.commands_um)

    def begin() -> None:
        scene.session.set_live(True)
        try:
            DOING[doing].begin(scene)
        finally:
            once_running()

    def once_running(left: int = STARTS_MS // POLL_MS) -> None:
        """Close some time after it has begun, or all the same where it does not begin."""
        if left and not DOING[doing].is_running(scene):
            QTimer.singleShot(POLL_MS, lambda: once_running(left - 1))
        else:
            QTimer.singleShot(after_ms, close)

    def close() -> None:
        moments["running"] = DOING[doing].is_running(scene)
        moments["closing"] = time.monotonic()
        scene.viewer.close()

    QTimer.singleShot(OPENED_MS, begin)
    napari.run()
    closed_s = time.monotonic() - moments["closing"]
    return {
        "doing": doing,
        "after_ms": after_ms,
        "was_running": bool(moments["running"]),
        "closed_s": round(closed_s, 2),
        "moves": len(stage.commands_um) - earlier,
        "steps": len(scene.told),
        "said": scene.said,
        "faults": [*left_behind(doing, scene.stand, closed_s), *_files_left(doing, scene), *_unnamed()],
    }


def _files_left(doing: str, scene: Scene) -> list[str]:
    try:
        return list(DOING[doing].left(scene))
    except AutofocusError as error:
        return [f"what it left cannot be read: {error}"]


def _unnamed() -> list[str]:
    """Errors that napari showed with a traceback."""
    from napari.utils.notifications import ErrorNotification, notification_manager

    shown = [each.exception for each in notification_manager.records if isinstance(each, ErrorNotification)]
    return [f"no name: {type(each).__name__}: {each}" for each in shown]


def left_behind(doing: str, stand: Stand, closed_s: float, wait_s: float = 1.0) -> Iterator[str]:
    """What the devices and this process say once the window has gone, each fault a sentence."""
    rig = stand.rig
    commands = len(rig.z_stage.commands_um)
    time.sleep(wait_s)
    if closed_s > ENDED_S:
        yield f"hang: closing took {closed_s:.0f} s"
    if len(rig.z_stage.commands_um) != commands or rig.z_stage.busy():
        yield "the drive moves after the window was closed"
    if any(not LIMITS_UM[0] <= z_um <= LIMITS_UM[1] for z_um in rig.z_stage.commands_um):
        yield "limit: the drive was sent beyond its limits"
    if rig.core.isSequenceRunning():
        yield "the camera still streams"
    if rig.shutter.get_open() or not rig.core.getAutoShutter():
        yield "the shutter was not put back"
    z_um, xy_um = rig.z_stage.get_position_um(), rig.xy_stage.get_position_um()
    is_focused = DOING[doing].ends_focused and abs(rig.true_axial_um() - stand.slide.best_focus_um(*xy_um)) <= DOF_UM
    if DOING[doing].goes_home and abs(z_um - stand.start_um) > 0.15 and not is_focused:
        yield f"the drive is at {z_um:.2f} instead of {stand.start_um:.2f}"
    if DOING[doing].goes_home and math.dist(xy_um, HOME_UM) > 2.5:
        yield f"the slide is at {xy_um} instead of {HOME_UM}"
    if left := [each.name for each in threading.enumerate() if each.name.startswith("napari-autofocus")]:
        yield f"threads are left: {left}"


def main() -> int:
    """One window, judged; the parent waits for the process to end by itself."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--doing", choices=DOING)
    parser.add_argument("--out", type=Path, required=True)
    wanted = parser.parse_args()
    if sys.platform == "linux" and not os.environ.get("DISPLAY") and shutil.which("xvfb-run"):
        screen = ["xvfb-run", "-a", "-s", "-screen 0 1920x1080x24", sys.executable, *sys.argv]
        return subprocess.run(screen, check=False, timeout=600).returncode
    rng = random.Random(wanted.seed)
    doing = wanted.doing or rng.choice(sorted(DOING))
    after_ms = rng.randrange(50, DOING[doing].longest_ms)
    with tempfile.TemporaryDirectory() as folder:
        for name in ("MODELS", "SETTINGS"):  # nothing of the user's own is read or written
            os.environ[f"NAPARI_AUTOFOCUS_{name}"] = str(Path(folder, name.lower()))
        found = run(doing, after_ms, wanted.seed, Path(folder))
    wanted.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found))
    return 1 if found["faults"] else 0


if __name__ == "__main__":
    sys.exit(main())
