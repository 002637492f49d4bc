"""The demo: the panels on a simulated microscope, and a tour that presses their buttons and takes pictures."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import napari
from qtpy.QtCore import QCoreApplication, QTimer

from napari_autofocus.errors import AutofocusError, RoutineTimeout
from napari_autofocus.widgets.autofocus import AutofocusPanel
from napari_autofocus.widgets.connecting import SimulatedChoice
from napari_autofocus.widgets.labelling import LabellingPanel
from napari_autofocus.widgets.microscope import MicroscopePanel
from napari_autofocus.widgets.session import Session

PLUGIN = "napari-autofocus"
START_DEFOCUS_UM = 7.0
SAMPLE = "he_tilted"
_WINDOW_PX = (1366, 740)
_PACKAGES = ("napari-autofocus", "napari", "numpy", "opencv-python-headless", "pymmcore-plus", "qtpy", "superqt")
_HALF_WAY = 8


@dataclass
class TourReport:
    """What the tour saw; written to ``report.json``.

    Parameters
    ----------
    versions : dict
        Python and the packages that matter.
    slide : dict
        The simulated slide.
    defocus_before_um, defocus_after_um : float
        True defocus before and after the sweep, as only a simulation knows it, µm.
    dof_um : float
        Depth of field of the objective, µm.
    focused : bool
        Whether the sweep says so, and the truth lies within half a depth of field.
    sweep, labelling : dict
        What the panels showed.
    seconds : dict
        How long each part took.
    screenshots : list of str
        Files beside the report.
    """

    versions: dict[str, str]
    slide: dict[str, Any]
    defocus_before_um: float = float("nan")
    defocus_after_um: float = float("nan")
    dof_um: float = float("nan")
    focused: bool = False
    sweep: dict[str, Any] = field(default_factory=dict)
    labelling: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    screenshots: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


class Demo:
    """napari with the panels docked and a simulated microscope about to be connected.

    Parameters
    ----------
    choice : SimulatedChoice
        Microscope and slide.
    """

    def __init__(self, choice: SimulatedChoice) -> None:
        self.choice = choice
        self.viewer = napari.Viewer(title="napari-autofocus: simulated microscope", show=False)
        self.viewer.show()
        self.viewer.window.resize(*_WINDOW_PX)  # once shown: before, napari puts its own last size back
        self.session = Session.of(self.viewer)
        self.docks: dict[str, Any] = {}
        self.microscope: MicroscopePanel = self._dock("Microscope")
        self.autofocus: AutofocusPanel = self._dock("Autofocus")

    def connect(self) -> None:
        """Connect the microscope, out of focus and live; comes true while the event loop runs."""
        self.session.connection_changed.connect(self._on_connected)
        self.microscope.connect_to(self.choice)

    def _on_connected(self, connection: object) -> None:
        if connection is not None:
            self.session.ask(lambda microscope: microscope.focus.move_to(START_DEFOCUS_UM))
            self.session.set_live(True)

    def _dock(self, name: str) -> Any:
        self.docks[name], panel = self.viewer.window.add_plugin_dock_widget(PLUGIN, name)
        return panel

    def open_labelling(self) -> LabellingPanel:
        """Put the microscope away and open a sample stack with the labelling panel."""
        self.session.disconnect()
        self.viewer.layers.clear()
        for dock in self.docks.values():
            dock.hide()
        panel = self._dock("Label z-stack")
        self.viewer.open_sample(PLUGIN, SAMPLE)
        return panel


def open_demo(choice: SimulatedChoice, *, seconds: float = 0.0) -> None:
    """Open napari on a live simulated microscope and stay until it is closed.

    Parameters
    ----------
    choice : SimulatedChoice
        Microscope and slide.
    seconds : float
        Close by itself after so long, s; 0 waits for the user.
    """
    demo = Demo(choice)
    demo.connect()
    if seconds > 0:
        QTimer.singleShot(round(1000 * seconds), demo.viewer.close)
    napari.run()


def run_tour(
    choice: SimulatedChoice, out: Path, *, seconds: float = 240.0, told: Callable[[str], None] = print
) -> TourReport:
    """Focus the simulated microscope and label a stack without anybody at the mouse, taking pictures.

    Parameters
    ----------
    choice : SimulatedChoice
        Microscope and slide.
    out : Path
        Folder for the pictures; must exist.
    seconds : float
        Time for the whole tour, s.
    told : callable
        Told in a line what happens.

    Raises
    ------
    RoutineTimeout
        If something takes too long.
    """
    demo = Demo(choice)
    try:
        tour = _Tour(demo, out, time.monotonic() + seconds, told)
        tour.run()
    finally:
        demo.viewer.close()
    return tour.report


class _Tour:
    """Presses the panels' buttons one after the other and waits for what they do."""

    def __init__(self, demo: Demo, out: Path, deadline: float, told: Callable[[str], None]) -> None:
        self._demo = demo
        self._session = demo.session
        self._out = out
        self._deadline = deadline
        self._told = told
        self.report = TourReport(_versions(), asdict(demo.choice))
        self._failure: AutofocusError | None = None
        self._session.failed.connect(self._on_failed)

    def run(self) -> None:
        for part in (self._look, self._focus, self._label):
            began = time.monotonic()
            part()
            self.report.seconds[part.__name__.strip("_")] = round(time.monotonic() - began, 2)

    def _look(self) -> None:
        session = self._session
        self._demo.connect()
        self._wait("the microscope to connect", lambda: session.is_live and not session.hardware.busy)
        self._wait_for_frames(3)
        self.report.defocus_before_um = round(session.connection.rig.true_defocus_um(), 3)
        self.report.dof_um = session.connection.dof_um
        self._told(f"Live, {self.report.defocus_before_um:+.2f} µm out of focus.")
        self._picture("1-live-out-of-focus")

    def _focus(self) -> None:
        session, panel = self._session, self._demo.autofocus
        panel.sweep_button.click()
        self._wait("the sweep to get half way", lambda: len(panel.plot.z_um) >= _HALF_WAY or not session.is_running)
        self._picture("2-sweep-to-focus")
        self._wait("the sweep to end", lambda: panel.record is not None and not session.is_running)
        self._wait_for_frames(3)
        self._told(panel.message.text())
        record, after_um = panel.record, session.connection.rig.true_defocus_um()
        self.report.defocus_after_um = round(after_um, 3)
        self.report.focused = record.outcome == "focused" and abs(after_um) <= self.report.dof_um / 2
        self.report.sweep = {**asdict(record), "sentence": panel.message.text()}
        self._picture("3-focused")

    def _label(self) -> None:
        panel = self._demo.open_labelling()
        panel.find_button.click()
        self._wait("the labelling to end", lambda: panel.result is not None and not panel.is_running)
        panel.go_button.click()
        focus = panel.result
        self._told(f"Sample {SAMPLE}: {panel.message.text()}")
        self.report.labelling = {
            "source": SAMPLE,
            "planes": focus.planes,
            "best_z_um": focus.field.best_z_um,
            "uncertainty_um": focus.field.uncertainty_um,
            "verdict": focus.field.verdict,
            "trusted": focus.field.trusted,
            "patches_trusted": sum(patch.trusted for patch in focus.patches),
            "patches": len(focus.patches),
            "sentence": panel.message.text(),
        }
        self._settle()
        self._picture("4-label-z-stack")

    def _wait_for_frames(self, count: int) -> None:
        """Until frames have been drawn that were exposed after now (the newest may be older)."""
        target = self._session.view.frames_shown + count
        self._wait("live frames", lambda: self._session.view.frames_shown >= target)

    def _wait(self, what: str, fulfilled: Callable[[], bool]) -> None:
        while not fulfilled():
            if self._failure is not None:
                raise self._failure
            if time.monotonic() > self._deadline:
                raise RoutineTimeout(f"The tour waited in vain for {what}; run it again with more --seconds.")
            QCoreApplication.processEvents()
            time.sleep(0.005)

    def _on_failed(self, error: AutofocusError) -> None:
        self._failure = error

    def _settle(self) -> None:
        """Let the window lay itself out and draw."""
        until = time.monotonic() + 0.5
        self._wait("the window", lambda: time.monotonic() > until)

    def _picture(self, name: str) -> None:
        path = self._out / f"{name}.png"
        self._demo.viewer.screenshot(str(path), canvas_only=False, flash=False)
        self.report.screenshots.append(path.name)


def _versions() -> dict[str, str]:
    return {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}}
