"""What a calibration is asked for in its panel: name, model to begin with, stacks, time and live runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFormLayout, QLineEdit, QVBoxLayout, QWidget

from napari_autofocus.errors import InputError
from napari_autofocus.models.library import InstalledModel, installed_models, user_folder
from napari_autofocus.optics import Objective
from napari_autofocus.widgets.parts.folds import Fold
from napari_autofocus.widgets.parts.forms import choice, label, number, row
from napari_autofocus.widgets.session import Session
from napari_autofocus.widgets.train.names import name_like
from napari_autofocus.workflows.calibration.record import RECORD
from napari_autofocus.workflows.calibration_plan import CalibrationPlan

FOLDER_SUFFIX = ".calibration"
ANEW = "Begin anew"
_BOX_PX = 106


class CalibrationForm(QWidget):
    """Asks for the plan of a calibration; ``changed`` tells that another name was chosen.

    Parameters
    ----------
    session : Session
        What the panels share.
    """

    changed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._build()
        self._arrange()
        self.name_edit.editingFinished.connect(self.changed.emit)
        session.analysis.call(lambda: list(installed_models()), done=self._on_listed)

    def _build(self) -> None:
        self.name_edit = QLineEdit("my-microscope")
        self.name_edit.setToolTip("Name of the new model (letters, digits and . _ + - only)")
        self.base_box = choice([(ANEW, None)], "Model to begin with; it is not changed")
        self.stacks_box = _whole(8, 4, 200, "Z-stacks to take and learn from (a number)")
        tip = "Time to teach, minutes; each fold takes as long again"
        self.minutes_box = number(3, 0.1, 1000, 1, "min", tip, decimals=1, width_px=_BOX_PX)
        self.proofs_box = _whole(10, 0, 100, "Live runs against a Brenner sweep in the end (a number)")
        tip = "Fields are taken within ± this of where the stage stands, µm"
        self.area_box = number(2000, 50, 50000, 100, "µm", tip, decimals=0, width_px=_BOX_PX)
        self.area_box.setPrefix("±")
        tip = "The model is to answer within ± so many depths of field; the planes of a stack reach a little farther"
        self.range_box = number(10, 2, 50, 1, "DOF", tip, decimals=0, width_px=_BOX_PX)
        self.range_box.setPrefix("±")
        self.step_box = number(
            0.5, 0.1, 2, 0.1, "DOF", "Distance of the planes, in depths of field", decimals=2, width_px=_BOX_PX
        )
        self.folds_box = _whole(3, 2, 20, "Models taught without some of the stacks, to measure on these (a number)")

    def _arrange(self) -> None:
        more = QFormLayout()
        for name, box in (("Range", self.range_box), ("Step", self.step_box), ("Folds", self.folds_box)):
            more.addRow(name, box)
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Name", self.name_edit)
        form.addRow("Begin with", self.base_box)
        form.addRow("Stacks", row(self.stacks_box, label("within"), self.area_box, 1))
        form.addRow("Teach", row(self.minutes_box, label("live runs"), self.proofs_box, 1))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(form)
        column.addWidget(Fold("More settings", "Range, step and folds", more))

    def _on_listed(self, found: list[InstalledModel]) -> None:
        for model in found:
            if model.card is not None and model.card.kind == "one-shot":
                self.base_box.addItem(model.name, str(model.path))
        self.base_box.setCurrentIndex(min(1, self.base_box.count() - 1))

    @property
    def name(self) -> str:
        """Name of the model to be."""
        return self.name_edit.text().strip()

    @property
    def folder(self) -> Path:
        """Where the calibration is kept."""
        return user_folder() / f"{self.name}{FOLDER_SUFFIX}"

    @property
    def target(self) -> Path:
        """Where the model goes."""
        return user_folder() / f"{self.name}.zip"

    def suggest(self, objective: Objective | None) -> None:
        """A name that is free; an unfinished calibration goes before it."""
        unfinished = _unfinished()
        wished = name_like(f"{objective.name}-mine" if objective is not None else "my-microscope")
        names = (wished if number == 1 else f"{wished}-{number}" for number in range(1, 10_000))
        free = (name for name in names if not (user_folder() / f"{name}{FOLDER_SUFFIX}").exists())
        self.name_edit.setText(unfinished or next(free))
        self.changed.emit()

    def settings(self) -> dict[str, Any]:
        """What the plan is made of beside the objective."""
        return {
            "stacks": round(self.stacks_box.value()),
            "minutes": self.minutes_box.value(),
            "folds": round(self.folds_box.value()),
            "proofs": round(self.proofs_box.value()),
            "base": self.base_box.currentData(),
            "area_um": self.area_box.value(),
            "focus_direction": self._session.focus.focus_direction,
        }

    def planner(self) -> Callable[[float | None], CalibrationPlan]:
        """What makes the plan, in any thread, once the size of a pixel is known, µm.

        Raises
        ------
        InputError
            If the objective is not known or the name cannot be used; the function raises it for a plan without sense.
        """
        objective = self._session.focus.objective
        if objective is None:
            raise InputError("State the objective in the Microscope panel first: a model serves one objective only.")
        if name_like(self.name) != self.name:
            raise InputError(f"A model's name has letters, digits and . _ + - only; found {self.name!r}.")
        settings, range_dof, step_dof = self.settings(), self.range_box.value(), self.step_box.value()

        def plan(pixel_size_um: float | None) -> CalibrationPlan:
            lens = objective if pixel_size_um is None else objective.with_pixel_size(pixel_size_um)
            return CalibrationPlan(lens, range_um=range_dof * lens.dof_um, step_um=step_dof * lens.dof_um, **settings)

        return plan


def _unfinished() -> str:
    """Name of the newest calibration that was begun and not finished; empty where there is none."""
    records = user_folder().glob(f"*{FOLDER_SUFFIX}/{RECORD}")
    found = [path for path in records if '"verdict": null' in path.read_text(encoding="utf-8")]
    newest = max(found, key=lambda path: path.stat().st_mtime, default=None)
    return "" if newest is None else newest.parent.name.removesuffix(FOLDER_SUFFIX)


def _whole(value: int, lowest: int, highest: int, tip: str) -> QWidget:
    return number(value, lowest, highest, 1, "", tip, decimals=0, width_px=64)
