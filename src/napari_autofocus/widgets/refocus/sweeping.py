"""Settings of a sweep: how to search, by which focus measure, how far and how finely."""

from __future__ import annotations

from qtpy.QtWidgets import QHBoxLayout, QWidget

from napari_autofocus.focus.sharpness import MEASURES
from napari_autofocus.routines.searches import SEARCHES
from napari_autofocus.routines.sweep import SweepConfig
from napari_autofocus.widgets.parts.forms import choice, columns_form, number

LEAST_RANGE_UM, RANGE_DOF = 10.0, 3.6
"""How far a sweep looks to either side: so many µm or, where that is more, so many depths of field (ours)."""


class SweepSettings(QWidget):
    """What a classical search is told."""

    def __init__(self) -> None:
        super().__init__()
        tips = "\n".join(f"{name}: {search.summary}" for name, search in SEARCHES.items())
        self.method_box = choice([(_named(name), name) for name in SEARCHES], f"How to search\n{tips}")
        self.method_box.setCurrentIndex(self.method_box.findData("coarse-to-fine"))
        self.measure_box = choice([(_named(name), name) for name in MEASURES], "Focus measure")
        self.measure_box.setCurrentIndex(self.measure_box.findData("brenner"))
        tip = "How far to look on either side of where the drive stands, µm"
        self.range_box = number(LEAST_RANGE_UM, 0.1, 500, 1, "µm", tip, decimals=1)
        self.range_box.setPrefix("±")
        tip = "Finest spacing of frames, µm: about the depth of field"
        self.step_box = number(1, 0.02, 50, 0.1, "µm", tip)
        for box in (self.method_box, self.measure_box):
            box.setMinimumContentsLength(6)
        forms = QHBoxLayout(self)
        forms.setContentsMargins(0, 0, 0, 0)
        forms.addLayout(columns_form(("Search", self.method_box), ("Measure", self.measure_box)), 1)
        forms.addLayout(columns_form(("Range", self.range_box), ("Step", self.step_box)))

    def set_dof(self, dof_um: float) -> None:
        """Step by this depth of field, µm, and look as far as it asks for."""
        self.step_box.setValue(dof_um)
        self.range_box.setValue(max(LEAST_RANGE_UM, RANGE_DOF * dof_um))

    def config(self) -> SweepConfig:
        """The settings. Raises InputError if they do not go together."""
        return SweepConfig(
            method=self.method_box.currentData(),
            range_um=self.range_box.value(),
            step_um=self.step_box.value(),
            measure=self.measure_box.currentData(),
        )


def _named(name: str) -> str:
    return name.replace("_", " ").replace("-", " ").capitalize()
