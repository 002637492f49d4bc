"""The focus drive's part of the Microscope panel: where it stands, steps, an absolute z, limits and direction."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_autofocus.errors import AutofocusError
from napari_autofocus.microscope.controls import go_to_um, reported_z_um, set_focus_limits
from napari_autofocus.microscope.mmcore import CoreMicroscope
from napari_autofocus.microscope.state import MicroscopeState
from napari_autofocus.widgets.parts.folds import Fold
from napari_autofocus.widgets.parts.forms import button, choice, label, number, row
from napari_autofocus.widgets.parts.sentences import plain_um
from napari_autofocus.widgets.parts.shortcuts import HALT_KEY, native
from napari_autofocus.widgets.session import Session
from napari_autofocus.widgets.stand.pads import Z_ARROWS, Gathered, StepPad
from napari_autofocus.widgets.stand.travel_bar import TravelBar
from napari_autofocus.widgets.stand.watching import MicroscopeWatch

_FARTHEST_UM = 100_000.0
_DIRECTIONS = (
    ("does not say which way it focuses", 0),
    ("brings sample and objective together", 1),
    ("moves sample and objective apart", -1),
)
_DIRECTION_TIP = (
    "What a growing z does to sample and objective: it brings them together or moves them apart (no unit)."
    "\nThe core says so where it knows; otherwise state it here, or leave it unknown"
)


class FocusSection(QWidget):
    """Moves the focus drive by hand, inside limits that are shown."""

    moving = Signal()

    def __init__(self, session: Session, watch: MicroscopeWatch) -> None:
        super().__init__()
        self._session = session
        self._watch = watch
        self._limits_um: tuple[float, float] | None = None
        self._moves = Gathered(self._move_by)
        self._build()
        self._arrange()
        self.pad.stepped.connect(self._on_stepped)
        self.go_button.clicked.connect(self._on_go_clicked)
        self.halt_button.clicked.connect(self._on_halt_clicked)
        self.limits_button.clicked.connect(self._on_limits_clicked)
        self.here_button.clicked.connect(self._on_here_clicked)
        self.direction_box.activated.connect(self._on_direction_chosen)

    def _build(self) -> None:
        self.z_label = label("z –", tip="Position of the focus drive as the hardware reports it, µm")
        self.z_label.setStyleSheet("font-size: 15pt; font-weight: bold;")
        self.pad = StepPad(Z_ARROWS, "focus drive")
        self.step_box = number(1, 0.01, 100, 0.5, "µm", "Length of one step of the focus drive, µm")
        self.bar = TravelBar(self._session.viewer.theme)
        self.low_label = label("", tip="Lowest position that the drive is ever sent to, µm")
        self.high_label = label("", tip="Highest position that the drive is ever sent to, µm")
        self.target_box = _position("Where to send the focus drive, µm")
        self.go_button = button("Go", "Send the focus drive to this z, in steps that it allows")
        self.halt_button = button("Halt", f"Stop the focus drive at once, wherever it is ({native(HALT_KEY)})")
        self.low_box = _position("Lowest position that the drive may ever be sent to, µm")
        self.high_box = _position("Highest position that the drive may ever be sent to, µm")
        self.limits_button = button("Set", "Keep the focus drive between these two positions from now on")
        self.around_box = number(50, 1, 10_000, 10, "µm", "Travel to allow to either side of the present z, µm")
        self.here_button = button("Set", "Allow so much travel to either side of where the drive stands now")
        self.direction_box = choice(_DIRECTIONS, _DIRECTION_TIP)

    def _arrange(self) -> None:
        go_to = row(label("Go to"), self.target_box, self.go_button, 1, self.halt_button)
        limits = row(label("Limits"), self.low_box, label("to"), self.high_box, self.limits_button)
        around = row(label("Limits: here ±"), self.around_box, self.here_button, 1)
        direction = row(label("Growing z"), self.direction_box)
        direction.setStretch(1, 1)
        self.fold = Fold(
            "Go to, limits, direction",
            "An absolute z, the limits in µm, and which way it focuses",
            go_to,
            limits,
            around,
        )
        self.fold.content().layout().addLayout(direction)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(row(self.z_label, 1, self.pad))
        travel = row(self.low_label, self.bar, self.high_label, label("  step"), self.step_box)
        travel.setStretch(1, 1)
        column.addLayout(travel)
        column.addWidget(self.fold)

    def show_state(self, state: MicroscopeState) -> None:
        """Show where the drive stands, and between what."""
        self._show_limits(state.limits_um)
        self.show_z(state.z_um)
        stated = self._session.focus.focus_direction
        with QSignalBlocker(self.direction_box):
            self.direction_box.setCurrentIndex(self.direction_box.findData(state.focus_direction or stated))
        self.direction_box.setEnabled(state.focus_direction == 0)

    def show_z(self, z_um: float) -> None:
        """Show where the drive stands, µm."""
        microscope = self._session.microscope
        kind = "z" if microscope is None else microscope.focus.kind
        self.z_label.setText(f"{kind} {plain_um(z_um)}")
        self.bar.show_position(z_um, self._limits_um)

    def forget(self) -> None:
        """There is no drive any more."""
        self._moves.forget()
        self._limits_um = None

    def _show_limits(self, limits_um: tuple[float, float]) -> None:
        if limits_um == self._limits_um:
            return  # or what a user is typing would be overwritten
        self._limits_um = limits_um
        parts = ((self.low_label, self.low_box), (self.high_label, self.high_box))
        for limit_um, (text, box) in zip(limits_um, parts, strict=True):
            text.setText(f"{limit_um:g}".replace("-", "−"))
            box.setValue(limit_um)
        self.target_box.setRange(*limits_um)

    # moving

    def _on_stepped(self, steps: float, _: float) -> None:
        self._moves.add(steps * self.step_box.value(), 0.0)

    def _move_by(self, dz_um: float, _: float) -> None:
        self._start(lambda microscope: microscope.focus.move_to(reported_z_um(microscope) + dz_um))

    def _on_go_clicked(self) -> None:
        z_um = self.target_box.value()
        self._start(lambda microscope: go_to_um(microscope, z_um))

    def _on_halt_clicked(self) -> None:
        self._moves.drop()
        microscope = self._session.microscope
        try:
            if microscope is not None:
                microscope.focus.stop()  # from here, since the hardware thread is waiting for the drive
        except AutofocusError as error:
            self._session.failed.emit(error)

    def _start(self, move: Callable[[CoreMicroscope], object]) -> None:
        self.moving.emit()
        self._watch.act(move, ended=self._moves.arrived)

    # limits and direction

    def _on_limits_clicked(self) -> None:
        low_um, high_um = self.low_box.value(), self.high_box.value()
        self._set_limits(lambda microscope: set_focus_limits(microscope, low_um, high_um))

    def _on_here_clicked(self) -> None:
        around_um = self.around_box.value()

        def set_around(microscope: CoreMicroscope) -> None:
            here_um = round(reported_z_um(microscope), 2)
            set_focus_limits(microscope, here_um - around_um, here_um + around_um)

        self._set_limits(set_around)

    def _set_limits(self, change: Callable[[CoreMicroscope], object]) -> None:
        self.moving.emit()
        self._watch.act(change)

    def _on_direction_chosen(self, _: int) -> None:
        self._session.focus.state_direction(self.direction_box.currentData())


def _position(tip: str) -> QWidget:
    return number(0, -_FARTHEST_UM, _FARTHEST_UM, 1, "µm", tip, width_px=103)
