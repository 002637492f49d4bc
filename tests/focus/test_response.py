"""Response curves: what they make of readings, what is no curve, and curves fitted to fields of known defocus."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_autofocus.errors import InputError
from napari_autofocus.focus.deciding.pooling import pool, shares
from napari_autofocus.focus.deciding.response import ResponseCurve
from napari_autofocus.focus.deciding.response_fit import FEWEST_FRAMES, KnownReading, fit_response
from napari_autofocus.focus.deciding.settings import Pooling

CURVE = ResponseCurve((-1.0, 0.0, 0.5), (-1.2, 0.1, 0.9))


def drawn_to_focus(true_um: np.ndarray) -> np.ndarray:
    """A network that reads 0.3 µm too little half a depth of field from focus, and right far from it."""
    return np.asarray(true_um - 0.3 * true_um / 0.5 * np.exp(0.5 - (true_um / 0.5) ** 2 / 2))


def made_fields(
    fields: int = 500, *, noise_um: float = 0.08, strays: float = 0.0, seed: int = 0, reads: object = drawn_to_focus
) -> list[KnownReading]:
    """Fields of a tilted slide, of sixteen patches, whose network reads as ``drawn_to_focus`` says."""
    rng, found = np.random.default_rng(seed), []
    for true_um in rng.uniform(-3, 3, fields):
        patches = true_um + np.linspace(-0.3, 0.3, 16)
        reading = reads(patches) + rng.normal(0, noise_um, 16)  # type: ignore[operator]
        if rng.random() < strays:
            reading = -3 * reading
        found.append(KnownReading(reading, shares(reading, np.ones(16), "weighted_huber", 1.0), float(true_um)))
    return found


@lru_cache
def fitted(strays: float = 0.0) -> ResponseCurve:
    return fit_response(made_fields(strays=strays), 1.0)


def bias_um(curve: ResponseCurve | None, true_um: float) -> float:
    """Mean error of fields of this defocus that the curve was not fitted to."""
    rng, errors = np.random.default_rng(99), []
    for _ in range(200):
        reading = drawn_to_focus(true_um + np.linspace(-0.3, 0.3, 16)) + rng.normal(0, 0.08, 16)
        values = reading if curve is None else curve.defocus(reading)
        errors.append(pool(values, np.ones(16), "weighted_huber", 1.0) - true_um)
    return float(np.mean(errors))


def test_readings_lie_on_straight_lines_between_the_knots() -> None:
    assert CURVE.defocus([-1.0, -0.5, 0.25]) == pytest.approx([-1.2, -0.55, 0.5])


def test_beyond_the_knots_the_correction_stays_as_it_is() -> None:
    assert CURVE.defocus([-4.0, 3.0]) == pytest.approx([-4.2, 3.4])


def test_an_answer_that_is_not_finite_stays_so() -> None:
    assert np.isnan(CURVE.defocus(np.nan))
    assert np.isposinf(CURVE.defocus(np.inf))


@given(st.lists(st.floats(-50, 50), min_size=2, max_size=20))
def test_a_curve_never_turns_back(readings: list[float]) -> None:
    found = CURVE.defocus(sorted(readings))
    assert (np.diff(found) >= -1e-12).all()
    assert found.shape == (len(readings),)


@pytest.mark.parametrize(
    ("reading", "defocus", "sentence"),
    [
        ((0.0,), (0.0,), "2 to 500 readings, each with its defocus; found 1 and 1"),
        ((0.0, 1.0), (0.0, 1.0, 2.0), "found 2 and 3"),
        ((0.0, 0.0), (0.0, 1.0), "readings of a response curve must be finite and ascend"),
        ((0.0, 1.0), (1.0, 0.0), "defocus values of a response curve must be finite and ascend"),
        ((0.0, float("nan")), (0.0, 1.0), "must be finite"),
        (tuple(map(float, range(501))), tuple(map(float, range(501))), "found 501 and 501"),
    ],
)
def test_what_is_no_curve_is_refused(reading: tuple[float, ...], defocus: tuple[float, ...], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        ResponseCurve(reading, defocus)


@pytest.mark.parametrize("true_um", [-1.0, -0.5, -0.25, 0.25, 0.5, 0.75])
def test_a_fitted_curve_takes_out_what_the_network_draws_towards_focus(true_um: float) -> None:
    assert abs(bias_um(fitted(), true_um)) < max(0.3 * abs(bias_um(None, true_um)), 0.03)


def test_stray_fields_hardly_bend_the_curve() -> None:
    calm, disturbed = fitted(), fitted(0.03)
    near = np.linspace(-0.8, 0.8, 17)
    assert np.abs(calm.defocus(near) - disturbed.defocus(near)).max() < 0.05


def test_a_network_that_reads_right_gets_a_curve_that_changes_little() -> None:
    curve = fit_response(made_fields(reads=np.array), 1.0)
    readings = np.linspace(-2.5, 2.5, 51)
    assert np.abs(curve.defocus(readings) - readings).max() < 0.04


def test_curves_of_longer_depths_of_field_are_the_same_but_for_scale() -> None:
    short = fitted()
    ten = [KnownReading(10 * each.reading_um, each.share, 10 * each.true_um) for each in made_fields()]
    long = fit_response(ten, 10.0)
    near = np.linspace(-2.5, 2.5, 51)
    assert long.defocus(10 * near) == pytest.approx(10 * short.defocus(near), abs=0.02)


def test_too_few_frames_are_refused() -> None:
    with pytest.raises(InputError, match=f"at least {FEWEST_FRAMES} frames of known defocus; found 399"):
        fit_response(made_fields(399), 1.0)


@pytest.mark.parametrize("pooling", ["mean", "weighted_mean", "weighted_huber"])
def test_the_shares_of_values_make_up_their_pooled_value(pooling: Pooling) -> None:
    rng = np.random.default_rng(4)
    values, weights = rng.normal(0, 0.4, 25), rng.uniform(0.1, 1, 25)
    parts = shares(values, weights, pooling, 1.0)
    assert parts.sum() == pytest.approx(1)
    assert parts @ values == pytest.approx(pool(values, weights, pooling, 1.0), abs=1e-3)


def test_the_shares_of_a_median_give_less_to_strays() -> None:
    values, weights = np.array([0.0, 0.1, 0.2, 5.0]), np.array([1.0, 1.0, 1.0, 7.0])
    parts = shares(values, weights, "median", 1.0)
    assert parts[:3] == pytest.approx(parts[0])
    assert parts[3] < 0.2 * parts[0]
