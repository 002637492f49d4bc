"""The optics' part of the Microscope panel: the objective as the microscope knows it or the user states it."""

from __future__ import annotations

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QComboBox

from napari_autofocus.errors import InputError
from napari_autofocus.microscope.state import MicroscopeState
from napari_autofocus.optics import PRESETS, Objective
from napari_autofocus.widgets.parts.folds import Fold
from napari_autofocus.widgets.parts.forms import choice, label, number, row
from napari_autofocus.widgets.session import Connection, Session

_UNKNOWN = "unknown"
_TIP = (
    "Magnification / numerical aperture and, unless air, the immersion: 20x/0.75, 100x/1.4 oil."
    "\nChoose one or type it; models refuse images of optics unlike their own"
)
_PIXEL_TIP = "Size of a pixel in the sample, µm; taken from the microscope where it knows"


class OpticsSection(Fold):
    """Says through what the sample is seen."""

    refused = Signal(object)

    def __init__(self, session: Session) -> None:
        self._session = session
        self._known = False
        self._name = ""
        self._pixel_um: float | None = None
        self._typed_um: float | None = None
        self.objective_box = _objectives()
        self.pixel_box = number(0, 0, 100, 0.05, "µm", _PIXEL_TIP, decimals=4, width_px=112)
        self.pixel_box.setSpecialValueText(_UNKNOWN)
        self.dof_label = label("", tip="Depth of field of this objective, µm")
        objective = row(label("Objective"), self.objective_box)
        objective.setStretch(1, 1)
        pixel = row(label("Pixel"), self.pixel_box, 1, self.dof_label)
        super().__init__("Optics", "Objective, size of a pixel and depth of field, µm", objective, pixel)
        self.objective_box.activated.connect(self._on_edited)
        self.objective_box.lineEdit().editingFinished.connect(self._on_edited)
        self.pixel_box.valueChanged.connect(self._on_pixel_changed)

    def show_connection(self, connection: Connection | None) -> None:
        """Another microscope: what was said of the one before does not hold for it."""
        self._known = connection is not None and connection.objective is not None
        self._name = connection.name if connection else ""
        self._pixel_um = self._typed_um = None
        self.objective_box.setEnabled(not self._known)
        self.show_objective()

    def show_state(self, state: MicroscopeState) -> None:
        """Show the size of a pixel; another size means another objective, which was stated before or is unknown."""
        if state.pixel_size_um == self._pixel_um:
            return
        self._pixel_um = state.pixel_size_um
        self.pixel_box.setEnabled(not state.pixel_size_um and not self._known)
        with QSignalBlocker(self.pixel_box):
            self.pixel_box.setValue(state.pixel_size_um)
        if not self._known:
            self._session.focus.see_through(self._name, state.pixel_size_um)
        self.show_objective()

    def show_objective(self) -> None:
        """Show the objective that estimates go by, whoever stated it."""
        objective = self._session.focus.objective
        with QSignalBlocker(self.objective_box):
            self.objective_box.setCurrentText(objective.name if objective else _UNKNOWN)
        if objective is not None and not self._pixel_um:
            with QSignalBlocker(self.pixel_box):
                self.pixel_box.setValue(objective.pixel_size_um)
        seen = self._seen_through()
        self.dof_label.setText(f"depth of field {seen.dof_um:.3g} µm" if seen else "")
        self.set_title(f"Optics: {_in_words(objective, self.pixel_box.value())}")

    def _seen_through(self) -> Objective | None:
        objective, pixel_um = self._session.focus.objective, self.pixel_box.value()
        return objective.with_pixel_size(pixel_um) if objective and pixel_um else objective

    def _on_edited(self, _: int = 0) -> None:
        objective, text = self._session.focus.objective, self.objective_box.currentText().strip()
        if text == (objective.name if objective else _UNKNOWN):
            return
        pixel_um = self._pixel_um or self._typed_um or None
        try:
            self._state(None if text in ("", _UNKNOWN) else Objective.parse(text, pixel_size_um=pixel_um))
        except InputError as error:
            self.refused.emit(error)
            self.show_objective()

    def _on_pixel_changed(self, value_um: float) -> None:
        self._typed_um = value_um
        objective = self._session.focus.objective
        if objective is not None and value_um:
            self._state(objective.with_pixel_size(value_um))

    def _state(self, objective: Objective | None) -> None:
        self._session.focus.choose_objective(objective)
        self.show_objective()


def _objectives() -> QComboBox:
    box = choice([(name, name) for name in (_UNKNOWN, *PRESETS)], _TIP)
    box.setEditable(True)
    box.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
    return box


def _in_words(objective: Objective | None, pixel_um: float) -> str:
    lens = objective.name if objective else "objective unknown"
    return f"{lens}, pixel {pixel_um:g} µm" if pixel_um else f"{lens}, pixel unknown"
