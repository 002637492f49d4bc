"""The simulated XY stage takes as long as its speed and acceleration ask for."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_autofocus.microscope.clock import VirtualClock
from napari_autofocus.microscope.simulated_devices import _Glide
from rigs import RigMaker

SPEED_UM_S, ACCELERATION_UM_S2 = 20_000.0, 200_000.0


def glide(way_um: float) -> _Glide:
    return _Glide((0.0, 0.0), (way_um, 0.0), 0.0, SPEED_UM_S, ACCELERATION_UM_S2)


def test_a_short_way_never_reaches_full_speed() -> None:
    assert glide(650.0).rests_s == pytest.approx(2 * math.sqrt(650.0 / ACCELERATION_UM_S2))


def test_a_long_way_is_mostly_at_full_speed() -> None:
    assert glide(10_000.0).rests_s == pytest.approx(10_000.0 / SPEED_UM_S + SPEED_UM_S / ACCELERATION_UM_S2)


@given(st.floats(1.0, 1e5), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_it_goes_on_and_on_until_it_arrives(way_um: float, one: float, other: float) -> None:
    move = glide(way_um)
    early, late = (move.at(share * move.rests_s)[0] for share in sorted((one, other)))
    assert -1e-6 <= early <= late + 1e-6 <= way_um + 2e-6
    assert move.at(move.rests_s) == (way_um, 0.0)
    assert move.at(move.rests_s / 2)[0] == pytest.approx(way_um / 2)


def test_a_rig_moves_its_slide_by_the_speed_and_acceleration_that_it_was_given(make_rig: RigMaker) -> None:
    rig = make_rig(clock=VirtualClock(), xy_speed_um_s=SPEED_UM_S, xy_acceleration_um_s2=ACCELERATION_UM_S2)
    rig.microscope.move_xy_to(650.0, 0.0)
    assert rig.clock.now_s() == pytest.approx(2 * math.sqrt(650.0 / ACCELERATION_UM_S2), abs=0.01)
