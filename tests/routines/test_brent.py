"""Brent's search against SciPy's, and on curves that are hard for parabolas."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fake_microscope import peak_at
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from napari_autofocus.records import CurvePoint
from napari_autofocus.routines.sweeping.brent import brent_maximum


def search(
    curve: Callable[[float], float], tolerance_um: float, low_um: float = -5.0, high_um: float = 5.0
) -> list[CurvePoint]:
    points = [CurvePoint(0.0, curve(0.0))]
    steps = brent_maximum(low_um, high_um, points[0], tolerance_um=tolerance_um)
    target = next(steps, None)
    while target is not None:
        points.append(CurvePoint(target, curve(target)))
        try:
            target = steps.send(points[-1])
        except StopIteration:
            break
    return points


@given(best_um=st.floats(-4.9, 4.9), width_um=st.floats(0.7, 5.0))
def test_finds_a_single_peak_within_the_tolerance(best_um: float, width_um: float) -> None:
    points = search(peak_at(best_um, width_um), 0.05)
    found = max(points, key=lambda point: point.sharpness)
    assert abs(found.z_um - best_um) <= 0.15
    assert len(points) <= 21
    assert all(-5 <= point.z_um <= 5 for point in points)


@pytest.mark.parametrize("best_um", [-3.1, 0.4, 2.2])
def test_needs_about_as_many_samples_as_scipy(best_um: float) -> None:
    curve = peak_at(best_um, 2.0)
    theirs = minimize_scalar(lambda z: -curve(z), bounds=(-5, 5), method="bounded", options={"xatol": 0.05})
    ours = search(curve, 0.05)
    assert max(ours, key=lambda point: point.sharpness).z_um == pytest.approx(theirs.x, abs=0.15)
    assert len(ours) <= theirs.nfev + 3


def test_closes_in_on_a_kink_by_golden_sections() -> None:
    points = search(lambda z: -abs(z - 1.3), 0.05)
    assert max(points, key=lambda point: point.sharpness).z_um == pytest.approx(1.3, abs=0.15)


def test_ends_on_a_constant() -> None:
    assert len(search(lambda z: 1.0, 0.05)) <= 21


def test_asks_for_nothing_in_a_bracket_that_is_narrow_enough() -> None:
    assert len(search(peak_at(0.0), 1.0, -1.0, 1.0)) == 1
