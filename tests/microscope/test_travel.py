from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_autofocus.errors import InputError, MoveRefused
from napari_autofocus.microscope.travel import TravelRules

RULES = TravelRules((-10.0, 10.0), largest_step_um=8.0, backlash_um=2.0, approach=1)


@st.composite
def allowed_moves(draw: st.DrawFn) -> tuple[TravelRules, float, float, bool]:
    low = draw(st.floats(-1e4, 1e4))
    high = low + draw(st.floats(1e-2, 1e4))
    step = draw(st.floats(1e-3, 1e4))
    backlash = draw(st.floats(0, 1)) * min(step, high - low)
    rules = TravelRules((low, high), step, backlash, draw(st.sampled_from([-1, 1])))
    here = draw(st.floats(low, high))
    target = draw(st.floats(max(low, here - step), min(high, here + step)))
    return rules, here, target, draw(st.booleans())


@given(allowed_moves())
def test_no_waypoint_leaves_the_limits_or_exceeds_the_largest_step(
    move: tuple[TravelRules, float, float, bool],
) -> None:
    rules, here, target, play_taken_up = move
    rules.require(here, target)
    route = rules.route(here, target, play_taken_up=play_taken_up)
    assert route.waypoints_um[-1] == target
    assert all(rules.allows(z) for z in route.waypoints_um)
    assert all(abs(b - a) <= rules.largest_step_um + 1e-5 for a, b in pairwise((here, *route.waypoints_um)))


@given(allowed_moves())
def test_the_final_stretch_goes_in_the_direction_of_approach(move: tuple[TravelRules, float, float, bool]) -> None:
    rules, here, target, play_taken_up = move
    route = rules.route(here, target, play_taken_up=play_taken_up)
    *_, before, last = (here, *route.waypoints_um)
    if route.play_left_um < rules.backlash_um:
        assert (last - before) * rules.approach >= 0
    if route.play_left_um == 0 < rules.backlash_um and not play_taken_up:
        assert (last - before) * rules.approach >= rules.backlash_um - 1e-5


@pytest.mark.parametrize("target_um", [math.nan, math.inf, -math.inf, 10.001, -10.001])
def test_targets_that_are_no_place_inside_are_refused(target_um: float) -> None:
    with pytest.raises(MoveRefused):
        RULES.require(9.0, target_um)


def test_a_step_beyond_the_largest_is_refused_and_says_what_to_do() -> None:
    with pytest.raises(MoveRefused, match=r"9 µm from -4 to 5 µm is longer than the largest step \(8 µm\).*several"):
        RULES.require(-4.0, 5.0)


def test_onward_with_the_play_taken_up_goes_straight() -> None:
    assert RULES.route(0.0, 0.5, play_taken_up=True).waypoints_um == (0.5,)


def test_onward_by_less_than_the_play_after_an_unknown_move_turns_first() -> None:
    assert RULES.route(0.0, 0.5, play_taken_up=False).waypoints_um == (-1.5, 0.5)


def test_a_long_way_back_is_cut_into_commands_no_longer_than_the_step() -> None:
    assert RULES.route(8.0, 0.0, play_taken_up=True).waypoints_um == (0.0, -2.0, 0.0)


def test_a_limit_cuts_the_overshoot_short_and_the_route_says_so() -> None:
    route = RULES.route(-5.0, -9.5, play_taken_up=True)
    assert route.waypoints_um == (-10.0, -9.5)
    assert route.play_left_um == 1.5


def test_a_drive_that_approaches_from_above_turns_above() -> None:
    rules = TravelRules((-10.0, 10.0), largest_step_um=8.0, backlash_um=2.0, approach=-1)
    assert rules.route(0.0, 1.0, play_taken_up=True).waypoints_um == (3.0, 1.0)


@pytest.mark.parametrize(
    "settings",
    [
        {"limits_um": (1.0, 1.0)},
        {"limits_um": (2.0, 1.0)},
        {"limits_um": (math.nan, 1.0)},
        {"limits_um": (0.0, math.inf)},
        {"largest_step_um": 0.0},
        {"largest_step_um": math.nan},
        {"backlash_um": -1.0},
        {"backlash_um": 9.0},
        {"backlash_um": math.nan},
        {"approach": 0},
    ],
)
def test_rules_without_sense_are_refused(settings: dict[str, object]) -> None:
    good = {"limits_um": (-10.0, 10.0), "largest_step_um": 8.0, "backlash_um": 2.0, "approach": 1}
    with pytest.raises(InputError):
        TravelRules(**{**good, **settings})  # type: ignore[arg-type]
