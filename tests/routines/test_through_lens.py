"""Routines that were written for stages focus through a tunable lens unchanged, and the stage never moves."""

from __future__ import annotations

from collections.abc import Generator
from itertools import islice
from typing import Any

import pytest

from made_lenses import made_curve
from napari_autofocus.focus.estimate import ImageOptics
from napari_autofocus.microscope.simulated import SimulatedRig
from napari_autofocus.optics import Objective
from napari_autofocus.routines.refocus import RefocusConfig, refocus
from napari_autofocus.routines.survey import SurveyConfig, survey
from napari_autofocus.routines.track import TrackConfig, track
from rigs import RigMaker, TextureScene
from truthful_model import TruthfulModel

OPTICS = ImageOptics(Objective.parse("20x/0.75"))


class Tilted(TextureScene):
    """In focus 10 µm higher for each mm to the right."""

    def best_focus_um(self, x_um: float, y_um: float) -> float:
        return 1.5 + 0.01 * x_um

    def snap(self, x_um: float, y_um: float, axial_um: float, **others: Any) -> Any:
        self.best_um = self.best_focus_um(x_um, y_um)
        return super().snap(x_um, y_um, axial_um, **others)


@pytest.fixture(params=[1, -1], ids=["rising", "falling"])
def lens_rig(request: pytest.FixtureRequest, make_rig: RigMaker) -> SimulatedRig:
    """A lens whose shift rises or falls with its current, on a stage that focuses either way."""
    rig = make_rig(Tilted(), lens=made_curve(request.param), focus_direction=request.param)
    if request.param < 0:
        currents, shifts_um = rig.lens._curve
        rig.lens._curve = currents, tuple(-each for each in shifts_um)
    return rig


def ended(steps: Generator[Any, None, Any]) -> Any:
    """What a routine returns."""
    while True:
        try:
            next(steps)
        except StopIteration as finished:
            return finished.value


@pytest.mark.parametrize("start_um", [-3.0, 6.0])
def test_a_refocus(lens_rig: SimulatedRig, start_um: float) -> None:
    lens_rig.microscope.focus.move_to(start_um)
    record = ended(refocus(lens_rig.microscope, TruthfulModel(lens_rig), RefocusConfig(optics=OPTICS)))
    assert record.outcome == "focused", record.reasons
    assert abs(lens_rig.true_defocus_um()) < 0.15
    assert record.end_um == pytest.approx(1.5, abs=0.2)
    assert lens_rig.z_stage.commands_um == []


def test_a_refocus_beyond_the_curve_is_refused_and_nothing_moves(lens_rig: SimulatedRig) -> None:
    lens_rig.microscope.move_xy_to(1300.0, 0.0)
    before = float(lens_rig.core.getProperty("Lens", "Current-mA"))
    record = ended(refocus(lens_rig.microscope, TruthfulModel(lens_rig), RefocusConfig(optics=OPTICS)))
    assert record.outcome in ("refused", "reverted"), record.reasons
    assert float(lens_rig.core.getProperty("Lens", "Current-mA")) == pytest.approx(before, abs=0.2)
    assert lens_rig.z_stage.commands_um == []


def test_a_hold(lens_rig: SimulatedRig) -> None:
    lens_rig.microscope.focus.move_to(1.5)
    lens_rig.z_stage.drift_um_s = 0.03
    config = TrackConfig(optics=OPTICS, interval_s=2.0, window=1, dead_band_um=0.1)
    steps = track(lens_rig.microscope, TruthfulModel(lens_rig), config)
    for step in islice(steps, 40):
        lens_rig.clock.sleep(step.wait_s)
    assert lens_rig.z_stage.drifted_um() > 2.0
    assert abs(lens_rig.true_defocus_um()) < 0.2
    steps.close()
    assert lens_rig.z_stage.commands_um == []


def test_a_survey(lens_rig: SimulatedRig) -> None:
    places = [(x_um, y_um) for y_um in (0.0, 200.0) for x_um in (-400.0, -200.0, 0.0, 200.0, 400.0)]
    work = survey(lens_rig.microscope, TruthfulModel(lens_rig), SurveyConfig(optics=OPTICS), places)
    record = ended(work)
    assert record.outcome == "done", record.reasons
    for point in record.points:
        assert point.z_um == pytest.approx(1.5 + 0.01 * point.x_um, abs=0.3)
    assert lens_rig.z_stage.commands_um == []
