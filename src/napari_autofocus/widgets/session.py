"""What the panels of one viewer share: the microscope, two threads to work in, and the news of what happens.

Everything here lives on the GUI thread. It is closed with the viewer: live mode stopped, routines cancelled, threads
joined, a core of our own reset, a core of somebody else's left alone.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

from napari.components import ViewerModel
from napari.utils.notifications import show_warning
from psygnal import Signal

from napari_autofocus.errors import AutofocusError, HardwareError
from napari_autofocus.focus.lens_curve import LensCurve
from napari_autofocus.microscope.controls import LiveFrames
from napari_autofocus.microscope.mmcore import CoreMicroscope
from napari_autofocus.microscope.protocol import Frame
from napari_autofocus.microscope.simulated import SimulatedRig
from napari_autofocus.optics import Objective
from napari_autofocus.widgets.focus_state import FocusState
from napari_autofocus.widgets.frames import LiveView
from napari_autofocus.widgets.layers.canvas_context import keep_context
from napari_autofocus.widgets.parts.end_watch import EndWatch
from napari_autofocus.widgets.parts.relay import Relay
from napari_autofocus.widgets.parts.session_keys import SessionKeys
from napari_autofocus.widgets.preferences import preferences
from napari_autofocus.widgets.worker import Job, Listener, Work, Worker
from napari_autofocus.workflows.run_log import RunLog

SWITCH_INTERVAL_S = 0.0005
NOT_CONNECTED = "No microscope is connected; connect one in the Microscope panel."


@dataclass(frozen=True, eq=False)
class Connection:
    """A microscope that is connected.

    Parameters
    ----------
    name : str
        What the user calls it.
    microscope : CoreMicroscope
        What routines and panels use.
    close : callable
        Lets go of it: resets a core of our own, and does nothing to a core of somebody else's.
    dof_um : float or None
        Depth of field of its objective, µm; None where nobody says.
    objective : Objective or None
        Its objective with the camera behind it; None where nobody says.
    rig : SimulatedRig or None
        For what only a simulation knows: the slide and the true defocus.
    """

    name: str
    microscope: CoreMicroscope
    close: Callable[[], None]
    dof_um: float | None = None
    objective: Objective | None = None
    rig: SimulatedRig | None = None


class Session:
    """What the panels of one viewer share.

    Parameters
    ----------
    viewer : ViewerModel
        The viewer (or its model, in tests).
    """

    connection_changed = Signal(object)
    live_changed = Signal(bool)
    running_changed = Signal(bool)
    z_changed = Signal(float)
    dataset_chosen = Signal(object)
    """Told the folder of stacks (a Path) that another panel shall go on with."""
    refocuser_chosen = Signal(object)
    """Told the file of the virtual refocuser (a Path) that images are recovered with from now on."""
    failed = Signal(object)
    closing = Signal()

    _of_viewers: ClassVar[WeakKeyDictionary[ViewerModel, Session]] = WeakKeyDictionary()

    def __init__(self, viewer: ViewerModel) -> None:
        self.viewer = viewer
        # A thread that computes waits this long for each of its turns while the window is drawn; Python's own 5 ms
        # would double the time from a click to a focus.
        sys.setswitchinterval(min(sys.getswitchinterval(), SWITCH_INTERVAL_S))
        self.hardware = Worker("napari-autofocus hardware")
        self.analysis = Worker("napari-autofocus analysis")
        self.view = LiveView(viewer)
        self.preferences = preferences()
        self.focus = FocusState()
        self.focus.usual = self.focus.objective = self.preferences.lens()
        self.focus.settings_changed.connect(self._on_settings_changed)
        self.runs = RunLog(self.preferences.runs_file())
        self.connection: Connection | None = None
        self.refocuser_file: Path | None = None
        self.is_closed = False
        self._live = False
        self._run: Job | None = None
        self._relay = Relay()
        self._stop_listening: Callable[[], None] = _nothing
        self._relay.z_reported.connect(self._on_z_reported)
        self._relay.turned_away.connect(self.failed.emit)
        self._relay.turned_away.connect(_warn)
        self.view.shown.connect(self._on_frame_shown)
        self.view.failed.connect(self._on_camera_lost)
        self.keys = SessionKeys(self)
        self._end_watch = EndWatch(viewer, self.close)
        keep_context(viewer)

    @classmethod
    def of(cls, viewer: ViewerModel) -> Session:
        """The session of a viewer; the first to ask makes it. Plugins are handed a proxy, which is looked through."""
        model = getattr(viewer, "__wrapped__", viewer)
        session = cls._of_viewers.get(model)
        if session is None or session.is_closed:
            session = cls._of_viewers[model] = cls(model)
        return session

    # the microscope

    @property
    def microscope(self) -> CoreMicroscope | None:
        """The microscope that is connected."""
        return self.connection.microscope if self.connection else None

    def connect(self, connection: Connection) -> None:
        """Use this microscope from now on, in place of any other."""
        self.disconnect()
        self.connection = connection
        self.focus.state_direction(0)  # what was said of another stand's drive does not hold for this one
        if connection.objective is not None:
            self.focus.state_objective(connection.objective)
        self._stop_listening = self._relay.listen(connection.microscope)
        self.connection_changed.emit(connection)

    def _on_settings_changed(self) -> None:
        """Where only the user knows which way the drive focuses, the overshoot of its approach leads away too."""
        direction, microscope = self.focus.focus_direction, self.microscope
        if microscope is not None and direction and not microscope.focus.focus_direction:
            self.ask(lambda microscope: microscope.focus.approach_from(direction))

    def disconnect(self) -> None:
        """Let go of the microscope: live mode off, running work cancelled and waited for."""
        if self.connection is None:
            return
        self.view.stop()
        self.hardware.cancel_all()
        self.hardware.join()
        self._set_live(False)
        self._stop_listening()
        gone, self.connection = self.connection, None
        self.focus.seen_through = None
        with contextlib.suppress(AutofocusError):  # an unplugged camera cannot be stopped
            gone.microscope.live.let_go()
        with contextlib.suppress(AutofocusError, RuntimeError):
            gone.close()
        self.connection_changed.emit(None)

    def focus_through(self, lens: LensCurve | None, *, failed: Listener) -> None:
        """Have a tunable lens focus, or the stage again (None); told as a change of the connection. Nothing moves."""
        microscope = self.microscope
        if microscope is None:
            failed(HardwareError(NOT_CONNECTED))
            return
        self.hardware.call(
            lambda: microscope.focus_through(lens), done=lambda _: self._on_drive_changed(microscope), failed=failed
        )

    def _on_drive_changed(self, microscope: CoreMicroscope) -> None:
        if self.connection is None or self.connection.microscope is not microscope:
            return
        self._stop_listening()
        self._stop_listening = self._relay.listen(microscope)
        self.focus.state_direction(0)
        self.connection_changed.emit(self.connection)

    def ask(
        self,
        function: Callable[[CoreMicroscope], Any],
        done: Listener | None = None,
        ended: Callable[[], None] | None = None,
    ) -> None:
        """Have the hardware thread call a function with the microscope; a failure is told through ``failed``."""
        microscope = self.microscope
        if microscope is None:
            self.failed.emit(HardwareError(NOT_CONNECTED))
            return
        self.hardware.call(lambda: function(microscope), done=done, failed=self.failed.emit, ended=ended)

    def choose_refocuser(self, path: Path) -> None:
        """Recover images with this model from now on, in whatever panel is open or opened later."""
        self.refocuser_file = path
        self.refocuser_chosen.emit(path)

    # live mode

    @property
    def is_live(self) -> bool:
        """Whether live mode is on (also while a routine has paused it)."""
        return self._live

    def set_live(self, wanted: bool) -> None:
        """Turn live mode on or off."""
        if self.microscope is None:
            self.failed.emit(HardwareError(NOT_CONNECTED))
        elif wanted and not self._live:
            self._set_live(True)
            self.hardware.call(self.microscope.live.start, done=self._on_live_started, failed=self._on_camera_lost)
        elif not wanted and self._live:
            self.view.stop()
            self._set_live(False)
            self.hardware.call(self.microscope.live.stop, failed=self.failed.emit)

    def snap(self) -> None:
        """Take one frame and show it."""
        self.ask(lambda microscope: microscope.snap(), done=self.view.show)

    # routines

    @property
    def is_running(self) -> bool:
        """Whether a routine holds the microscope."""
        return self._run is not None

    def start_run(
        self, work: Work, *, step: Listener | None = None, done: Listener | None = None, failed: Listener
    ) -> None:
        """Run a routine on the hardware thread; its frames are shown by whoever listens to its steps."""
        self._run = self.hardware.run(work, step=step, done=done, failed=failed, ended=self._on_run_ended)
        self.running_changed.emit(True)

    def stop_run(self) -> None:
        """Halt the drive at once and close the routine, which puts things back."""
        if self._run is None or self.microscope is None:
            return
        self._run.cancel()
        try:
            self.microscope.focus.stop()
        except AutofocusError as error:
            self.failed.emit(error)

    def _on_run_ended(self) -> None:
        self._run = None
        self.running_changed.emit(False)

    def _on_live_started(self, _: object = None) -> None:
        if self.microscope is not None and self._live:
            self.view.start(LiveFrames(self.microscope))

    def _set_live(self, live: bool) -> None:
        if live != self._live:
            self._live = live
            self.live_changed.emit(live)

    def _on_camera_lost(self, error: AutofocusError) -> None:
        self._set_live(False)
        self.failed.emit(error)
        if self.microscope is not None:
            self.hardware.call(self.microscope.live.stop)  # if that fails too, the first failure has been told

    def _on_frame_shown(self, frame: Frame) -> None:
        self.z_changed.emit(frame.z_um)

    def _on_z_reported(self, z_um: float) -> None:
        self.z_changed.emit(z_um)

    # the end

    def close(self) -> None:
        """Leave nothing running: called when the viewer closes."""
        if self.is_closed:
            return
        self.is_closed = True
        self.view.close()
        self.closing.emit()
        self._end_watch.detach()
        self._of_viewers.pop(self.viewer, None)
        self.disconnect()
        for worker in (self.hardware, self.analysis):
            worker.close()


def _warn(error: AutofocusError) -> None:
    """Where no panel of ours may be open: somebody else's acquisition was cancelled."""
    show_warning(str(error))


def _nothing() -> None:
    pass
