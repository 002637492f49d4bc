"""The XY stage's part of the Microscope panel: where it stands, steps, a place to go to, a random field."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_autofocus.microscope.controls import random_place_um
from napari_autofocus.microscope.mmcore import CoreMicroscope
from napari_autofocus.microscope.state import MicroscopeState
from napari_autofocus.widgets.parts.folds import Fold
from napari_autofocus.widgets.parts.forms import button, label, number, row
from napari_autofocus.widgets.stand.pads import XY_ARROWS, Gathered, StepPad
from napari_autofocus.widgets.stand.watching import MicroscopeWatch

_SLIDE_REACH_UM = 5000.0
_FARTHEST_UM = 1_000_000.0


class XYSection(QWidget):
    """Moves the XY stage by hand."""

    moving = Signal()

    def __init__(self, watch: MicroscopeWatch) -> None:
        super().__init__()
        self._watch = watch
        self._moves = Gathered(self._move_by)
        self._rng = np.random.default_rng()
        self._build()
        self.pad.stepped.connect(self._on_stepped)
        self.field_button.clicked.connect(self._on_field_clicked)
        self.go_button.clicked.connect(self._on_go_clicked)

    def _build(self) -> None:
        self.xy_label = label("x –, y –", tip="Position of the XY stage, µm")
        self.pad = StepPad(XY_ARROWS, "XY stage")
        self.step_box = number(100, 0.1, 10_000, 50, "µm", "Length of one step of the XY stage, µm", decimals=1)
        self.field_button = button("Random field", "Go to a random place on the slide (up to 5 mm from its middle)")
        self.x_box, self.y_box = _place("x"), _place("y")
        self.go_button = button("Go", "Send the XY stage to this place")
        places = row(label("x"), self.x_box, label("y"), self.y_box, self.go_button)
        self.fold = Fold("Go to a place", "A place on the slide in µm", places)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(row(self.xy_label, 1, self.pad))
        column.addLayout(row(self.field_button, 1, label("step"), self.step_box))
        column.addWidget(self.fold)

    def show_state(self, state: MicroscopeState) -> None:
        """Show where the stage stands; without one there is nothing to show."""
        self.setVisible(math.isfinite(state.x_um))
        x_um, y_um = (round(along_um, 1) + 0.0 for along_um in (state.x_um, state.y_um))  # 0.0 clears the sign of −0.0
        self.xy_label.setText(f"x {x_um:.1f}, y {y_um:.1f} µm".replace("-", "−"))

    def forget(self) -> None:
        """There is no stage any more."""
        self._moves.forget()

    def _on_stepped(self, along_x: float, along_y: float) -> None:
        step_um = self.step_box.value()
        self._moves.add(along_x * step_um, along_y * step_um)

    def _move_by(self, dx_um: float, dy_um: float) -> None:
        def move(microscope: CoreMicroscope) -> None:
            x_um, y_um = microscope.xy_um()
            microscope.move_xy_to(x_um + dx_um, y_um + dy_um)

        self._start(move)

    def _on_field_clicked(self) -> None:
        self._go_to(*random_place_um(self._rng, _SLIDE_REACH_UM))

    def _on_go_clicked(self) -> None:
        self._go_to(self.x_box.value(), self.y_box.value())

    def _go_to(self, x_um: float, y_um: float) -> None:
        self._start(lambda microscope: microscope.move_xy_to(x_um, y_um))

    def _start(self, move: Callable[[CoreMicroscope], object]) -> None:
        self.moving.emit()
        self._watch.act(move, ended=self._moves.arrived)


def _place(axis: str) -> QWidget:
    tip = f"Where to send the XY stage along {axis}, µm"
    return number(0, -_FARTHEST_UM, _FARTHEST_UM, 100, "µm", tip, decimals=1)
