"""A plane through patches: exact without noise, unmoved by a wild fifth of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from judged_fields import FIELD, PIXEL_UM, SETTINGS, patches_of, places

from napari_autofocus.focus.deciding.reading import Reading
from napari_autofocus.focus.deciding.tilt import fit_tilt

slopes = st.floats(-0.05, 0.05)


def reading_of(defocus: np.ndarray, corners: list[tuple[int, int]], sigma: float = 0.1) -> Reading:
    reading = Reading.of(patches_of(defocus, sigma_um=sigma, corners=corners), SETTINGS, FIELD, PIXEL_UM)
    assert reading is not None
    return reading


def on_plane(centre: float, along_x: float, along_y: float, corners: list[tuple[int, int]]) -> np.ndarray:
    place = reading_of(np.zeros(len(corners)), corners)
    return np.asarray(centre + along_x * place.x_um + along_y * place.y_um)


@settings(deadline=None, max_examples=60)
@given(st.floats(-8, 8), slopes, slopes, st.integers(6, 40), st.integers(0, 1000))
def test_plane_is_found_exactly_under_a_wild_minority(
    centre: float, along_x: float, along_y: float, count: int, seed: int
) -> None:
    corners = places(count, seed)
    defocus = on_plane(centre, along_x, along_y, corners)
    wild = np.random.default_rng(seed).permutation(count)[: count // 10]
    defocus[wild] += np.random.default_rng(seed).choice([-6.0, 6.0], wild.size)
    plane = fit_tilt(reading_of(defocus, corners))
    if plane.well_placed and count >= 10:
        assert plane.centre_um == pytest.approx(centre, abs=1e-2)
        assert plane.slope == pytest.approx((along_x, along_y), abs=1e-4)
        assert not plane.inlier[wild].any()


@pytest.mark.parametrize("seed", range(10))
def test_wild_patches_in_one_corner_do_not_turn_the_plane(seed: int) -> None:
    corners = places(30, seed)
    defocus = on_plane(3, 0.02, 0, corners) + np.random.default_rng(seed).normal(0, 0.1, 30)
    defocus[np.argsort([x + y for y, x in corners])[-6:]] += 6
    assert fit_tilt(reading_of(defocus, corners)).slope == pytest.approx((0.02, 0), abs=4e-3)


def test_value_at_the_centre_stands_on_all_patches_around_it() -> None:
    corners = [(y, x) for y in (0, 448, 896) for x in (0, 544, 1088)]
    plane = fit_tilt(reading_of(on_plane(3, 0.01, 0, corners), corners))
    assert plane.count == pytest.approx(9, rel=1e-3)
    assert plane.surrounds_centre
    assert plane.well_placed


def test_value_beside_the_patches_stands_on_less_than_one() -> None:
    corners = [(y, x) for y in (0, 128, 256) for x in (0, 128, 256)]
    plane = fit_tilt(reading_of(on_plane(3, 0.01, 0, corners), corners))
    assert plane.count < 2
    assert not plane.surrounds_centre


def test_patches_on_a_diagonal_line_are_not_well_placed() -> None:
    corners = [(64 * i, 64 * i) for i in range(14)]
    plane = fit_tilt(reading_of(on_plane(3, 0.01, 0.01, corners), corners))
    assert not plane.well_placed
    assert np.isfinite(plane.slope).all()


def test_same_patches_give_the_same_plane() -> None:
    corners = places(20)
    reading = reading_of(np.random.default_rng(0).normal(size=20), corners)
    assert fit_tilt(reading).slope == fit_tilt(reading).slope
