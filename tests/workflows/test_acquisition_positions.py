from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_autofocus.errors import InputError
from napari_autofocus.routines.acquire_places import Area, grid_in, grid_places, random_places
from napari_autofocus.workflows.acquire.positions import parse_positions

TRIANGLE = Area(((0.0, 0.0), (1000.0, 0.0), (0.0, 1000.0)))


def rng() -> np.random.Generator:
    return np.random.default_rng(4)


def test_a_grid_goes_back_and_forth_around_the_place() -> None:
    assert parse_positions("grid:3x2@100", (10.0, 20.0), rng()).places == (
        (-90.0, -30.0),
        (10.0, -30.0),
        (110.0, -30.0),
        (110.0, 70.0),
        (10.0, 70.0),
        (-90.0, 70.0),
    )


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(1, 6), st.integers(1, 6), st.floats(0.1, 1e4), st.floats(-1e5, 1e5), st.floats(-1e5, 1e5))
def test_neighbours_of_a_grid_are_one_spacing_apart(
    columns: int, rows: int, spacing: float, x_um: float, y_um: float
) -> None:
    places = grid_places((x_um, y_um), columns, rows, spacing)
    assert len(places) == columns * rows
    assert np.allclose(np.mean(places, axis=0), (x_um, y_um), atol=1e-6)
    steps = [math.dist(a, b) for a, b in pairwise(places)]
    assert np.allclose(steps, spacing, rtol=1e-6, atol=1e-6)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 1000), st.floats(0, 200))
def test_random_places_lie_inside_and_apart(seed: int, distance: float) -> None:
    places = random_places(TRIANGLE, 8, np.random.default_rng(seed), least_distance_um=distance)
    assert all(TRIANGLE.holds(place) for place in places)
    assert all(math.dist(a, b) >= distance for i, a in enumerate(places) for b in places[:i])


def test_random_positions_have_spares_for_empty_fields() -> None:
    drawn = parse_positions("random:8@2000", (0.0, 0.0), rng(), field_um=10.0)
    assert drawn.wanted == 8
    assert len(drawn.places) > 50
    assert np.abs(drawn.places).max() <= 1000
    assert drawn == parse_positions("random:8@2000", (0.0, 0.0), rng(), field_um=10.0)


def test_where_no_more_fit_fewer_are_wanted() -> None:
    drawn = parse_positions("random:50@100", (0.0, 0.0), rng(), field_um=80.0)
    assert drawn.wanted == len(drawn.places) < 10


def test_a_drawn_area_is_filled_with_a_grid() -> None:
    places = grid_in(TRIANGLE, 250.0)
    assert all(TRIANGLE.holds(place) for place in places)
    assert len(places) == 15  # half of 5 x 5, and the diagonal
    with pytest.raises(InputError, match="takes at least three"):
        Area(((0.0, 0.0), (1.0, 1.0)))
    with pytest.raises(InputError, match="lie on a line"):
        Area(((0.0, 0.0), (1.0, 1.0), (2.0, 2.0)))


def test_a_table_of_positions(tmp_path: Path) -> None:
    table = tmp_path / "places.csv"
    table.write_text("name,x_um,y_um\na,1.5,2\nb,-3,4\n")
    assert parse_positions(str(table), (0.0, 0.0), rng()).places == ((1.5, 2.0), (-3.0, 4.0))


@pytest.mark.parametrize(
    ("content", "message"),
    [("x,y\n1,2\n", "is no table of positions"), ("x_um,y_um\n1,nan\n", "not all of them"), ("x_um,y_um\n", "0 rows")],
)
def test_tables_that_are_none_are_refused(tmp_path: Path, content: str, message: str) -> None:
    table = tmp_path / "places.csv"
    table.write_text(content)
    with pytest.raises(InputError, match=message):
        parse_positions(str(table), (0.0, 0.0), rng())


@pytest.mark.parametrize("text", ["grid:3@200", "grid:0x3@200", "random:0", "random:", "", "nowhere.csv"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_positions(text, (0.0, 0.0), rng())
