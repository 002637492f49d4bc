"""The Microscope panel: connect one, see through it live, and move it by hand in µm."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import napari.viewer
import numpy as np
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QWidget

from napari_autofocus.microscope.controls import (
    exposure_ms,
    random_place_um,
    reported_z_um,
    set_exposure_ms,
)
from napari_autofocus.microscope.mmcore import CoreMicroscope
from napari_autofocus.widgets.connecting import ConfigurationChoice, ConnectForm, SimulatedChoice
from napari_autofocus.widgets.docks import share_again, share_height
from napari_autofocus.widgets.forms import Message, button, connect_while_alive, heading, label, number, row, scrolled
from napari_autofocus.widgets.pads import XY_ARROWS, Z_ARROWS, Gathered, StepPad
from napari_autofocus.widgets.sentences import plain_um
from napari_autofocus.widgets.session import Connection, Session

_POLL_MS = 1000
_SLIDE_REACH_UM = 5000.0


class MicroscopePanel(QWidget):
    """Connects a microscope and moves it by hand."""

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        share_height(self, grows=False)
        self._session = Session.of(napari_viewer)
        self._viewer = self._session.viewer
        self._z_moves = Gathered(self._move_z)
        self._xy_moves = Gathered(self._move_xy)
        self._rng = np.random.default_rng()
        self._build()
        self._arrange()
        self._connect()
        self._on_connection_changed(self._session.connection)
        self._on_live_changed(self._session.is_live)

    # layout

    def _build(self) -> None:
        self.form = ConnectForm()
        self.message = Message(self._viewer.theme)
        self.snap_button = button("Snap", "Take one frame and show it")
        self.live_button = button("Live", "Show frames as the camera takes them", checkable=True)
        self.exposure_box = number(10, 0.1, 10_000, 1, "ms", "Exposure time, ms", decimals=1)
        self.z_label = label("z –", tip="Position of the focus drive as the hardware reports it, µm")
        self.z_label.setStyleSheet("font-size: 15pt; font-weight: bold; min-width: 150px;")
        self.limits_label = label("", tip="The drive is never sent outside these limits, µm")
        self.z_pad = StepPad(Z_ARROWS, "focus drive")
        self.z_step_box = number(1, 0.01, 100, 0.5, "µm", "Length of one step of the focus drive, µm")
        self.xy_label = label("x –, y –", tip="Position of the XY stage, µm")
        self.xy_pad = StepPad(XY_ARROWS, "XY stage")
        self.xy_step_box = number(100, 0.1, 10_000, 50, "µm", "Length of one step of the XY stage, µm", decimals=1)
        self.field_button = button("Random field", "Go to a random place on the slide (up to 5 mm from its middle)")
        self._timer = QTimer(self)
        self._timer.setInterval(_POLL_MS)

    def _arrange(self) -> None:
        column = scrolled(self)
        column.addWidget(self.form)
        column.addWidget(self.message)
        column.addWidget(heading("Camera"))
        column.addLayout(row(self.snap_button, self.live_button, 1, label("Exposure"), self.exposure_box))
        column.addWidget(heading("Focus drive"))
        column.addLayout(row(self.z_label, 1, self.limits_label))
        column.addLayout(row(self.z_pad, 1, label("step"), self.z_step_box))
        column.addWidget(heading("XY stage"))
        column.addLayout(row(self.xy_label, 1, self.field_button))
        column.addLayout(row(self.xy_pad, 1, label("step"), self.xy_step_box))
        column.addStretch(1)

    def _connect(self) -> None:
        self.form.wanted.connect(self.connect_to)
        self.form.unwanted.connect(self._session.disconnect)
        self.snap_button.clicked.connect(self._on_snap_clicked)
        self.live_button.clicked.connect(self._session.set_live)
        self.exposure_box.valueChanged.connect(self._on_exposure_changed)
        self.z_pad.stepped.connect(self._on_z_stepped)
        self.xy_pad.stepped.connect(self._on_xy_stepped)
        self.field_button.clicked.connect(self._on_field_clicked)
        self._timer.timeout.connect(self._on_time_to_look)
        session = self._session
        connect_while_alive(
            self,
            [
                (session.connection_changed, self._on_connection_changed),
                (session.live_changed, self._on_live_changed),
                (session.running_changed, self._on_running_changed),
                (session.z_changed, self._on_z_changed),
                (session.failed, self._on_failed),
                (self._viewer.events.theme, self._on_theme_changed),
            ],
        )

    # connecting

    def connect_to(self, choice: SimulatedChoice | ConfigurationChoice) -> None:
        """Connect a microscope in place of any other; comes true while the event loop runs."""
        self.form.set_busy(True)
        self.message.say("Connecting…")
        self._session.hardware.call(choice.connect, done=self._session.connect, failed=self._on_connecting_failed)

    def _on_connecting_failed(self, error: object) -> None:
        self.form.set_busy(False)
        self.form.set_connected(None)
        self.message.fail(error)

    def _on_connection_changed(self, connection: Connection | None) -> None:
        self.form.set_busy(False)
        self.form.set_connected(connection)
        self._z_moves.forget()
        self._xy_moves.forget()
        self._enable(connection is not None)
        self.message.say("" if connection else "Not connected.")
        if connection is None:
            self._timer.stop()
            self._show_nothing()
        else:
            self._show_limits(connection.microscope)
            self._session.ask(_state, done=self._show_state)
            self._timer.start()
        share_again(self)

    def _enable(self, on: bool) -> None:
        for part in (self.snap_button, self.live_button, self.exposure_box, self.z_pad, self.z_step_box):
            part.setEnabled(on)
        for part in (self.xy_pad, self.xy_step_box, self.field_button):
            part.setEnabled(on)

    def _show_nothing(self) -> None:
        self.z_label.setText("z –")
        self.limits_label.setText("")
        self.xy_label.setText("x –, y –")

    def _show_limits(self, microscope: CoreMicroscope) -> None:
        low, high = microscope.focus.limits_um
        self.limits_label.setText(f"limits {low:g} to {high:g} µm".replace("-", "−"))

    # camera

    def _on_snap_clicked(self) -> None:
        self.message.say("")
        self._session.snap()

    def _on_exposure_changed(self, value_ms: float) -> None:
        self._session.ask(lambda microscope: set_exposure_ms(microscope, value_ms), done=self._show_exposure)

    def _show_exposure(self, value_ms: float) -> None:
        self.exposure_box.blockSignals(True)
        self.exposure_box.setValue(value_ms)
        self.exposure_box.blockSignals(False)

    def _on_live_changed(self, live: bool) -> None:
        self.live_button.setChecked(live)
        self.live_button.setText("Stop live" if live else "Live")

    # moving

    def _on_z_stepped(self, steps: float, _: float) -> None:
        self._z_moves.add(steps * self.z_step_box.value(), 0.0)

    def _move_z(self, dz_um: float, _: float) -> None:
        self._start_move(lambda microscope: microscope.focus.move_to(reported_z_um(microscope) + dz_um), self._z_moves)

    def _on_xy_stepped(self, along_x: float, along_y: float) -> None:
        step_um = self.xy_step_box.value()
        self._xy_moves.add(along_x * step_um, along_y * step_um)

    def _move_xy(self, dx_um: float, dy_um: float) -> None:
        def move(microscope: CoreMicroscope) -> None:
            x_um, y_um = microscope.xy_um()
            microscope.move_xy_to(x_um + dx_um, y_um + dy_um)

        self._start_move(move, self._xy_moves)

    def _on_field_clicked(self) -> None:
        x_um, y_um = random_place_um(self._rng, _SLIDE_REACH_UM)
        self._start_move(lambda microscope: microscope.move_xy_to(x_um, y_um), self._xy_moves)

    def _start_move(self, move: Callable[[CoreMicroscope], object], moves: Gathered) -> None:
        self.message.say("")
        self._session.ask(
            lambda microscope: (move(microscope), _state(microscope))[1], done=self._show_state, ended=moves.arrived
        )

    # what is shown

    def _on_time_to_look(self) -> None:
        """Drives that do not report their moves are asked, while nothing else is going on."""
        if self.isVisible() and not self._session.hardware.busy:
            self._session.ask(_state, done=self._show_state)

    def _show_state(self, state: _State) -> None:
        self._on_z_changed(state.z_um)
        self._show_exposure(state.exposure_ms)
        known = math.isfinite(state.x_um)
        self.xy_label.setText(f"x {plain_um(state.x_um)}, y {plain_um(state.y_um)}" if known else "no XY stage")
        for part in (self.xy_pad, self.xy_step_box, self.field_button):
            part.setEnabled(known and not self._session.is_running)

    def _on_z_changed(self, z_um: float) -> None:
        self.z_label.setText(f"z {plain_um(z_um)}")

    def _on_running_changed(self, sweeping: bool) -> None:
        self._enable(not sweeping and self._session.connection is not None)
        self.form.connect_button.setEnabled(not sweeping)

    def _on_failed(self, error: object) -> None:
        self.message.fail(error)

    def _on_theme_changed(self, *_: object) -> None:
        self.message.set_theme(self._viewer.theme)


@dataclass(frozen=True)
class _State:
    """What the microscope says of itself."""

    z_um: float
    x_um: float
    y_um: float
    exposure_ms: float


def _state(microscope: CoreMicroscope) -> _State:
    return _State(reported_z_um(microscope), *microscope.xy_um(), exposure_ms(microscope))
