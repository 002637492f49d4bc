"""The calibration of a tunable lens: the true curve on stages of both directions, and everything put back."""

from __future__ import annotations

import json
from itertools import islice
from typing import Any

import numpy as np
import pytest

from made_lenses import made_curve
from napari_autofocus.errors import HardwareError, InputError
from napari_autofocus.microscope.faults import Fault
from napari_autofocus.microscope.lens_knob import PropertyKnob
from napari_autofocus.microscope.simulated import SimulatedRig
from napari_autofocus.routines.lens_calibration import LensConfig, LensRecord, LensStep, calibrate_lens
from rigs import RigMaker, TextureScene


def true_um(values: Any) -> Any:
    return np.interp(values, (-250, 0, 250), (-20, 0, 28))


def knob_of(rig: SimulatedRig, settle_s: float = 0.0) -> PropertyKnob:
    return PropertyKnob(rig.core, "Lens", "Current-mA", clock=rig.clock, settle_s=settle_s)


def config(**others: Any) -> LensConfig:
    return LensConfig(**{"low": -90, "high": 90, "step": 30, "settle_s": 0.0, **others})


def run(rig: SimulatedRig, asked: LensConfig | None = None) -> tuple[list[LensStep], LensRecord]:
    work, steps = calibrate_lens(rig.microscope, knob_of(rig), asked or config()), []
    while True:
        try:
            steps.append(next(work))
        except StopIteration as finished:
            return steps, finished.value


def current_ma(rig: SimulatedRig) -> float:
    return float(rig.core.getProperty("Lens", "Current-mA"))


@pytest.mark.parametrize("direction", [1, -1])
def test_it_finds_the_curve_on_stages_of_both_directions(make_rig: RigMaker, direction: int) -> None:
    rig = make_rig(focus_direction=direction)
    rig.core.setProperty("Lens", "Current-mA", 15.0)
    rig.microscope.focus.move_to(3.0)
    steps, record = run(rig)
    assert record.outcome == "done", record.reasons
    assert record.curve is not None
    inside = np.linspace(-90, 90, 31)
    assert [record.curve.shift_um(v) for v in inside] == pytest.approx(list(true_um(inside)), abs=0.3)
    assert record.curve.facts.focus_direction == 1
    assert (record.curve.facts.name, record.curve.facts.unit) == ("Lens Current-mA", "mA")
    assert current_ma(rig) == record.end_value == 15.0
    assert record.end_um == rig.microscope.focus.position_um() == pytest.approx(3.0)
    assert record.frames == sum(step.phase == "search" for step in steps)
    assert [step.reading.value for step in steps if step.reading] == list(config().values)


def test_a_stage_whose_direction_nobody_knows_leaves_that_of_the_lens_unknown(make_rig: RigMaker) -> None:
    _, record = run(make_rig(tells_direction=False), config(low=-60, high=60))
    assert record.curve is not None
    assert record.curve.facts.focus_direction == 0
    _, record = run(make_rig(tells_direction=False, focus_direction=-1), config(low=-60, high=60, focus_direction=-1))
    assert record.curve is not None
    assert record.curve.facts.focus_direction == 1
    assert record.curve.slope_sign == 1


def test_settling_and_hysteresis_are_kept_out_of_the_curve(make_rig: RigMaker) -> None:
    rig = make_rig()
    rig.lens.hysteresis_ma, rig.lens.settling_s = 6.0, 0.03
    asked = config(overshoot=10.0, settle_s=0.04)
    kept: list[LensRecord] = []
    list(calibrate_lens(rig.microscope, knob_of(rig, settle_s=asked.settle_s), asked, keep=kept.append))
    curve = kept[0].curve
    assert curve is not None
    assert (curve.facts.overshoot, curve.facts.settle_s) == (10.0, 0.04)
    # Rising currents act as if they were half the hysteresis lower; what the zero takes off is the same everywhere.
    inside = np.linspace(-90, 90, 31)
    wanted = true_um(inside - 3) - true_um(-3.0)
    assert [curve.shift_um(v) for v in inside] == pytest.approx(list(wanted), abs=0.3)


def test_the_record_goes_to_json_and_back(rig: SimulatedRig) -> None:
    _, record = run(rig, config(low=-60, high=60))
    again = LensRecord.from_json(record.to_json())
    assert again.readings == record.readings
    assert again.curve is not None
    assert record.curve is not None
    assert again.curve.fitted_um == record.curve.fitted_um
    assert json.loads(again.to_json()) == json.loads(record.to_json())
    with pytest.raises(InputError, match="not the record of a lens calibration"):
        LensRecord.from_json("{}")


def test_values_beyond_the_device_are_refused_and_nothing_moves(rig: SimulatedRig) -> None:
    with pytest.raises(InputError, match="takes Current-mA from -250 to 250; found a range of -300 to 90"):
        run(rig, config(low=-300))
    assert rig.lens.commands_ma == []
    assert rig.z_stage.commands_um == []


def test_a_lens_that_focuses_is_not_measured_with_itself(make_rig: RigMaker) -> None:
    rig = make_rig(lens=made_curve())
    with pytest.raises(InputError, match="is what focuses now"):
        run(rig)
    assert rig.lens.commands_ma == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"step": 0.0},
        {"step": float("nan")},
        {"low": 90.0},
        {"step": 80.0},
        {"step": 0.01},
        {"dof_um": 0.0},
        {"settle_s": -1.0},
        {"focus_direction": 2},
        {"range_um": float("nan")},
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        config(**wrong)


@pytest.mark.parametrize("after", [1, 20, 45])
def test_a_cancel_puts_lens_and_stage_back(rig: SimulatedRig, after: int) -> None:
    rig.core.setProperty("Lens", "Current-mA", 15.0)
    kept: list[LensRecord] = []
    work = calibrate_lens(rig.microscope, knob_of(rig), config(), keep=kept.append)
    list(islice(work, after))
    work.close()
    assert kept[0].outcome == "cancelled"
    assert kept[0].curve is None
    assert current_ma(rig) == kept[0].end_value == 15.0
    assert rig.microscope.focus.position_um() == pytest.approx(0.0)


def test_an_empty_field_ends_it_with_a_reason(make_rig: RigMaker) -> None:
    scene = TextureScene()
    scene._texture[:] = 0.5
    rig = make_rig(scene)
    _, record = run(rig, config(range_um=6))
    assert record.outcome == "failed"
    assert "found no focus" in record.reasons[0]
    assert len(record.readings) == 3
    assert current_ma(rig) == 0.0
    assert rig.microscope.focus.position_um() == pytest.approx(0.0)


def test_focus_beyond_the_limits_of_the_stage_is_told(make_rig: RigMaker) -> None:
    rig = make_rig(limits_um=(-5.0, 9.0))
    _, record = run(rig, config(range_um=6))
    assert record.outcome in ("failed", "done_in_part")
    assert any("limits" in each.reason or "No focus" in each.reason for each in record.readings)
    assert all(-5.0 <= each <= 9.0 for each in rig.z_stage.commands_um)


def test_a_lens_that_fails_is_an_outcome(rig: SimulatedRig, monkeypatch: pytest.MonkeyPatch) -> None:
    set_value = PropertyKnob.set

    def failing(knob: PropertyKnob, value: float) -> float:
        if value == 0:
            raise HardwareError("The lens does not answer.")
        return set_value(knob, value)

    rig.core.setProperty("Lens", "Current-mA", 15.0)
    monkeypatch.setattr(PropertyKnob, "set", failing)
    _, record = run(rig)
    assert record.outcome == "failed"
    assert record.reasons[0] == "The lens does not answer."
    assert current_ma(rig) == 15.0


def test_a_camera_that_fails_is_an_outcome(make_rig: RigMaker) -> None:
    rig = make_rig(faults=[Fault("snap-timeout", at=30, times=10**6)])
    _, record = run(rig)
    assert record.outcome == "failed"
    assert current_ma(rig) == 0.0
    assert rig.microscope.focus.position_um() == pytest.approx(0.0)


def test_somebody_at_the_lens_is_left_alone(rig: SimulatedRig) -> None:
    work = calibrate_lens(rig.microscope, knob_of(rig), config())
    list(islice(work, 25))
    rig.core.setProperty("Lens", "Current-mA", 77.0)
    kept: list[LensRecord] = []
    try:
        while True:
            next(work)
    except StopIteration as finished:
        kept.append(finished.value)
    assert kept[0].outcome == "failed"
    assert "Somebody else set Lens" in " ".join(kept[0].reasons)
    assert current_ma(rig) == 77.0


@pytest.mark.parametrize("taken_um", [5.0, 400.0])
def test_somebody_at_the_stage_keeps_the_lens_as_it_is(make_rig: RigMaker, taken_um: float) -> None:
    rig = make_rig(limits_um=(-50.0, 50.0))
    kept: list[LensRecord] = []
    steps = calibrate_lens(rig.microscope, knob_of(rig), config(), keep=kept.append)
    for step in steps:
        if step.phase == "reading" and rig.z_stage.get_position_um() != taken_um:
            before_ma = current_ma(rig)
            rig.core.setPosition("Z", taken_um)
            rig.clock.sleep(1.0)
    assert kept[0].outcome == "failed"
    assert "moved by somebody else" in kept[0].reasons[0] or "Somebody else moved" in kept[0].reasons[0]
    assert current_ma(rig) == before_ma
    assert rig.z_stage.get_position_um() == taken_um


def test_a_lens_may_fall_as_well_as_rise(rig: SimulatedRig) -> None:
    rig.lens._curve = rig.lens._curve[0], (20.0, 0.0, -28.0)
    _, record = run(rig)
    assert record.curve is not None
    assert record.curve.slope_sign == -1
    assert record.curve.facts.focus_direction == 1
    assert record.curve.shift_um(60.0) == pytest.approx(-6.72, abs=0.3)
