"""How to refocus: the method, and what helps where the model does not know."""

from __future__ import annotations

from typing import Literal

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QVBoxLayout, QWidget

from napari_autofocus.focus.estimate import ImageOptics
from napari_autofocus.routines.refocus_config import LEAST_PROBE_UM, RefocusConfig
from napari_autofocus.widgets.parts.forms import button, choice, columns_form, connect_while_alive, row
from napari_autofocus.widgets.refocus.fallback_choice import FallbackChoice
from napari_autofocus.widgets.refocus.sweeping import SweepSettings
from napari_autofocus.widgets.session import Session

RunMethod = Literal["one-shot", "sweep"]

_METHODS: list[tuple[str, RunMethod]] = [("One shot", "one-shot"), ("Sweep", "sweep")]
_METHOD_TIP = """How to focus
One shot: the model reads one frame, the drive moves, a second frame verifies
Two shots (with a model of two): a frame a step apart, one here, the drive moves, and the same again verifies
Sweep: a classical search over many frames; needs no model"""
_UNEVEN = [
    ("go to the best plane", "best-plane"),
    ("also make an all-in-focus image", "composite"),
    ("leave it", "leave"),
]


class RefocusOptions(QWidget):
    """Method and options of a refocus.

    Parameters
    ----------
    session : Session
        What the panels share; its ``focus`` holds objective, region and direction that the user has stated.
    theme : str
        Id of the napari theme whose colours are used.
    """

    changed = Signal()

    def __init__(self, session: Session, theme: str) -> None:
        super().__init__()
        self._state = session.focus
        self.method_box = choice(_METHODS, _METHOD_TIP)
        self.sweep_if_unsure = QCheckBox("Sweep if unsure")
        self.sweep_if_unsure.setToolTip("Where the model cannot tell, search by sharpness, set as for the method Sweep")
        tip = "What to do with a field that has no single focus: it is scanned over the predicted range"
        self.uneven_box = choice(_UNEVEN, tip)
        self.neighbours_box = QCheckBox("Ask neighbouring fields where this one is empty")
        self.neighbours_box.setToolTip("Look at four neighbouring fields; the slide comes back, focus is interpolated")
        self.sweeping = SweepSettings()
        self.more_button = button(
            "More…", "What to do with uneven and empty fields, and where the model is unsure", checkable=True
        )
        self.fallback = FallbackChoice(session, theme)
        self.more = QWidget()
        more = QVBoxLayout(self.more)
        more.setContentsMargins(0, 0, 0, 0)
        more.addLayout(columns_form(("Uneven fields", self.uneven_box), ("When unsure", self.fallback)))
        more.addWidget(self.neighbours_box)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(3)
        column.addLayout(row(self.method_box, self.sweep_if_unsure, 1, self.more_button))
        column.addWidget(self.sweeping)
        column.addWidget(self.more)
        self.method_box.currentIndexChanged.connect(self._on_method_changed)
        self.more_button.toggled.connect(self.more.setVisible)
        connect_while_alive(
            self,
            [
                (self._state.model_changed, self._on_model_changed),
                (self._state.settings_changed, self._on_settings_changed),
            ],
        )
        self._dof_um: float | None = None
        self._on_settings_changed()
        self._on_model_changed()

    @property
    def method(self) -> RunMethod:
        """``one-shot`` (by a model, whether of one shot or of two) or ``sweep``."""
        return self.method_box.currentData()

    @property
    def probe_um(self) -> float:
        """Length of the move that a drive of unknown direction may be tried by, µm."""
        pair, model = self._state.pair, self._state.model
        if pair is not None:
            return self._state.dz_um or pair.card.dz_um
        return LEAST_PROBE_UM if model is None else RefocusConfig().probe_for(model.card.dof_um)

    def config(self, *, probe: bool) -> RefocusConfig:
        """What a refocus is told; ``probe`` allows a small move that finds out an unknown direction.

        Raises
        ------
        InputError
            If the settings of the sweep that may help do not go together.
        """
        state = self._state
        return RefocusConfig(
            optics=None if state.objective is None else ImageOptics(state.objective),
            insist=state.insist,
            region=state.region,
            focus_direction=state.focus_direction,
            probe_um=self.probe_um if probe else 0.0,
            dz_um=self._state.dz_um,
            sweep=self.sweeping.config() if self.sweep_if_unsure.isChecked() else None,
            uneven=self.uneven_box.currentData(),
            neighbours=4 if self.neighbours_box.isChecked() else 0,
        )

    def set_theme(self, theme: str) -> None:
        """Wear the colours of a napari theme."""
        self.fallback.set_theme(theme)

    def _on_model_changed(self, *_: object) -> None:
        by_two = self._state.pair is not None
        self.method_box.setItemText(0, "Two shots" if by_two else "One shot")
        self.fallback.setEnabled(not by_two)
        self._on_method_changed()

    def _on_settings_changed(self) -> None:
        """Another depth of field asks for another step and range of a sweep."""
        objective = self._state.objective
        if objective is not None and objective.dof_um != self._dof_um:
            self._dof_um = objective.dof_um
            self.sweeping.set_dof(objective.dof_um)

    def _on_method_changed(self, *_: object) -> None:
        by_model = self.method == "one-shot"
        self.sweeping.setVisible(not by_model)
        for part in (self.sweep_if_unsure, self.more_button):
            part.setVisible(by_model)
        self.more.setVisible(by_model and self.more_button.isChecked())
        self.changed.emit()
