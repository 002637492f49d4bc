"""A tunable lens as the focus drive: the same promises as a stage's, along a calibrated curve."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from pymmcore_plus import CMMCorePlus

from made_lenses import made_curve
from napari_autofocus.errors import DriveHalted, ForeignMove, HardwareError, InputError, MoveRefused
from napari_autofocus.focus.lens_curve import LensCurve, LensPoint
from napari_autofocus.focus.lens_fit import fit_lens_curve
from napari_autofocus.microscope.controls import on_drive_moved, reported_z_um, set_focus_limits
from napari_autofocus.microscope.cores import release_core
from napari_autofocus.microscope.lens_drive import LensDrive
from napari_autofocus.microscope.lens_knob import PropertyKnob, lens_properties, unit_of
from napari_autofocus.microscope.mmcore import CoreMicroscope
from napari_autofocus.microscope.protocol import FocusDrive, walk_to
from napari_autofocus.microscope.simulated import SimulatedRig
from napari_autofocus.routines.sweep import SweepConfig, sweep
from rigs import RigMaker

CURVE = made_curve()


@pytest.fixture
def rig(make_rig: RigMaker) -> SimulatedRig:
    return make_rig(lens=CURVE)


def drive_of(rig: SimulatedRig) -> LensDrive:
    drive = rig.microscope.focus
    assert isinstance(drive, LensDrive)
    return drive


def test_it_fulfils_the_protocol(rig: SimulatedRig) -> None:
    drive: FocusDrive = rig.microscope.focus
    assert drive.label == "Lens"
    assert drive.focus_direction == 1
    assert drive.limits_um == pytest.approx((-9.6, 13.44), abs=0.02)
    assert rig.microscope.focus.kind == "lens"


def test_it_shifts_the_focus_by_what_it_says_and_leaves_the_stage_alone(rig: SimulatedRig) -> None:
    for z_um in (5.0, -3.0, 13.0, -9.5, 0.25):
        assert rig.microscope.focus.move_to(z_um) == pytest.approx(z_um, abs=0.01)
        assert rig.true_axial_um() == pytest.approx(z_um, abs=0.06)
    assert rig.core.getPosition("Z") == 0.0
    assert rig.microscope.focus.moved_by_others == 0
    assert rig.microscope.snap().z_um == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize("z_um", [-9.7, 13.6, 1e9])
def test_a_shift_beyond_the_curve_is_refused_in_one_sentence(rig: SimulatedRig, z_um: float) -> None:
    with pytest.raises(MoveRefused, match=r"lies beyond the curve of Lens Current-mA"):
        rig.microscope.focus.move_to(z_um)
    with pytest.raises(MoveRefused):
        walk_to(rig.microscope.focus, z_um)
    assert rig.lens.commands_ma == []


@pytest.mark.parametrize("z_um", [math.nan, math.inf, -math.inf])
def test_what_is_no_position_is_refused(rig: SimulatedRig, z_um: float) -> None:
    with pytest.raises(MoveRefused, match="finite position"):
        rig.microscope.focus.move_to(z_um)
    assert rig.lens.commands_ma == []


def test_limits_hold_inside_the_curve_and_cannot_leave_it(make_rig: RigMaker) -> None:
    microscope = make_rig(lens=CURVE, limits_um=(-4.0, 50.0)).microscope
    assert microscope.focus.limits_um == pytest.approx((-4.0, 13.44), abs=0.02)
    with pytest.raises(MoveRefused, match="outside the limits"):
        microscope.focus.move_to(-5.0)
    with pytest.raises(InputError, match="curve of Lens Current-mA reaches from"):
        microscope.focus.set_limits(-20.0, 5.0)
    with pytest.raises(InputError, match="itself travels from"):
        set_focus_limits(microscope, -20.0, 5.0)


@pytest.mark.parametrize("seed", range(8))
def test_either_end_of_the_curve_can_be_reached(make_rig: RigMaker, seed: int) -> None:
    """The ends of an interpolated curve may differ from its fitted values in the last digit."""
    shifts_um = np.cumsum(np.random.default_rng(seed).uniform(0.3, 1.7, len(CURVE.points)))
    points = [LensPoint(point.value, float(shift)) for point, shift in zip(CURVE.points, shifts_um, strict=True)]
    drive = make_rig(lens=fit_lens_curve(points, CURVE.facts)).microscope.focus
    for end_um in drive.limits_um:
        assert walk_to(drive, end_um) == pytest.approx(end_um)


def test_limits_beyond_the_curve_are_refused(make_rig: RigMaker) -> None:
    with pytest.raises(InputError, match="lie beyond the curve"):
        make_rig(lens=CURVE, limits_um=(40.0, 50.0))


def test_a_value_set_by_others_is_noticed(rig: SimulatedRig) -> None:
    rig.core.setProperty("Lens", "Current-mA", 50.0)
    assert rig.microscope.focus.moved_by_others == 1
    assert rig.microscope.focus.position_um() == pytest.approx(5.6, abs=0.05)
    with rig.microscope.restoring():
        rig.core.setProperty("Lens", "Current-mA", 20.0)
        with pytest.raises(ForeignMove):
            rig.microscope.focus.move_to(1.0)


def test_a_value_beyond_the_curve_set_by_others_stops_everything(rig: SimulatedRig) -> None:
    rig.core.setProperty("Lens", "Current-mA", 200.0)
    assert reported_z_um(rig.microscope) == pytest.approx(22.4, abs=0.1)
    with pytest.raises(ForeignMove, match="beyond its limits"):
        rig.microscope.focus.position_um()


def test_values_are_reported_in_um(rig: SimulatedRig) -> None:
    told: list[float] = []
    end = on_drive_moved(rig.microscope, told.append)
    rig.microscope.focus.move_to(5.0)
    end()
    rig.microscope.focus.move_to(6.0)
    assert told == [pytest.approx(5.0, abs=0.01)]


def test_a_halt_ends_the_move(rig: SimulatedRig, monkeypatch: pytest.MonkeyPatch) -> None:
    send = PropertyKnob.send

    def halted(knob: PropertyKnob, value: float) -> None:
        send(knob, value)
        rig.microscope.focus.stop()

    monkeypatch.setattr(PropertyKnob, "send", halted)
    with pytest.raises(DriveHalted):
        rig.microscope.focus.move_to(5.0)


def test_a_lens_that_does_not_take_its_value_is_a_failure(rig: SimulatedRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PropertyKnob, "send", lambda knob, value: None)
    with pytest.raises(HardwareError, match="was sent to 5 µm and rests at 0"):
        rig.microscope.focus.move_to(5.0)


def test_it_waits_until_the_membrane_has_settled(make_rig: RigMaker) -> None:
    curve = LensCurve(replace(CURVE.facts, settle_s=0.03), CURVE.points, CURVE.fitted_um)
    hasty, patient = make_rig(lens=CURVE), make_rig(lens=curve)
    for rig in (hasty, patient):
        rig.lens.settling_s = 0.03
        rig.microscope.focus.move_to(10.0)
    assert hasty.true_axial_um() < 5.0
    assert patient.true_axial_um() == pytest.approx(10.0, abs=0.15)


def test_hysteresis_is_taken_up_from_the_same_side(make_rig: RigMaker) -> None:
    """The same place lies within a tenth of a µm whichever side it was come from, all but the curve's low end."""
    curve = LensCurve(replace(CURVE.facts, overshoot=10.0), CURVE.points, CURVE.fitted_um)
    spreads = []
    for used in (CURVE, curve):
        rig = make_rig(lens=used)
        rig.lens.hysteresis_ma = 8.0
        reached = []
        for from_um in (-8.0, 12.0):
            rig.microscope.focus.move_to(from_um)
            rig.microscope.focus.move_to(2.0)
            reached.append(rig.true_axial_um())
        spreads.append(abs(reached[1] - reached[0]))
    assert spreads[0] > 0.5
    assert spreads[1] < 0.01


@pytest.mark.parametrize("falling", [False, True])
@pytest.mark.parametrize("start_um", [-6.0, 7.0])
def test_a_sweep_focuses_through_the_lens(make_rig: RigMaker, falling: bool, start_um: float) -> None:
    """Lenses whose shift falls with the current are as good as those whose shift rises."""
    rig = make_rig(lens=made_curve(-1 if falling else 1))
    if falling:
        rig.lens._curve = (rig.lens._curve[0], tuple(-each for each in rig.lens._curve[1]))
    walk_to(rig.microscope.focus, start_um)
    steps = sweep(rig.microscope, SweepConfig(step_um=0.5, range_um=8.0))
    try:
        while True:
            next(steps)
    except StopIteration as finished:
        record = finished.value
    assert record.outcome == "focused", record.reasons
    assert abs(rig.true_defocus_um()) < 0.3
    assert rig.core.getPosition("Z") == 0.0


def test_a_microscope_changes_between_stage_and_lens(make_rig: RigMaker) -> None:
    rig = make_rig()
    microscope, stage = rig.microscope, rig.microscope.focus
    stage.move_to(3.0)
    stage.set_limits(-20, 20)
    microscope.focus_through(CURVE)
    assert microscope.focus.kind == "lens"
    assert microscope.focus.position_um() == pytest.approx(0.0, abs=0.01)
    microscope.focus.move_to(2.0)
    microscope.focus_through(None)
    assert microscope.focus is stage
    assert (stage.position_um(), stage.limits_um) == (3.0, (-20, 20))
    assert drive_value(rig) == pytest.approx(CURVE.value_at(2.0))


def drive_value(rig: SimulatedRig) -> float:
    return float(rig.core.getProperty("Lens", "Current-mA"))


def test_without_a_stage_there_is_no_way_back(rig: SimulatedRig) -> None:
    with pytest.raises(InputError, match="connected without a focus stage"):
        rig.microscope.focus_through(None)
    assert rig.microscope.focus.kind == "lens"


def test_a_curve_of_another_device_is_refused_and_changes_nothing(make_rig: RigMaker) -> None:
    microscope = make_rig().microscope
    before = microscope.focus
    for device, name, said in (("ETL", "Current-mA", "no device 'ETL'"), ("Lens", "Voltage", "no property 'Voltage'")):
        curve = LensCurve(replace(CURVE.facts, device=device, property=name), CURVE.points, CURVE.fitted_um)
        with pytest.raises(InputError, match=said):
            microscope.focus_through(curve)
    assert microscope.focus is before


def test_a_lens_in_a_channel_is_left_to_its_drive(rig: SimulatedRig) -> None:
    rig.core.defineConfig("Channel", "Blue", "Lens", "Current-mA", "-20")
    rig.core.setChannelGroup("Channel")
    with rig.microscope.restoring():
        rig.microscope.focus.move_to(4.0)
    assert rig.microscope.focus.position_um() == pytest.approx(4.0, abs=0.01)


def test_lenses_are_found_among_the_properties(rig: SimulatedRig) -> None:
    found = lens_properties(rig.core)
    assert (found[0].device, found[0].name, found[0].unit, found[0].limits) == (
        "Lens",
        "Current-mA",
        "mA",
        (-250.0, 250.0),
    )
    assert not [each for each in found if each.device in ("Z", "XY", "Camera", "Shutter")]


@pytest.mark.parametrize(
    ("name", "unit"), [("Current-mA", "mA"), ("Focal power (dpt)", "dpt"), ("Voltage_V", "V"), ("Focus", ""), ("A", "")]
)
def test_a_unit_is_read_from_the_name(name: str, unit: str) -> None:
    assert unit_of(name) == unit


@pytest.mark.parametrize("value", [-250.1, 251, math.nan])
def test_a_knob_refuses_values_beyond_its_limits(rig: SimulatedRig, value: float) -> None:
    knob = PropertyKnob(rig.core, "Lens", "Current-mA", clock=rig.clock)
    with pytest.raises(InputError, match="takes Current-mA from -250 to 250"):
        knob.set(value)
    assert rig.lens.commands_ma == []


def test_a_property_that_is_no_number_is_no_knob(rig: SimulatedRig) -> None:
    with pytest.raises(InputError, match="has no property"):
        PropertyKnob(rig.core, "Lens", "None", clock=rig.clock)


@pytest.fixture
def demo() -> Callable[[], CMMCorePlus]:
    pytest.importorskip("mm_test_adapters")
    return CMMCorePlus


def test_it_works_over_a_cpp_core(demo: Callable[[], CMMCorePlus]) -> None:
    """MMCore's own demo camera has a number with limits; any such property may be a lens."""
    core = demo()
    core.loadSystemConfiguration()
    curve = made_curve(device="Camera", name="Gain", values=(-5.0, -2.0, 0.0, 3.0, 8.0))
    try:
        with CoreMicroscope(core, lens=curve, late_report_s=0.5, tolerance_um=1.0) as microscope:
            reached_um = microscope.focus.move_to(curve.shift_um(3.0))
            assert int(core.getProperty("Camera", "Gain")) == 3
            assert reached_um == pytest.approx(curve.shift_um(3.0))
            assert microscope.snap().z_um == pytest.approx(reached_um)
    finally:
        release_core(core)
