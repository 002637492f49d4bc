"""Pooled values and spreads of patches against what statistics knows of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_autofocus.focus.deciding.pooling import (
    effective_count,
    excess_spread,
    expected_spread,
    pool,
    robust_scatter,
    weighted_median,
)

lists = st.lists(st.floats(-20, 20), min_size=1, max_size=30)


@given(lists)
def test_equal_weights_give_the_plain_median(values: list[float]) -> None:
    found = weighted_median(np.array(values), np.full(len(values), 0.3))
    assert found == pytest.approx(np.median(values), abs=1e-9)


def test_weight_pulls_the_median() -> None:
    values = np.array([1.0, 2.0, 9.0])
    assert weighted_median(values, np.array([1.0, 1.0, 1.0])) == 2.0
    assert weighted_median(values, np.array([0.1, 0.1, 5.0])) > 8.5


def test_weight_of_zero_is_no_patch() -> None:
    values, weights = np.array([1.0, 3.0, 9.0]), np.array([1.0, 1.0, 1e-12])
    assert pool(values, weights, "weighted_mean", 1.0) == pytest.approx(2.0)
    assert weighted_median(values, weights) == pytest.approx(2.0)


def test_median_ignores_a_wild_patch_that_the_mean_follows() -> None:
    values, weights = np.array([1.0, 1.0, 1.0, 9.0]), np.ones(4)
    assert (pool(values, weights, "median", 1.0), pool(values, weights, "mean", 1.0)) == (1.0, 3.0)


def test_huber_is_the_mean_of_what_agrees() -> None:
    values, weights = np.array([1.0, 1.1, 1.3]), np.array([1.0, 2.0, 1.0])
    assert pool(values, weights, "weighted_huber", 2.0) == pytest.approx(np.average(values, weights=weights))


def test_huber_is_pulled_no_harder_by_what_lies_farther() -> None:
    """A stray at any distance shifts it as much; the reach is 0.3 depths of field."""
    weights = np.ones(5)
    near, far = (pool(np.array([1.0, 1.0, 1.0, 1.0, at]), weights, "weighted_huber", 1.0) for at in (3.0, 900.0))
    assert near == pytest.approx(1 + 0.3 / 4, abs=1e-3)
    assert far == pytest.approx(near, abs=1e-3)


@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0])
def test_huber_scales_with_the_depth_of_field(scale: float) -> None:
    values, weights = np.array([0.1, 0.2, 0.9, -3.0]), np.array([1.0, 3.0, 2.0, 0.5])
    expected = scale * pool(values, weights, "weighted_huber", 1.0)
    assert pool(scale * values, weights, "weighted_huber", scale) == pytest.approx(expected)


def test_unequal_weights_stand_for_fewer_patches() -> None:
    weights = np.array([1.0, 1.0, 0.0, 0.0])
    assert (effective_count(weights, "weighted_mean"), effective_count(weights, "median")) == (2.0, 4.0)


@pytest.mark.parametrize(("count", "tolerance"), [(2, 0.08), (3, 0.03), (8, 0.03), (32, 0.03)])
def test_expected_spread_is_that_of_normal_values(count: int, tolerance: float) -> None:
    values = np.random.default_rng(count).normal(0, 0.7, (20_000, count))
    low, high = np.quantile(values, (0.1, 0.9), axis=1)
    root_mean_square = np.sqrt(np.mean((high - low) ** 2))
    assert expected_spread(np.full(count, 0.7)) == pytest.approx(root_mean_square, rel=tolerance)


def test_expected_spread_of_unequal_uncertainties_is_that_of_their_mixture() -> None:
    sigma = np.where(np.arange(400) % 4 == 0, 3.0, 0.2)
    values = np.random.default_rng(0).normal(0, sigma, (2000, 400))
    low, high = np.quantile(values, (0.1, 0.9), axis=1)
    assert expected_spread(sigma) == pytest.approx(np.mean(high - low), rel=0.06)


def test_one_vague_patch_hides_no_unevenness() -> None:
    sigma = np.array([0.1] * 15 + [10.0])
    assert expected_spread(sigma) < 0.4


def test_excess_is_what_noise_leaves_over() -> None:
    values = np.linspace(-2.5, 2.5, 201)
    assert excess_spread(values, np.full(201, 1e-3)) == pytest.approx(4.0, rel=1e-3)
    assert excess_spread(values, np.full(201, 1.0)) == pytest.approx(np.sqrt(16 - 2.5631**2), rel=0.01)
    assert excess_spread(values, np.full(201, 2.0)) == 0.0


def test_scatter_is_robust_and_unknown_for_one_patch() -> None:
    values = np.random.default_rng(0).normal(0, 0.5, 4000)
    values[:200] = 30.0
    assert robust_scatter(values) == pytest.approx(0.5, rel=0.1)
    assert robust_scatter(np.array([3.0])) == 0.0
