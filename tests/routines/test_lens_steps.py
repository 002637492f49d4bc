"""A lens calibrated without a stage, on the known heights of a slide."""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np
import pytest

from napari_autofocus.errors import InputError
from napari_autofocus.focus.lens_curve import LensFacts
from napari_autofocus.microscope.protocol import Image
from napari_autofocus.microscope.simulated import SimulatedRig
from napari_autofocus.routines.lens.steps import SlideStep, StepsConfig, calibrate_lens_on_steps, raw_curve
from napari_autofocus.routines.lens_config import LensRecord
from rigs import RigMaker, TextureScene

FACTS = LensFacts("Lens", "Current-mA", "mA")
HEIGHTS = (-6.0, -3.0, 0.0, 3.0, 5.0)
PLACES = [SlideStep(100.0 * number, 50.0, height) for number, height in enumerate(HEIGHTS)]


class Stairs(TextureScene):
    """A step every 100 µm; a higher one is in focus where sample and objective are farther apart."""

    def best_focus_um(self, x_um: float, y_um: float) -> float:
        return 0.5 - HEIGHTS[int(np.clip(round(x_um / 100), 0, len(HEIGHTS) - 1))]

    def snap(self, x_um: float, y_um: float, axial_um: float, **others: Any) -> Image:
        self.best_um = self.best_focus_um(x_um, y_um)
        return super().snap(x_um, y_um, axial_um, **others)


@pytest.fixture
def rig(make_rig: RigMaker) -> SimulatedRig:
    return make_rig(Stairs(), lens=raw_curve(FACTS, -120, 120), tolerance_um=0.5)


def test_the_curve_is_found_and_slide_and_lens_are_back(rig: SimulatedRig) -> None:
    kept: list[LensRecord] = []
    list(calibrate_lens_on_steps(rig.microscope, PLACES, StepsConfig(FACTS), keep=kept.append))
    record = kept[0]
    assert record.outcome == "done", record.reasons
    assert record.curve is not None
    assert record.curve.facts.focus_direction == 1
    for value in (-40.0, 0.0, 40.0):
        assert record.curve.shift_um(value) == pytest.approx(np.interp(value, (-250, 0, 250), (-20, 0, 28)), abs=0.4)
    assert rig.microscope.xy_um() == (0.0, 0.0)
    assert float(rig.core.getProperty("Lens", "Current-mA")) == pytest.approx(0.0, abs=0.1)
    assert rig.z_stage.commands_um == []
    assert LensRecord.from_json(record.to_json()).readings == record.readings


def test_a_cancel_brings_slide_and_lens_back(rig: SimulatedRig) -> None:
    kept: list[LensRecord] = []
    work = calibrate_lens_on_steps(rig.microscope, PLACES, StepsConfig(FACTS), keep=kept.append)
    list(islice(work, 20))
    work.close()
    assert kept[0].outcome == "cancelled"
    assert rig.microscope.xy_um() == (0.0, 0.0)
    assert float(rig.core.getProperty("Lens", "Current-mA")) == pytest.approx(0.0, abs=0.1)


@pytest.mark.parametrize("places", [PLACES[:3], [*PLACES, SlideStep(0.0, 0.0, float("nan"))], PLACES[:1] * 5])
def test_heights_that_make_no_curve_are_refused(rig: SimulatedRig, places: list[SlideStep]) -> None:
    with pytest.raises(InputError):
        next(calibrate_lens_on_steps(rig.microscope, places, StepsConfig(FACTS)))
    assert rig.lens.commands_ma == []
