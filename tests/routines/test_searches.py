"""The searches alone: where they ask to look, on curves without hardware."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fake_microscope import flat, peak_at
from hypothesis import given
from hypothesis import strategies as st

from napari_autofocus.focus.curve import judge_curve
from napari_autofocus.records import CurvePoint
from napari_autofocus.routines.searches import SEARCHES, SearchPlan, Visit, lorentzian_peak_um, passed

METHODS = list(SEARCHES)


def run_search(
    method: str, curve: Callable[[float], float], *, start_um: float = 0.0, reach_um: float = 10.0, way: int = 1
) -> tuple[list[Visit], list[CurvePoint]]:
    """What a search visits on a curve, and what it finds there."""
    points = [CurvePoint(start_um, curve(start_um))]
    visits: list[Visit] = []
    plan = SearchPlan(
        start=points[0],
        window_um=(start_um - reach_um, start_um + reach_um),
        bounds_um=(start_um - reach_um, start_um + reach_um),
        step_um=1.0,
        noise=0.01,
        way=way,
        early_stop=False,
        judge=lambda: judge_curve([p.z_um for p in points], [p.sharpness for p in points], noise=0.01),
    )
    search = SEARCHES[method](plan)
    visit = next(search, None)
    while visit is not None:
        visits.append(visit)
        points.append(CurvePoint(visit.z_um, curve(visit.z_um)))
        try:
            visit = search.send(points[-1])
        except StopIteration:
            break
    return visits, points


@pytest.mark.parametrize("method", METHODS)
@given(best_um=st.floats(-12, 12), start_um=st.floats(-50, 50), way=st.sampled_from([-1, 1]))
def test_never_asks_for_a_place_outside_its_plan_nor_for_ever(
    method: str, best_um: float, start_um: float, way: int
) -> None:
    visits, _ = run_search(method, peak_at(start_um + best_um), start_um=start_um, way=way)
    assert all(abs(visit.z_um - start_um) <= 10.0 + 1e-9 for visit in visits)
    assert len(visits) <= 30


@pytest.mark.parametrize("method", METHODS)
@given(best_um=st.floats(-8, 8))
def test_comes_within_a_step_of_the_peak(method: str, best_um: float) -> None:
    _, points = run_search(method, peak_at(best_um))
    assert abs(max(points, key=lambda point: point.sharpness).z_um - best_um) <= 0.51


@pytest.mark.parametrize("method", METHODS)
def test_ends_on_an_empty_field(method: str) -> None:
    visits, _ = run_search(method, flat())
    assert len(visits) <= 25


@pytest.mark.parametrize("method", ["hill-climb", "curve-fit"])
def test_local_searches_look_at_fewer_places_than_a_scan(method: str) -> None:
    local, _ = run_search(method, peak_at(4.0))
    uniform, _ = run_search("uniform", peak_at(4.0))
    assert len(uniform) == 21
    assert len(local) <= 13


def test_a_hill_climb_looks_farther_where_the_curve_is_flat() -> None:
    def island(z_um: float) -> float:
        return 20.0 if z_um < 5.0 else peak_at(7.5, width_um=1.0)(z_um)

    visits, points = run_search("hill-climb", island)
    assert [visit.z_um for visit in visits[:3]] == [3.0, -3.0, 6.0]
    assert abs(max(points, key=lambda point: point.sharpness).z_um - 7.5) <= 0.5


@given(best_um=st.floats(-20, 20), width_um=st.floats(0.5, 5), height=st.floats(0.1, 1e4))
def test_three_samples_of_a_lorentzian_give_its_peak(best_um: float, width_um: float, height: float) -> None:
    points = [CurvePoint(z, height / (1 + ((z - best_um) / width_um) ** 2)) for z in (-4.0, 0.0, 4.0)]
    assert lorentzian_peak_um(points) == pytest.approx(best_um, abs=1e-4)


@pytest.mark.parametrize(
    "sharpness",
    [(1.0, 2.0), (3.0, 2.0, 3.0), (1.0, 0.0, 1.0), (2.0, 2.0, 2.0)],
    ids=["two samples", "a valley", "no sharpness", "flat"],
)
def test_samples_without_a_peak_have_no_lorentzian(sharpness: tuple[float, ...]) -> None:
    points = [CurvePoint(float(z), value) for z, value in enumerate(sharpness)]
    peak = lorentzian_peak_um(points)
    assert peak is None or not 0 <= peak <= 2  # rounding may bend a flat curve: its vertex then lies far away


@pytest.mark.parametrize(
    ("sharpness", "expected"),
    [
        ([1, 5, 20, 5, 2, 1], True),
        ([1, 5, 20, 5, 2], False),  # only two beyond
        ([20, 5, 2, 1, 1], False),  # falls from the first sample on: the peak may lie before it
        ([1, 5, 20, 15, 14, 13], False),  # not yet below half of the height
        ([1, 1.4, 1.5, 1.2, 1, 1], False),  # no higher than noise
    ],
)
def test_a_peak_is_passed_only_when_it_is_clearly_behind(sharpness: list[float], expected: bool) -> None:
    points = [CurvePoint(float(z), float(value)) for z, value in enumerate(sharpness)]
    assert passed(points, CurvePoint(0.0, 1.0), noise=0.1, beyond=3) is expected


def test_a_peak_less_sharp_than_the_start_is_not_the_peak() -> None:
    points = [CurvePoint(float(z), value) for z, value in enumerate([1.0, 5.0, 20.0, 5.0, 2.0, 1.0])]
    assert not passed(points, CurvePoint(10.0, 25.0), noise=0.1, beyond=3)
