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
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

DOING = ("live", "refocus", "hold", "survey", "acquire", "sweep")
LONGEST_MS = 2500
ENDED_S = 45.0
"""A window that has not closed by then hangs."""


def rig_by_the_wall(seed: int) -> Any:
    """A rig slow enough to be interrupted, out of focus, and the slide in front of it."""
    from fault_stand import BEST_UM, LIMITS_UM, XY_LIMITS_UM, ReadableSlide
    from napari_autofocus.microscope.simulated import simulated_rig

    slide, direction = ReadableSlide(), random.Random(seed).choice((-1, 1))
    limits = {"limits_um": LIMITS_UM, "xy_limits_um": XY_LIMITS_UM}
    rig = simulated_rig(
        slide, focus_direction=direction, exposure_ms=60.0, speed_um_s=15.0, xy_speed_um_s=100.0, seed=seed, **limits
    )
    rig.microscope.focus.move_to(direction * BEST_UM + 5.0)
    return rig, slide


def reader_of(slide: Any) -> Any:
    """A model that the panels take for a real one."""
    import numpy as np

    from fault_stand import LENS, Reader
    from napari_autofocus.models.library import find_model
    from napari_autofocus.models.package import CardOptics, open_package

    made: Any = Reader(slide, np.random.default_rng(0))
    card = open_package(find_model("brightfield-20x")).card
    made.card = card.model_copy(update={"optics": CardOptics.of(LENS, "mono"), "patch_px": 32, "stride_px": 16})
    return made


def begin(doing: str, session: Any, panel: Any, rig: Any, folder: Path, said: list[str]) -> None:
    """Start what is to be interrupted."""
    from fault_routines import places, stacks_plan
    from fault_stand import OPTICS
    from napari_autofocus.routines.survey import SurveyConfig, survey
    from napari_autofocus.routines.sweep import SweepConfig, sweep
    from napari_autofocus.workflows.acquisition import acquire_stacks

    session.set_live(True)
    model = session.focus.model
    work: Any = {
        "survey": lambda: survey(rig.microscope, model, SurveyConfig(optics=OPTICS), places()),
        "acquire": lambda: acquire_stacks(rig.microscope, stacks_plan(), folder / "stacks"),
        "sweep": lambda: sweep(rig.microscope, SweepConfig(range_um=6.0, dof_um=1.0)),
    }.get(doing)
    if work is not None:
        session.start_run(work(), failed=lambda error: said.append(str(error)))
    elif doing == "refocus":
        panel.refocusing.buttons.refocus.click()
    elif doing == "hold":
        panel.holding.hold_button.click()


def run(doing: str, after_ms: int, seed: int, folder: Path) -> dict[str, Any]:
    """Open, start, close; what the devices say afterwards."""
    import napari
    from qtpy.QtCore import QTimer

    from fault_stand import LENS
    from napari_autofocus.widgets.session import Connection, Session

    rig, slide = rig_by_the_wall(seed)
    viewer = napari.Viewer(show=True)
    for name in ("Microscope", "Autofocus"):
        _, panel = viewer.window.add_plugin_dock_widget("napari-autofocus", name)
    session, said, moments = Session.of(viewer), list[str](), dict[str, float]()
    session.connect(Connection("rig", rig.microscope, rig.microscope.close, dof_um=1.0, objective=LENS, rig=rig))
    session.focus.use_model(reader_of(slide))
    start_um, earlier = rig.z_stage.get_position_um(), len(rig.z_stage.commands_um)

    def close() -> None:
        moments["closing"] = time.monotonic()
        moments["running"] = float(session.is_running)
        viewer.close()

    QTimer.singleShot(1500, lambda: begin(doing, session, panel, rig, folder, said))
    QTimer.singleShot(1500 + after_ms, close)
    napari.run()
    closed_s = time.monotonic() - moments["closing"]
    return {
        "doing": doing,
        "after_ms": after_ms,
        "was_running": bool(moments["running"]),
        "closed_s": round(closed_s, 2),
        "moves": len(rig.z_stage.commands_um) - earlier,
        "faults": list(_faults(doing, rig, slide, start_um, closed_s)),
    }


def _faults(doing: str, rig: Any, slide: Any, start_um: float, closed_s: float) -> Any:
    from fault_stand import LIMITS_UM

    commands = len(rig.z_stage.commands_um)
    time.sleep(1.0)
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
    z_um = rig.z_stage.get_position_um()
    is_focused = abs(rig.true_axial_um() - slide.best_focus_um(*rig.xy_stage.get_position_um())) <= 1.0
    if doing != "hold" and abs(z_um - start_um) > 0.15 and not (is_focused and doing in ("refocus", "sweep")):
        yield f"the drive is at {z_um:.2f} instead of {start_um:.2f}"
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
    doing, after_ms = wanted.doing or rng.choice(DOING), rng.randrange(50, LONGEST_MS)
    with tempfile.TemporaryDirectory() as folder:
        found = run(doing, after_ms, wanted.seed, Path(folder))
    wanted.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found))
    return 1 if found["faults"] else 0


if __name__ == "__main__":
    sys.exit(main())
