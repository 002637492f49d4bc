"""Focus maps: the surface between points, its error, what is left out, and what lies beyond."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import RBFInterpolator
from surfaces_of_slides import SIDE_UM, surveyed, wavy_slide

from napari_autofocus.errors import InputError
from napari_autofocus.slide.focus_map import FocusMap, FocusPoint, Surface, edited, fit_focus_map, predict_next
from napari_autofocus.slide.surfaces import Stiffness, fit_stiffness


def _between(rng: np.random.Generator, count: int = 500) -> tuple[np.ndarray, np.ndarray]:
    x, y = rng.uniform(0, SIDE_UM, (2, count))
    return x, y


def _plane_points(count: int = 4) -> list[FocusPoint]:
    side = np.linspace(0, 3000, count)
    return [FocusPoint(float(x), float(y), 5 + 0.002 * x - 0.001 * y) for y in side for x in side]


@pytest.mark.parametrize("seed", range(3))
def test_a_wavy_slide_is_mapped_between_its_points(seed: int) -> None:
    rng = np.random.default_rng(seed)
    height_um = wavy_slide(rng)
    mapped = fit_focus_map(surveyed(height_um, rng))
    x, y = _between(rng)
    assert np.abs(mapped.z_um(x, y) - height_um(x, y)).mean() <= 0.08  # 0.15 is asked


@pytest.mark.parametrize("surface", ["auto", "spline", "rbf", "plane"])
def test_the_stated_error_is_met_as_often_as_it_says(surface: Surface) -> None:
    covered = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        height_um = wavy_slide(rng)
        mapped = fit_focus_map(surveyed(height_um, rng), surface=surface)
        x, y = _between(rng)
        covered.append(np.abs(mapped.z_um(x, y) - height_um(x, y)) <= 1.645 * mapped.error_at_um(x, y))
    assert 0.80 <= np.mean(covered) <= 0.97


@pytest.mark.parametrize("surface", ["spline", "rbf"])
def test_leaving_a_point_out_gives_the_residual_that_is_computed(surface: Surface) -> None:
    rng = np.random.default_rng(3)
    places, z_um, weight = rng.uniform(0, 6, (30, 2)), rng.normal(size=30), rng.uniform(0.5, 2, 30)
    stiffness = Stiffness(surface, 0.1, 2.0)  # type: ignore[arg-type]
    whole = fit_stiffness(stiffness, places, z_um, weight)
    for left_out in (0, 7, 29):
        others = np.arange(30) != left_out
        part = fit_stiffness(stiffness, places[others], z_um[others], weight[others])
        expected = z_um[left_out] - part.at(places[[left_out]])[0]
        assert whole.left_out_um[left_out] == pytest.approx(expected, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(("surface", "kernel"), [("spline", "thin_plate_spline"), ("rbf", "gaussian")])
def test_surfaces_are_those_of_scipy(surface: str, kernel: str) -> None:
    rng = np.random.default_rng(4)
    places, z_um, weight = rng.uniform(0, 6, (40, 2)), rng.normal(size=40), rng.uniform(0.5, 2, 40)
    there = rng.uniform(0, 6, (50, 2))
    ours = fit_stiffness(Stiffness(surface, 0.05, 1.5), places, z_um, weight)  # type: ignore[arg-type]
    epsilon = 1 / (1.5 * math.sqrt(2)) if surface == "rbf" else 1.0
    theirs = RBFInterpolator(places, z_um, smoothing=0.05 / weight, kernel=kernel, epsilon=epsilon, degree=1)
    np.testing.assert_allclose(ours.at(there), theirs(there), atol=1e-6)


def test_points_that_contradict_all_others_are_left_out_with_numbers() -> None:
    rng = np.random.default_rng(5)
    height_um = wavy_slide(rng)
    wrong = {17: 6.0, 100: -3.0, 101: -9.0, 250: 4.0}
    mapped = fit_focus_map(surveyed(height_um, rng, wrong_um=wrong))
    assert set(mapped.rejected) == set(wrong)
    assert mapped.rejected[17].startswith(("It lies 6.", "It lies 5."))
    assert "above the surface of its neighbours" in mapped.rejected[17]
    assert "below" in mapped.rejected[101]
    assert mapped.residuals_um[101] == pytest.approx(-9, abs=0.5)


def test_a_bump_of_the_slide_is_no_outlier() -> None:
    rng = np.random.default_rng(6)

    def height_um(x_um: np.ndarray, y_um: np.ndarray) -> np.ndarray:
        return 0.003 * x_um + 5 * np.exp(-((x_um - 4000) ** 2 + (y_um - 5000) ** 2) / 2e6)

    mapped = fit_focus_map(surveyed(height_um, rng, wrong_um={3: 8.0, 200: -8.0}))
    assert set(mapped.rejected) == {3, 200}
    assert mapped.z_um(4000, 5000) == pytest.approx(height_um(4000, 5000), abs=0.5)


def test_never_more_than_a_third_is_rejected() -> None:
    rng = np.random.default_rng(7)
    points = surveyed(lambda x, y: rng.uniform(-50, 50, len(x)), rng, side=8, empty=0)
    assert len(fit_focus_map(points).rejected) <= len(points) // 3


def test_rejecting_may_be_switched_off() -> None:
    rng = np.random.default_rng(8)
    points = surveyed(wavy_slide(rng), rng, wrong_um={17: 6.0})
    assert fit_focus_map(points, reject=False).rejected == {}


def test_a_point_set_by_hand_is_never_rejected() -> None:
    rng = np.random.default_rng(9)
    points = surveyed(wavy_slide(rng), rng, side=8, empty=0)
    truth_um = points[20].z_um
    by_hand = edited(points, 20, truth_um + 6)
    mapped = fit_focus_map(by_hand)
    assert by_hand[20].outcome == "edited"
    assert 20 not in mapped.rejected
    assert fit_focus_map(edited(points, 20, None)).residuals_um[20] != mapped.residuals_um[20]


def test_a_plane_is_taken_where_nothing_else_is_better() -> None:
    rng = np.random.default_rng(10)
    mapped = fit_focus_map(surveyed(lambda x, y: 0.003 * x - 0.001 * y, rng))
    assert mapped.surface == "plane"
    assert mapped.tilt_um_per_mm == pytest.approx((3, -1), abs=0.05)
    assert set(mapped.compared_um) == {"plane", "spline", "rbf"}


def test_the_error_of_the_tilt_is_as_large_as_the_tilt_scatters() -> None:
    rng = np.random.default_rng(20)
    maps = [fit_focus_map(surveyed(lambda x, y: 0.003 * x - 0.001 * y, rng), surface="plane") for _ in range(60)]
    off = np.array([mapped.tilt_um_per_mm for mapped in maps]) - (3, -1)
    told = np.array([mapped.tilt_error_um_per_mm for mapped in maps])
    assert off.std(axis=0) == pytest.approx(told.mean(axis=0), rel=0.3)


def test_the_error_of_the_tilt_of_three_points_is_by_what_they_state() -> None:
    corners = [(0.0, 0.0), (1000.0, 0.0), (0.0, 1000.0)]
    stated = fit_focus_map([FocusPoint(x, y, 1.0, uncertainty_um=0.1) for x, y in corners])
    silent = fit_focus_map([FocusPoint(x, y, 1.0) for x, y in corners])
    assert stated.tilt_error_um_per_mm == pytest.approx((0.1414, 0.1414), abs=1e-3)
    assert np.isnan(silent.tilt_error_um_per_mm).all()
    assert FocusMap.from_json(silent.to_json()).tilt_um_per_mm == pytest.approx((0, 0), abs=1e-9)


def test_exact_points_give_an_exact_plane_and_no_outliers() -> None:
    mapped = fit_focus_map(_plane_points())
    assert mapped.rejected == {}
    assert mapped.z_um(1234.0, 567.0) == pytest.approx(5 + 2.468 - 0.567, abs=1e-6)


def test_three_points_make_a_plane_whose_error_is_theirs() -> None:
    points = [FocusPoint(0, 0, 1.0, 0.2), FocusPoint(1000, 0, 2.0, 0.2), FocusPoint(0, 1000, 3.0, 0.2)]
    mapped = fit_focus_map(points)
    assert mapped.z_um(1000, 1000) == pytest.approx(4.0)
    assert math.isnan(mapped.error_um)
    assert mapped.error_at_um(0, 0) == pytest.approx(0.2, rel=1e-6)
    assert mapped.error_at_um(1000, 1000) > 0.3
    assert math.isnan(fit_focus_map([replace(point, uncertainty_um=None) for point in points]).error_at_um(0, 0))
    assert math.isnan(FocusMap.from_json(mapped.to_json()).error_um)


@pytest.mark.parametrize("surface", ["plane", "spline", "rbf"])
def test_beyond_the_points_the_surface_stays_tame_and_its_error_grows(surface: Surface) -> None:
    rng = np.random.default_rng(11)
    height_um = wavy_slide(rng)
    mapped = fit_focus_map(surveyed(height_um, rng), surface=surface)
    away = SIDE_UM + np.array([0.0, 500.0, 1000.0, 3000.0, 10_000.0, 30_000.0])
    plane = fit_focus_map(mapped.points, surface="plane")
    off_plane = mapped.z_um(away, away / 2) - plane.z_um(away, away / 2)
    assert np.abs(off_plane).max() < 8
    error = mapped.error_at_um(away, np.full(len(away), 5000.0))
    assert (np.diff(error) > 0).all()


def test_the_error_is_larger_in_a_hole() -> None:
    rng = np.random.default_rng(12)
    height_um = wavy_slide(rng)
    points = [
        replace(point, z_um=None, outcome="empty") if math.hypot(point.x_um - 5000, point.y_um - 5000) < 2500 else point
        for point in surveyed(height_um, rng, empty=0)
    ]
    mapped = fit_focus_map(points)
    assert mapped.error_at_um(5000, 5000) > 2 * mapped.error_at_um(1500, 1500)


def test_it_covers_its_points_and_a_spacing_around() -> None:
    mapped = fit_focus_map(_plane_points())
    assert mapped.spacing_um == pytest.approx(1000)
    assert mapped.covers(1500, 1500)
    assert mapped.covers(-990, 1500)
    assert not mapped.covers(-1010, 1500)
    assert not mapped.covers(-990, -990)
    assert mapped.covers([[0, 9000]], [[0, 0]]).tolist() == [[True, False]]
    assert not mapped.covers(math.nan, 0)


def test_places_come_back_in_their_shape() -> None:
    mapped = fit_focus_map(_plane_points())
    x, y = np.meshgrid(np.linspace(0, 3000, 5), np.linspace(0, 3000, 4))
    assert mapped.z_um(x, y).shape == (4, 5)
    assert isinstance(mapped.z_um(1.0, 2.0), float)
    assert math.isnan(mapped.z_um(math.nan, 0.0))


def test_a_surer_point_counts_more() -> None:
    points = [replace(point, uncertainty_um=0.3) for point in _plane_points()]
    pulled = replace(points[5], z_um=points[5].z_um + 1)
    vague, sure = (
        fit_focus_map([*points[:5], replace(pulled, uncertainty_um=u), *points[6:]], surface="plane", reject=False)
        for u in (1.2, 0.1)
    )
    assert abs(sure.residuals_um[5]) < abs(vague.residuals_um[5])


@pytest.mark.parametrize("surface", ["auto", "plane", "spline", "rbf"])
def test_a_map_goes_to_json_and_comes_back_the_same(surface: Surface) -> None:
    rng = np.random.default_rng(13)
    mapped = fit_focus_map(surveyed(wavy_slide(rng), rng, side=8, wrong_um={9: 9.0}), surface=surface)
    again = FocusMap.from_json(mapped.to_json())
    x, y = _between(rng, 50)
    np.testing.assert_allclose(again.z_um(x, y), mapped.z_um(x, y), rtol=1e-9)
    np.testing.assert_allclose(again.error_at_um(x, y), mapped.error_at_um(x, y), rtol=1e-6)
    assert again.points == mapped.points
    assert dict(again.rejected) == dict(mapped.rejected)
    assert again.surface == mapped.surface
    assert again.to_json() == mapped.to_json()


@pytest.mark.parametrize(
    "text", ["", "{}", "[1]", '{"kind": "sweep"}', '{"kind": "focus map", "points": [{}]}', "null"]
)
def test_what_is_no_map_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="not a focus map"):
        FocusMap.from_json(text)


@pytest.mark.parametrize(
    ("points", "surface", "says"),
    [
        ([], "auto", "at least 3 points with a focus; found 0 of 0"),
        (_plane_points()[:2], "auto", "at least 3"),
        ([replace(point, z_um=None) for point in _plane_points()], "auto", "found 0 of 16"),
        (_plane_points(2), "spline", "at least 6 points with a focus; found 4 of 4"),
        (_plane_points(2), "rbf", "at least 8"),
        (_plane_points()[:4], "plane", "lie on a line"),
        ([FocusPoint(1, 1, 1.0)] * 5, "auto", "lie on a line"),
        (_plane_points(), "cubic", "found 'cubic'"),
    ],
)
def test_too_little_for_a_map_is_one_sentence(points: list[FocusPoint], surface: Surface, says: str) -> None:
    with pytest.raises(InputError, match=says):
        fit_focus_map(points, surface=surface)


@pytest.mark.parametrize(
    "wrong", [{"x_um": math.nan}, {"z_um": math.inf}, {"uncertainty_um": -1.0}, {"outcome": "lost"}]
)
def test_a_point_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError):
        replace(_plane_points()[0], **wrong)


def test_there_is_no_point_to_edit_beyond_the_last() -> None:
    with pytest.raises(InputError, match="no focus point 16"):
        edited(_plane_points(), 16, 1.0)


def test_a_place_surveyed_twice_does_no_harm() -> None:
    points = _plane_points()
    assert fit_focus_map([*points, *points], surface="spline").z_um(500, 500) == pytest.approx(5.5, abs=1e-3)


def test_nothing_is_predicted_from_nothing() -> None:
    assert predict_next([FocusPoint(0, 0, None, outcome="empty")], 0, 0) is None


def test_the_next_point_is_predicted_along_a_row_and_the_error_grows_sideways() -> None:
    row = [FocusPoint(x * 600.0, 0.0, 0.003 * x * 600) for x in range(6)]
    on_um, on_error_um = predict_next(row, 3600, 0) or (0, 0)
    _, aside_error_um = predict_next(row, 3000, 600) or (0, 0)
    assert on_um == pytest.approx(10.8, abs=0.5)
    assert aside_error_um > 2 * on_error_um


def test_one_wild_neighbour_does_not_turn_the_prediction() -> None:
    rng = np.random.default_rng(14)
    height_um = wavy_slide(rng)
    points = surveyed(height_um, rng, empty=0, wrong_um={118: 15.0})
    z_um, error_um = predict_next(points[:119], points[119].x_um, points[119].y_um) or (0, 0)
    assert abs(z_um - height_um(points[119].x_um, points[119].y_um)) < min(3 * error_um, 2.0)


def test_predictions_keep_a_survey_within_reach_of_a_model() -> None:
    rng = np.random.default_rng(15)
    height_um = wavy_slide(rng)
    points = surveyed(height_um, rng)
    off, stated = [], []
    for number in range(1, len(points)):
        told = predict_next(points[:number], points[number].x_um, points[number].y_um)
        if told is not None:
            off.append(abs(told[0] - float(height_um(points[number].x_um, points[number].y_um))))
            stated.append(told[1])
    assert max(off) < 6  # a model of a 20x objective reads ±10 µm
    assert np.mean(np.array(off) <= 2 * np.array(stated)) > 0.9


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(3, 30), st.floats(-100, 100))
def test_a_map_moves_with_its_points(seed: int, count: int, shift_um: float) -> None:
    rng = np.random.default_rng(seed)
    x, y, z = rng.uniform(0, 5000, count), rng.uniform(0, 5000, count), rng.normal(size=count)
    points = [FocusPoint(float(a), float(b), float(c)) for a, b, c in zip(x, y, z, strict=True)]
    moved = [FocusPoint(p.x_um + 1e5, p.y_um - 2e4, p.z_um + shift_um) for p in points if p.z_um is not None]
    try:
        here = fit_focus_map(points, surface="plane", reject=False)
    except InputError:
        return
    there = fit_focus_map(moved, surface="plane", reject=False)
    assert there.z_um(1e5 + 900, -2e4 + 70) == pytest.approx(here.z_um(900, 70) + shift_um, abs=1e-4)
