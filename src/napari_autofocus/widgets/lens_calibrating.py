"""The Tunable lens panel: measure the curve of a lens with the stage, keep it, and focus with the lens."""

from __future__ import annotations

from collections.abc import Generator

import napari.viewer
from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QProgressBar, QWidget

from napari_autofocus.errors import InputError
from napari_autofocus.focus.lens_curve import LensCurve
from napari_autofocus.microscope.lens_knob import LensProperty, PropertyKnob, lens_properties
from napari_autofocus.microscope.mmcore import CoreMicroscope
from napari_autofocus.routines.lens_calibration import LensConfig, LensRecord, LensStep, calibrate_lens
from napari_autofocus.widgets.lens.form import LensForm
from napari_autofocus.widgets.lens.keeping import LensKeeping
from napari_autofocus.widgets.lens.plot import LensPlot
from napari_autofocus.widgets.lens.words import ended_words, plan_words, step_words
from napari_autofocus.widgets.parts.docks import share_height
from napari_autofocus.widgets.parts.forms import Message, button, connect_while_alive, row, scrolled, snug
from napari_autofocus.widgets.session import Connection, Session

_NOT_CONNECTED = "Connect a microscope in the Microscope panel first, and focus roughly on a part with much content."
_NO_LENS = "This microscope has no device with a number that could be set; load one that drives a tunable lens."
_NO_DOF = "State the objective in the Microscope panel first: half its depth of field is the step of the search."
_BY_LENS = "The lens focuses now. Focus with the stage again before you calibrate it."


class LensPanel(QWidget):
    """Calibrates a tunable lens, and hands the focus to it and back."""

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        share_height(self, grows=True)
        self._session = Session.of(napari_viewer)
        self._viewer = self._session.viewer
        self._relay = _Relay()
        self._ours = self._looked = False
        self._shifts: list[tuple[float, float]] = []
        self._build(self._viewer.theme)
        self._arrange()
        self._connect()
        self._on_connection_changed(self._session.connection)

    # layout

    def _build(self, theme: str) -> None:
        self.form = LensForm()
        self.plan, self.message = Message(theme), Message(theme)
        self.start_button = button("Calibrate", "Set the lens to each value and let the stage find its focus (µm)")
        self.stop_button = button("Stop", "Halt the stage; lens and stage go back to where they were")
        self.progress = QProgressBar()
        self.progress.setToolTip("Values of the lens that have been measured")
        self.plot = LensPlot(theme)
        self.keeping = LensKeeping(self._session, theme)
        snug(self.plan, self.message)

    def _arrange(self) -> None:
        column = scrolled(self)
        column.addWidget(self.form)
        column.addWidget(self.plan)
        column.addLayout(row(self.start_button, self.stop_button))
        for part in (self.progress, self.message):
            column.addWidget(part)
        column.addWidget(self.plot, 1)
        column.addWidget(self.keeping)

    def _connect(self) -> None:
        for signal, slot in (
            (self.form.changed, self._on_form_changed),
            (self.start_button.clicked, self._on_start_clicked),
            (self.stop_button.clicked, self._on_stop_clicked),
            (self.keeping.loaded, self._on_loaded),
            (self.keeping.said, self.message.say),
            (self._relay.kept, self._on_record),
        ):
            signal.connect(slot)
        session = self._session
        connect_while_alive(
            self,
            [
                (session.connection_changed, self._on_connection_changed),
                (session.running_changed, self._on_running_changed),
                (session.focus.settings_changed, self._on_form_changed),
                (session.z_changed, self._on_z_changed),
                (self._viewer.events.theme, self._on_theme_changed),
            ],
        )

    # what is there

    def _on_connection_changed(self, connection: Connection | None) -> None:
        self.message.say("")
        self._looked = False
        if connection is None:
            self.form.offer([])
            self.plot.show_value(None)
        else:
            microscope = connection.microscope
            self._session.hardware.call(
                lambda: lens_properties(microscope.core), done=self._on_offered, failed=self.message.fail
            )
        self._on_form_changed()

    def _on_offered(self, properties: list[LensProperty]) -> None:
        self._looked = True
        self.form.offer(properties)
        self._on_form_changed()

    @property
    def curve(self) -> LensCurve | None:
        """What was measured or loaded last."""
        return self.keeping.curve

    @property
    def _dof_um(self) -> float | None:
        connection, objective = self._session.connection, self._session.focus.objective
        if objective is not None:
            return objective.dof_um
        return None if connection is None else connection.dof_um

    def config(self) -> LensConfig:
        """What a calibration would be told. Raises InputError if a value makes no sense."""
        if self._dof_um is None:
            raise InputError(_NO_DOF)
        objective = self._session.focus.objective
        return self.form.config(
            self._dof_um, "" if objective is None else objective.name, self._session.focus.focus_direction
        )

    def _on_form_changed(self) -> None:
        """Say what would happen, or what is in the way."""
        microscope, chosen = self._session.microscope, self.form.chosen
        hindrance = ""
        if microscope is None:
            hindrance = _NOT_CONNECTED
        elif self.keeping.lens_focuses:
            hindrance = _BY_LENS
        elif chosen is None:
            hindrance = _NO_LENS if self._looked else ""
        else:
            try:
                config = self.config()
                self.plan.say(plan_words(config, chosen, microscope.focus))
                self.plot.set_unit(chosen.unit)
                if self.curve is None:
                    self.plot.set_range(config.low, config.high)
            except InputError as error:
                hindrance = str(error)
        if hindrance or chosen is None:
            self.plan.say(hindrance, "warning" if microscope is not None and not self.keeping.lens_focuses else "plain")
        self._enable(ready=not hindrance and chosen is not None)

    def _enable(self, *, ready: bool) -> None:
        running = self._session.is_running
        self.form.setEnabled(not running and not self.keeping.lens_focuses and self._session.connection is not None)
        self.start_button.setEnabled(ready and not running)
        self.stop_button.setEnabled(running and self._ours)
        self.progress.setVisible(self._ours)
        self.keeping.show_state()

    # calibrating

    def _on_start_clicked(self) -> None:
        microscope, chosen = self._session.microscope, self.form.chosen
        if microscope is None or chosen is None or self._session.is_running:
            return
        try:
            config = self.config()
        except InputError as error:
            self.message.fail(error)
            return
        self._ours, self.keeping.curve, self._shifts = True, None, []
        self.plot.clear()
        self.plot.set_range(config.low, config.high)
        self.progress.setRange(0, len(config.values))
        self.progress.setValue(0)
        self.message.say("Looking for the focus of the first value…")
        work = _calibrating(microscope, chosen, config, self._relay)
        self._session.start_run(work, step=self._on_step, failed=self.message.fail)

    def _on_stop_clicked(self) -> None:
        self.message.say("Stopping; lens and stage go back…")
        self._session.stop_run()

    def _on_step(self, step: LensStep) -> None:
        if step.frame is not None:
            self._session.view.show(step.frame)
        chosen = self.form.chosen
        self.message.say(step_words(step, chosen.unit if chosen else ""))
        self.plot.show_value(step.value)
        if step.reading is None:
            return
        self.progress.setValue(step.number + 1)
        if step.reading.shift_um is not None:
            self._shifts.append((step.reading.value, step.reading.shift_um))
        self.plot.show_points(self._shifts, step.curve)

    def _on_record(self, record: LensRecord) -> None:
        """However a calibration ended."""
        self.keeping.curve = record.curve
        self.plot.show_value(record.end_value)
        if record.curve is not None:
            self.plot.show_points([], record.curve)
        self.message.say(*ended_words(record))

    def _on_running_changed(self, running: bool) -> None:
        self._ours = self._ours and running
        self._on_form_changed()

    def _on_loaded(self, curve: LensCurve) -> None:
        self.plot.show_points([], curve)
        self.plot.set_unit(curve.facts.unit)
        self._on_form_changed()

    def _on_z_changed(self, z_um: float) -> None:
        curve = self.curve
        if self.keeping.lens_focuses and curve is not None and curve.range_um[0] <= z_um <= curve.range_um[1]:
            self.plot.show_value(curve.value_at(z_um))

    def _on_theme_changed(self, *_: object) -> None:
        for part in (self.plan, self.message, self.keeping, self.plot):
            part.set_theme(self._viewer.theme)


class _Relay(QObject):
    """Brings a record from the hardware thread to the GUI's; it outlives a panel that is closed meanwhile."""

    kept = Signal(object)

    def tell(self, record: LensRecord) -> None:
        """Called on any thread."""
        self.kept.emit(record)


def _calibrating(
    microscope: CoreMicroscope, chosen: LensProperty, config: LensConfig, relay: _Relay
) -> Generator[LensStep, None, LensRecord]:
    """Runs on the hardware thread."""
    knob = PropertyKnob(microscope.core, chosen.device, chosen.name, clock=microscope.clock, settle_s=config.settle_s)
    return (yield from calibrate_lens(microscope, knob, config, keep=relay.tell))
