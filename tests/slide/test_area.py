"""Areas of a slide and grids over them."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from napari_autofocus.errors import InputError
from napari_autofocus.slide.area import Area, grid_points, require_within

SQUARE = Area.rectangle(0, 0, 10_000, 10_000)
L_SHAPE = Area(((0, 0), (4000, 0), (4000, 1000), (1000, 1000), (1000, 4000), (0, 4000)))


def test_sixteen_by_sixteen_over_ten_millimetres_reach_the_edges() -> None:
    places = grid_points(SQUARE, (16, 16))
    assert len(places) == len(set(places)) == 256
    assert places[0] == (0, 0)
    assert sorted({x for x, _ in places}) == pytest.approx([number * 10_000 / 15 for number in range(16)])


def test_rows_are_visited_back_and_forth() -> None:
    places = grid_points(Area.rectangle(0, 0, 200, 100), 100.0)
    assert places == [(0, 0), (100, 0), (200, 0), (200, 100), (100, 100), (0, 100)]


def test_every_step_of_a_serpentine_is_one_spacing() -> None:
    places = grid_points(SQUARE, (16, 16))
    steps = [math.dist(*pair) for pair in pairwise(places)]
    assert max(steps) == pytest.approx(10_000 / 15)


def test_a_polygon_is_turned_at_its_own_edges() -> None:
    triangle = Area(((0, 0), (1000, 0), (0, 1000)))
    places = grid_points(triangle, 100.0)
    assert all(x + y <= 1000 + 1e-6 for x, y in places)
    steps = [math.dist(*pair) for pair in pairwise(places)]
    assert max(steps) <= 100 * math.sqrt(2) + 1e-6
    assert len(places) == 66


def test_a_spacing_is_centred_in_the_area() -> None:
    places = grid_points(Area.rectangle(0, 0, 1050, 1050), 500.0)
    assert {x for x, _ in places} == {25.0, 525.0, 1025.0}


def test_one_column_lies_in_the_middle() -> None:
    assert grid_points(Area.rectangle(0, 0, 100, 50), (1, 1)) == [(50, 25)]


def test_several_areas_follow_each_other_from_the_nearer_end_and_share_no_place() -> None:
    left, right = Area.rectangle(0, 0, 200, 200), Area.rectangle(200, 0, 400, 200)
    places = grid_points([left, right], 100.0)
    assert len(places) == len(set(places)) == 15
    assert math.dist(places[8], places[9]) == pytest.approx(100)


def test_inside_a_hollow_shape_and_on_its_outline() -> None:
    x, y = np.array([500, 2000, 3000, 4000, 4001]), np.array([3000, 2000, 500, 1000, 1000])
    assert L_SHAPE.inside(x, y).tolist() == [True, False, True, True, False]
    assert L_SHAPE.inside(0, 0) is True
    assert L_SHAPE.inside(math.nan, 0) is False
    assert L_SHAPE.bounds_um == (0, 0, 4000, 4000)


def test_far_from_the_origin_an_area_is_as_exact() -> None:
    area = Area.around((1e6, -2e6), 100)
    assert area.holds((1e6 + 50, -2e6 - 50))
    assert not area.holds((1e6 + 50.1, -2e6))


@pytest.mark.parametrize(
    ("spacing", "says"),
    [
        (0.0, "positive number of µm; found 0"),
        (-5.0, "found -5"),
        (math.nan, "found nan"),
        (1.0, "more than 100000 places"),
        ((0, 5), "found 0 x 5"),
        ((1000, 1000), "at most 100000"),
    ],
)
def test_a_spacing_that_makes_no_sense_is_refused(spacing: float | tuple[int, int], says: str) -> None:
    with pytest.raises(InputError, match=says):
        grid_points(SQUARE, spacing)


def test_no_area_and_no_place_in_it_are_refused() -> None:
    with pytest.raises(InputError, match="No area"):
        grid_points([], 100.0)
    with pytest.raises(InputError, match="No place of a grid of 4000 µm"):
        grid_points(Area(((0, 0), (1000, 0), (1000, 1000), (999, 1000), (999, 1), (0, 1))), 4000.0)


@pytest.mark.parametrize("corners", [((0, 0), (1, 1)), ((0, 0), (1, 1), (2, 2)), ((0, 0), (1, math.nan), (2, 0))])
def test_what_encloses_nothing_is_no_area(corners: tuple[tuple[float, float], ...]) -> None:
    with pytest.raises(InputError):
        Area(corners)


def test_places_beyond_the_stage_are_refused_with_the_numbers() -> None:
    require_within(grid_points(SQUARE, (3, 3)), (0, 0, 10_000, 10_000))
    with pytest.raises(InputError, match=r"3 of 9 places .* from \(0, 0\) to \(10000, 10000\) µm, the stage from"):
        require_within(grid_points(SQUARE, (3, 3)), (-1, -1, 9_000, 10_000))
    with pytest.raises(InputError, match="1 of 1"):
        require_within([(math.nan, 0.0)], (-1, -1, 1, 1))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-5000, 5000), st.floats(-5000, 5000)), min_size=3, max_size=7),
    st.floats(150, 3000),
)
def test_every_place_lies_inside_and_none_comes_twice(corners: list[tuple[float, float]], spacing_um: float) -> None:
    try:
        area = Area(tuple(corners))
        places = grid_points(area, spacing_um)
    except InputError:
        assume(False)
    assert all(area.holds(place) for place in places)
    assert len(set(places)) == len(places)
