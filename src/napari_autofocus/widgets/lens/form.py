"""Which property of which device bends the lens, and which of its values are measured: the form of the lens panel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_autofocus.microscope.lens_knob import LensProperty
from napari_autofocus.routines.lens_config import LensConfig
from napari_autofocus.widgets.parts.folds import Fold
from napari_autofocus.widgets.parts.forms import choice, label, number, row

_FAR = 1_000_000.0
_WIDTH_PX = 104
_SMALL_PX = 84
_REACH = 120.0
"""Liao et al. measured from −120 mA on."""
_STEPS = 24


class LensForm(QWidget):
    """Lets the user choose a lens and the values to measure."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.property_box = choice(
            [], "The property that bends the lens: any number with limits that can be set.\nThe likeliest stand first"
        )
        self.low_box = _value("Lowest value to measure, in the property's unit")
        self.high_box = _value("Highest value to measure, in the property's unit")
        self.step_box = _value("Distance of the values, in the property's unit")
        self.zero_box = _value("Value at which the shift is called 0: where the lens is parfocal, in its own unit")
        self.settle_box = number(
            50, 0, 10_000, 10, "ms", "Time for the lens to come to rest, ms", decimals=0, width_px=_SMALL_PX
        )
        self.overshoot_box = _value(
            "The lens is first set so much lower than each value, so that its hysteresis\nis always taken up from the"
            " same side, in its own unit; 0 for a lens without"
        )
        self.search_box = number(
            20, 1, 500, 5, "µm", "How far the stage looks for the focus of the first value, µm", decimals=0
        )
        self.search_box.setPrefix("±")
        self._boxes = (self.low_box, self.high_box, self.step_box, self.zero_box, self.overshoot_box)
        self._arrange()
        self.property_box.currentIndexChanged.connect(self._on_chosen)
        for box in (*self._boxes, self.settle_box, self.search_box):
            box.valueChanged.connect(lambda _: self.changed.emit())

    def _arrange(self) -> None:
        lens = row(label("Lens"), self.property_box)
        lens.setStretch(1, 1)
        values = row(label("From"), self.low_box, label("to"), self.high_box, 1)
        step = row(label("Step"), self.step_box, label("  zero at"), self.zero_box, 1)
        settle = row(label("Settles in"), self.settle_box, label("  overshoot"), self.overshoot_box, 1)
        more = Fold("Settling, hysteresis, search", "How the lens is driven and how far the stage looks, ms and µm")
        more.content().layout().addLayout(settle)
        more.content().layout().addLayout(row(label("First search"), self.search_box, 1))
        self.fold = more
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        for line in (lens, values, step):
            column.addLayout(line)
        column.addWidget(more)

    @property
    def chosen(self) -> LensProperty | None:
        """The property that is chosen; None where the microscope has none."""
        found: LensProperty | None = self.property_box.currentData()
        return found

    def offer(self, properties: Sequence[LensProperty]) -> None:
        """List these properties, keeping the one that is chosen where it is still there."""
        before = self.chosen
        with QSignalBlocker(self.property_box):
            self.property_box.clear()
            for each in properties:
                self.property_box.addItem(f"{each.device}: {each.name}", each)
            if before in properties:
                self.property_box.setCurrentIndex(list(properties).index(before))
        if self.chosen != before:
            self._on_chosen()

    def _on_chosen(self, _: int = 0) -> None:
        """Suggest values inside the limits of what is chosen."""
        chosen = self.chosen
        if chosen is not None:
            low, high = (min(max(end, -_FAR), _FAR) for end in chosen.limits)
            if chosen.unit == "mA":
                low, high = max(low, -_REACH), min(high, _REACH)
            with QSignalBlocker(self):
                for box in self._boxes:
                    box.setDecimals(_decimals(high - low))
                    box.setSingleStep(10.0 ** -(_decimals(high - low) - 1))
                    box.setSuffix(f" {chosen.unit}" if chosen.unit else "")
                for box, value in zip(self._boxes, (low, high, _round_step((high - low) / _STEPS)), strict=False):
                    box.setValue(value)
                self.zero_box.setValue(min(max(0.0, low), high))
        self.changed.emit()

    def config(self, dof_um: float, objective: str, focus_direction: int) -> LensConfig:
        """What the calibration is told. Raises InputError if a value makes no sense."""
        return LensConfig(
            low=self.low_box.value(),
            high=self.high_box.value(),
            step=self.step_box.value(),
            zero=self.zero_box.value(),
            dof_um=dof_um,
            range_um=self.search_box.value(),
            focus_direction=focus_direction,
            settle_s=self.settle_box.value() / 1000,
            overshoot=self.overshoot_box.value(),
            objective=objective,
            date=date.today().isoformat(),
        )


def _value(tip: str) -> QWidget:
    return number(0, -_FAR, _FAR, 1, "", tip, width_px=_WIDTH_PX)


def _decimals(span: float) -> int:
    """Places behind the point that a value inside of such a range wants: 1 for 240 mA, 3 for 4 dpt."""
    return min(max(3 - math.floor(math.log10(span)), 1), 6) if span > 0 else 2


def _round_step(step: float) -> float:
    """To one digit: 10 for 10.4."""
    if not (math.isfinite(step) and step > 0):
        return 1.0
    digits = -math.floor(math.log10(step))
    return round(step, digits)
