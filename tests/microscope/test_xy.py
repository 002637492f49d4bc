from __future__ import annotations

import math

import pytest

from napari_autofocus.errors import HardwareError, InputError, MoveRefused
from napari_autofocus.microscope.simulated import SimulatedRig
from rigs import RigMaker


def test_it_arrives_and_takes_its_time(rig: SimulatedRig) -> None:
    assert rig.microscope.move_xy_to(3000.0, 4000.0) == (3000.0, 4000.0)
    assert rig.clock.now_s() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("place", [(math.nan, 0.0), (0.0, math.inf), (10_001.0, 0.0), (0.0, -10_001.0)])
def test_a_place_outside_the_limits_is_refused(rig: SimulatedRig, place: tuple[float, float]) -> None:
    with pytest.raises(MoveRefused, match="outside the limits of the XY stage"):
        rig.microscope.move_xy_to(*place)
    assert rig.microscope.xy_um() == (0.0, 0.0)


def test_limits_can_be_set(make_rig: RigMaker) -> None:
    rig = make_rig(xy_limits_um=(-1.0, -1.0, 1.0, 1.0))
    with pytest.raises(MoveRefused):
        rig.microscope.move_xy_to(1.5, 0.0)


def test_limits_out_of_order_are_refused(make_rig: RigMaker) -> None:
    with pytest.raises(InputError):
        make_rig(xy_limits_um=(1.0, -1.0, -1.0, 1.0))


def test_a_stage_that_does_not_arrive_is_a_hardware_error(rig: SimulatedRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rig.xy_stage, "set_position_um", lambda x, y: None)
    with pytest.raises(HardwareError, match=r"sent to \(50, 60\) µm and rests at \(0, 0\)"):
        rig.microscope.move_xy_to(50.0, 60.0)


def test_a_place_that_is_no_number_is_a_hardware_error(rig: SimulatedRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rig.xy_stage, "get_position_um", lambda: (math.nan, 0.0))
    with pytest.raises(HardwareError, match=r"reports \(nan, 0\.0\) as its position"):
        rig.microscope.move_xy_to(50.0, 60.0)


@pytest.mark.parametrize("error", [RuntimeError("unplugged"), KeyboardInterrupt()])
def test_a_stage_nobody_waits_for_is_halted(
    rig: SimulatedRig, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def fail(_: str) -> bool:
        raise error

    monkeypatch.setattr(rig.core, "deviceBusy", fail)
    with pytest.raises(HardwareError if isinstance(error, RuntimeError) else KeyboardInterrupt):
        rig.microscope.move_xy_to(5000.0, 0.0)
    rig.clock.sleep(1.0)
    assert rig.microscope.xy_um()[0] == pytest.approx(0.0, abs=1.0)


def test_without_an_xy_stage_the_place_is_unknown_and_moves_are_refused(rig: SimulatedRig) -> None:
    rig.core.setXYStageDevice("")
    rig.microscope.close()
    microscope = type(rig.microscope)(rig.core, clock=rig.clock)
    assert all(map(math.isnan, microscope.xy_um()))
    with pytest.raises(MoveRefused, match="no XY stage"):
        microscope.move_xy_to(1.0, 1.0)
    microscope.stop()
