"""Rates of drift within their own error, and jumps told apart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_autofocus.errors import InputError
from napari_autofocus.focus.drift import Drift, drift_of

AT_S = np.arange(0, 600, 10.0)
RATE_UM_H = 30.0
"""Half a micrometre a minute."""


def found(places: np.ndarray, at_s: np.ndarray = AT_S, **more: np.ndarray) -> Drift:
    drift = drift_of(at_s, places, **more)
    assert drift is not None
    return drift


def line(rate_um_h: float = RATE_UM_H, noise_um: float = 0.1, seed: int = 0) -> np.ndarray:
    return 12 + rate_um_h / 3600 * AT_S + np.random.default_rng(seed).normal(0, noise_um, AT_S.size)


def test_half_a_micrometre_a_minute_is_found_within_its_own_error() -> None:
    drifts = [found(line(seed=seed)) for seed in range(30)]
    off = np.array([(drift.rate_um_h - RATE_UM_H) / drift.error_um_h for drift in drifts])
    assert 0.6 < off.std() < 1.3
    assert abs(off.mean()) < 0.6
    assert np.mean(np.abs(off) < 2) > 0.85
    assert all(drift.error_um_h < 1.5 for drift in drifts)
    assert not any(drift.jumps for drift in drifts)


def test_the_error_grows_where_looks_err_alike() -> None:
    rng, off = np.random.default_rng(0), []
    for _ in range(30):
        noise = np.zeros(AT_S.size)
        for index in range(1, AT_S.size):
            noise[index] = 0.6 * noise[index - 1] + rng.normal(0, 0.1)
        drift = found(line(noise_um=0.0) + noise)
        off.append((drift.rate_um_h - RATE_UM_H) / drift.error_um_h)
    assert np.std(off) < 1.6


def test_what_stands_still_has_no_drift() -> None:
    told = [found(line(0.0, seed=seed)) for seed in range(30)]
    assert sum(drift.is_significant for drift in told) <= 1
    assert told[0].sentence().startswith("No drift beyond ")


def test_a_jump_is_told_apart_from_the_drift() -> None:
    places = line()
    places[35:] += 2.0
    drift = found(places)
    [jump] = drift.jumps
    assert jump.at_s == pytest.approx(345.0)
    assert jump.by_um == pytest.approx(2.0, abs=3 * jump.error_um)
    assert abs(drift.rate_um_h - RATE_UM_H) < 3 * drift.error_um_h
    assert "jumped +2." in drift.sentence()
    assert drift.at_um(600.0) == pytest.approx(12 + 5 + 2, abs=0.3)


def test_two_jumps_are_found_in_the_order_of_time() -> None:
    places = line(0.0)
    places[20:] += 1.5
    places[40:] -= 2.5
    drift = found(places)
    assert [round(jump.by_um, 0) for jump in drift.jumps] == [2.0, -2.0] or [
        round(jump.by_um * 2) / 2 for jump in drift.jumps
    ] == [1.5, -2.5]
    assert not drift.is_significant


def test_wild_looks_are_neither_drift_nor_jumps() -> None:
    places = line()
    places[[7, 23, 51]] += (6.0, -8.0, 5.0)
    drift = found(places)
    assert drift.jumps == ()
    assert abs(drift.rate_um_h - RATE_UM_H) < 3 * drift.error_um_h


def test_a_bend_is_no_chain_of_jumps() -> None:
    bend = 12 + 3 * (1 - np.exp(-AT_S / 200)) + np.random.default_rng(0).normal(0, 0.05, AT_S.size)
    assert len(found(bend).jumps) <= 1


def test_uncertain_looks_count_less() -> None:
    places, sigma = line(), np.full(AT_S.size, 0.1)
    places[50:] += np.random.default_rng(3).normal(0, 3.0, 10)
    sigma[50:] = 3.0
    plain, weighted = found(places), found(places, uncertainty_um=sigma)
    assert abs(weighted.rate_um_h - RATE_UM_H) < 3 * weighted.error_um_h
    assert weighted.error_um_h < plain.error_um_h


def test_quick_drift_is_told_by_the_minute() -> None:
    assert "µm/min" in found(line()).sentence()
    assert "µm/h" in found(line(2.0, noise_um=0.01)).sentence()


def test_too_little_says_nothing() -> None:
    assert drift_of([0, 1, 2, 3], [0, 0, 0, 0]) is None
    assert drift_of([5.0] * 8, [1.0] * 8) is None
    assert drift_of([], []) is None
    assert drift_of(AT_S[:6], [np.nan, np.inf, 1, 1, 1, 1]) is None


def test_what_does_not_fit_together_is_refused() -> None:
    with pytest.raises(InputError, match="for each look"):
        drift_of([0.0, 1.0], [0.0])


@settings(max_examples=20, deadline=None)
@given(st.floats(-1e3, 1e3), st.floats(-500, 500), st.integers(0, 100))
def test_where_and_when_it_began_does_not_matter(place_um: float, since_s: float, seed: int) -> None:
    plain = found(line(seed=seed)[:20], AT_S[:20])
    moved = found(line(seed=seed)[:20] + place_um, AT_S[:20] + since_s)
    assert moved.rate_um_h == pytest.approx(plain.rate_um_h, abs=1e-3)
    assert moved.error_um_h == pytest.approx(plain.error_um_h, rel=1e-3)
