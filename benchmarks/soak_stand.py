"""The microscope and the panels that ``soak.py`` works with: a slide that drifts, and a stage that keeps a log."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from qtpy.QtCore import QEventLoop, QTimer

from napari_autofocus.microscope.replay import PlaneReplay
from napari_autofocus.microscope.simulated import SimulatedRig, simulated_rig
from napari_autofocus.optics import Objective
from napari_autofocus.simulation.scene import Scene
from napari_autofocus.widgets.session import Connection, Session
from napari_autofocus.workflows.run_log import RunLog

OBJECTIVE = "20x/0.75"
MODELS = ("brightfield-20x", "two-shot-small-20x")
SIDE_PX = 256
EXPOSURE_MS = 40.0
REACH_UM = 8.0
STEP_UM = 0.25
DRIFT_UM_S = 0.05
FARTHEST_DRIFT_UM = 2.0
HOLD_EVERY_S = 0.5
RUNS_KEPT = 8
"""Of at most 500 in a session; with so many it would take hours until the log of runs grows no more."""
PLUGIN = "napari-autofocus"
_QUIET_S = 0.4
_PATIENCE_S = 120.0
_LOOK_MS = 10
_STALL_S = 0.05


def let_pass(seconds: float) -> None:
    """Let the event loop run so long; a real one, since ``processEvents`` deletes nothing that is to go later."""
    loop = QEventLoop()
    QTimer.singleShot(int(1000 * seconds), loop.quit)
    loop.exec()


def wait_for(what: str, done: Callable[[], bool]) -> float:
    """Let the event loop run until something is so.

    Returns
    -------
    float
        For how long of that time the window did not get to run, s: a busy machine, or work in the GUI's thread.

    Raises
    ------
    RuntimeError
        After two minutes: it hangs.
    """
    loop, watch = QEventLoop(), QTimer()
    began_s = last_s = time.perf_counter()
    stalled_s, is_so = 0.0, False

    def look() -> None:
        nonlocal last_s, stalled_s, is_so
        now_s = time.perf_counter()
        stalled_s += max(0.0, now_s - last_s - _STALL_S)
        last_s = now_s
        is_so = is_so or done()
        if is_so or now_s - began_s > _PATIENCE_S:
            loop.quit()

    watch.timeout.connect(look)
    watch.start(_LOOK_MS)
    loop.exec()
    watch.stop()
    if not is_so:
        raise RuntimeError(f"Waited {_PATIENCE_S:g} s in vain for {what}.")
    return stalled_s


@dataclass
class StageLog:
    """When the simulated stage was commanded, and whether it stands where it stood."""

    commands: list[tuple[float, float]] = field(default_factory=list)
    total: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def watch(self, rig: SimulatedRig) -> None:
        """Write down every command to this stage from now on."""
        command = rig.z_stage.set_position_um

        def logged(z_um: float) -> None:
            with self._lock:
                self.total += 1
                self.commands.append((time.perf_counter(), z_um))
                del self.commands[:-1000]
            command(z_um)

        rig.z_stage.set_position_um = logged  # type: ignore[method-assign]

    def since(self, at_s: float) -> int:
        """How many commands came after this time of ``perf_counter``."""
        with self._lock:
            return sum(when > at_s for when, _ in self.commands)


def planes() -> PlaneReplay:
    """A field that was rendered once, every quarter of a depth of field."""
    scene = Scene.build("he", "dense", OBJECTIVE, seed=3, shape=(SIDE_PX, SIDE_PX))
    positions = scene.best_focus_um(0.0, 0.0) + np.arange(-REACH_UM, REACH_UM + STEP_UM / 2, STEP_UM)
    return PlaneReplay.of(scene, positions, rng=np.random.default_rng(0))


class Stand:
    """A viewer with the Microscope and Autofocus panels, and a microscope that may be taken away and given back."""

    def __init__(self, viewer: Any, session: Session) -> None:
        self.viewer, self.session = viewer, session
        self.log = StageLog()
        self.rig: SimulatedRig | None = None
        self.failures: list[str] = []
        self._planes = planes()
        session.runs = RunLog(most=RUNS_KEPT)
        session.failed.connect(self._on_failed)
        self.dock: Any = None
        self.panel: Any = None
        viewer.window.add_plugin_dock_widget(PLUGIN, "Microscope")
        self.open_panel()

    def _on_failed(self, error: Exception) -> None:
        self.failures.append(str(error))

    def connect(self) -> None:
        """Another microscope of the same kind, in focus, with live mode on."""
        rig = self.rig = simulated_rig(
            self._planes, exposure_ms=EXPOSURE_MS, reject_repeats=False, settling_s=0.02, speed_um_s=200.0
        )
        self.log.watch(rig)
        rig.microscope.focus.move_to(rig.microscope.focus.position_um() - rig.true_defocus_um())
        rig.z_stage.drift_um_s = DRIFT_UM_S
        lens = Objective.parse(OBJECTIVE, pixel_size_um=rig.scene.pixel_size_um)
        self.session.connect(Connection("Soak", rig.microscope, rig.close, dof_um=lens.dof_um, objective=lens, rig=rig))
        self.session.focus.state_objective(lens)
        self.session.set_live(True)
        self.frames(3)

    def disconnect(self) -> None:
        """Take the microscope away."""
        self.session.disconnect()
        self.rig = None

    def open_panel(self) -> None:
        """The Autofocus panel, estimating the camera's frames, with everything laid over them."""
        self.dock, self.panel = self.viewer.window.add_plugin_dock_widget(PLUGIN, "Autofocus")
        wait_for("the models", lambda: self.panel.model.box.count() >= len(MODELS))
        self.panel.image.choose("camera")
        self.panel.image.estimate_button.setChecked(True)
        for box in (
            self.panel.show_row.importance_box,
            self.panel.show_row.defocus_box,
            self.panel.show_row.patches_box,
        ):
            box.setChecked(True)
        self.panel.holding.interval_box.setValue(HOLD_EVERY_S)

    def close_panel(self) -> None:
        """Close it, as with its cross."""
        self.viewer.window.remove_dock_widget(self.dock)
        self.dock = self.panel = None
        let_pass(0.3)

    def choose_model(self, name: str) -> None:
        """By the panel's own list; waited for."""
        box = self.panel.model.box
        box.setCurrentIndex(next(place for place in range(box.count()) if box.itemText(place).startswith(name)))
        box.activated.emit(box.currentIndex())
        state = self.session.focus
        wait_for(f"the model {name}", lambda: state.chosen is not None and state.chosen.name == name)

    def turn_drift(self) -> None:
        """There and back, so that a long run stays on the planes that were rendered."""
        drifted_um = 0.0 if self.rig is None else self.rig.z_stage.drifted_um()
        if self.rig is not None and abs(drifted_um) > FARTHEST_DRIFT_UM:
            away = drifted_um > 0
            self.rig.z_stage.drift_um_s = -DRIFT_UM_S if away else DRIFT_UM_S

    def frames(self, count: int) -> None:
        """Until so many more frames have been shown."""
        target = self.session.view.frames_shown + count
        wait_for("live frames", lambda: self.session.view.frames_shown >= target)

    def rest(self) -> None:
        """Until no routine runs and the hardware thread has nothing to do."""
        wait_for("rest", lambda: not self.session.is_running and not self.session.hardware.busy)

    def choose_method(self, method: str) -> None:
        """By the panel's own list: ``one-shot`` or ``sweep``."""
        box = self.panel.refocusing.options.method_box
        box.setCurrentIndex(box.findData(method))

    def moves_after_rest(self) -> int:
        """Commands to the stage in a short while from now on, with nothing that should move it."""
        now_s = time.perf_counter()
        let_pass(_QUIET_S)
        return self.log.since(now_s)
