"""The Autofocus panel: sweep to focus, see the focus curve grow, and undo it."""

from __future__ import annotations

from typing import get_args

import napari.viewer
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QWidget

from napari_autofocus.errors import InputError
from napari_autofocus.focus.sharpness import MEASURES
from napari_autofocus.microscope.protocol import walk_to
from napari_autofocus.records import SweepRecord
from napari_autofocus.routines.searches import Method
from napari_autofocus.routines.sweep import SweepConfig, SweepStep, sweep
from napari_autofocus.widgets.docks import share_height
from napari_autofocus.widgets.forms import (
    Message,
    Tone,
    button,
    choice,
    columns_form,
    connect_while_alive,
    number,
    row,
    scrolled,
)
from napari_autofocus.widgets.plots import FocusCurvePlot
from napari_autofocus.widgets.sentences import plain_um, sweep_sentence
from napari_autofocus.widgets.session import Connection, Session

_METHOD_TIPS = {
    "uniform": "every step of the range",
    "coarse-to-fine": "wide steps first, then fine ones around the best",
    "hill-climb": "uphill with shrinking steps",
    "brent": "Brent's search for the maximum",
    "curve-fit": "few frames, then a fitted peak",
}
_BACK_UM = 0.2
_TONES: dict[str, Tone] = {
    "focused": "good",
    "reverted": "warning",
    "timed_out": "warning",
    "refused": "warning",
    "failed": "error",
}


class AutofocusPanel(QWidget):
    """Focuses the connected microscope by a classical search."""

    _kept = Signal(object)  # emitted in the hardware thread, heard in the GUI's

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        share_height(self, grows=True)
        self._session = Session.of(napari_viewer)
        self._viewer = self._session.viewer
        self._before_um: float | None = None
        self.record: SweepRecord | None = None
        self._build()
        self._arrange()
        self._connect()
        self._on_connection_changed(self._session.connection)

    # layout

    def _build(self) -> None:
        theme = self._viewer.theme
        tips = "\n".join(f"{name}: {tip}" for name, tip in _METHOD_TIPS.items())
        self.method_box = choice([(name.capitalize(), name) for name in get_args(Method)], f"How to search\n{tips}")
        self.method_box.setCurrentIndex(self.method_box.findData("coarse-to-fine"))
        self.measure_box = choice(
            [(name.replace("_", " ").replace("-", " ").capitalize(), name) for name in MEASURES], "Focus measure"
        )
        self.measure_box.setCurrentIndex(self.measure_box.findData("brenner"))
        self.range_box = number(
            10, 0.1, 500, 1, "µm", "How far to look on either side of where the drive stands, µm", decimals=1
        )
        self.range_box.setPrefix("±")
        self.step_box = number(1, 0.02, 50, 0.1, "µm", "Finest spacing of frames, µm: about the depth of field")
        self.sweep_button = button(
            "Sweep to focus", "Find the sharpest plane and go there (live mode is paused meanwhile)"
        )
        self.sweep_button.setMinimumHeight(38)
        self.stop_button = button("Stop", "Halt at once and go back to where the drive was")
        self.undo_button = button("Undo", "Go back to the z before the last sweep")
        self.plot = FocusCurvePlot(theme)
        self.plot.setToolTip("Sharpness over z (µm) as the sweep grows; dashed: where the drive stands")
        self.message, self.reasons = Message(theme), Message(theme)

    def _arrange(self) -> None:
        column = scrolled(self)
        forms = QHBoxLayout()
        forms.addLayout(columns_form(("Method", self.method_box), ("Measure", self.measure_box)), 1)
        forms.addLayout(columns_form(("Range", self.range_box), ("Step", self.step_box)))
        column.addLayout(forms)
        column.addLayout(row(self.sweep_button, self.stop_button, self.undo_button))
        column.addWidget(self.message)
        column.addWidget(self.plot, 1)
        column.addWidget(self.reasons)
        column.itemAt(1).layout().setStretch(0, 1)

    def _connect(self) -> None:
        self.sweep_button.clicked.connect(self._on_sweep_clicked)
        self.stop_button.clicked.connect(self._on_stop_clicked)
        self.undo_button.clicked.connect(self._on_undo_clicked)
        self._kept.connect(self._on_record)
        session = self._session
        connect_while_alive(
            self,
            [
                (session.connection_changed, self._on_connection_changed),
                (session.running_changed, self._on_running_changed),
                (session.z_changed, self.plot.set_marker),
                (self._viewer.events.theme, self._on_theme_changed),
            ],
        )

    # the sweep

    def _config(self) -> SweepConfig:
        return SweepConfig(
            method=self.method_box.currentData(),
            range_um=self.range_box.value(),
            step_um=self.step_box.value(),
            measure=self.measure_box.currentData(),
        )

    def _on_sweep_clicked(self) -> None:
        microscope = self._session.microscope
        if microscope is None or self._session.is_running:
            return
        try:
            config = self._config()
        except InputError as error:
            self.message.fail(error)
            return
        self.plot.clear()
        self.reasons.say("")
        self.message.say("Sweeping…")
        self._session.start_run(
            sweep(microscope, config, keep=self._kept.emit), step=self._on_step, failed=self.message.fail
        )

    def _on_step(self, step: SweepStep) -> None:
        self._session.view.show(step.frame)
        self.plot.add_point(step.z_um, step.sharpness)
        of = f" of about {step.planned}" if step.planned else ""
        self.message.say(f"Sweeping: frame {step.index + 1}{of}, z {plain_um(step.z_um)}")

    def _on_stop_clicked(self) -> None:
        self.message.say("Stopping…")
        self._session.stop_run()

    def _on_record(self, record: SweepRecord) -> None:
        """However a sweep ended."""
        self.record = record
        focused = record.outcome == "focused"
        self.plot.set_peak(record.best_z_um, record.uncertainty_um)
        self.plot.set_marker(record.end_um)
        self.message.say(sweep_sentence(record), _TONES.get(record.outcome, "plain"))
        back_at_start = abs(record.end_um - record.start_um) <= _BACK_UM
        told = focused or (record.outcome == "cancelled" and back_at_start)
        self.reasons.say("" if told else "\n".join(record.reasons))
        self._before_um = record.start_um if focused else None
        self._enable()

    def _on_undo_clicked(self) -> None:
        before_um = self._before_um
        if before_um is not None:
            self._before_um = None
            self._session.ask(lambda microscope: walk_to(microscope.focus, before_um), done=self._on_undone)
            self._enable()

    def _on_undone(self, z_um: float) -> None:
        self.reasons.say("")
        self.message.say(f"Undone: the drive is back at {plain_um(z_um)}.")
        self.plot.set_marker(z_um)

    # what is possible now

    def _on_connection_changed(self, connection: Connection | None) -> None:
        self._before_um = None
        self.plot.clear()
        self.plot.set_marker(None)
        self.reasons.say("")
        if connection is not None and connection.dof_um is not None:
            self.step_box.setValue(connection.dof_um)
        self.message.say("" if connection else "Connect a microscope in the Microscope panel first.")
        self._enable()

    def _on_running_changed(self, *_: object) -> None:
        self._enable()

    def _enable(self) -> None:
        connected, sweeping = self._session.connection is not None, self._session.is_running
        for part in (self.method_box, self.measure_box, self.range_box, self.step_box):
            part.setEnabled(not sweeping)
        self.sweep_button.setEnabled(connected and not sweeping)
        self.stop_button.setEnabled(sweeping)
        self.undo_button.setEnabled(connected and not sweeping and self._before_um is not None)

    def _on_theme_changed(self, *_: object) -> None:
        for part in (self.plot, self.message, self.reasons):
            part.set_theme(self._viewer.theme)
