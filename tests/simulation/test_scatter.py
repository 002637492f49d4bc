"""Chance on an unlimited plane: the same from every side, even, and with limits that can be counted on."""

from __future__ import annotations

import numpy as np
import pytest

from napari_autofocus.simulation.scatter import Layer, make_key, scatter
from napari_autofocus.simulation.view import View

KEY = make_key(5, "test")


def test_overlapping_views_find_the_same_points_with_the_same_numbers() -> None:
    here = scatter(KEY, View(0.0, 0.0, (100, 100), 1.0), 7.0, jitter=0.8, reach_um=3.0)
    there = scatter(KEY, View(30.0, -20.0, (100, 100), 1.0), 7.0, jitter=0.8, reach_um=3.0)
    common, at_here, at_there = np.intersect1d(here.identity, there.identity, return_indices=True)
    assert len(common) > 80
    assert np.array_equal(here.x_um[at_here], there.x_um[at_there])
    assert np.array_equal(here.uniform("size")[at_here], there.uniform("size")[at_there])


def test_no_point_within_reach_is_missed() -> None:
    view, reach = View(12.0, 3.0, (50, 60), 1.0), 9.0
    wide = scatter(KEY, View(12.0, 3.0, (500, 500), 1.0), 11.0, jitter=1.0, reach_um=0.0)
    near = (np.abs(wide.x_um - 12.0) < 29.5 + reach) & (np.abs(wide.y_um - 3.0) < 24.5 + reach)
    found = scatter(KEY, view, 11.0, jitter=1.0, reach_um=reach)
    assert np.isin(wide.keep(near).identity, found.identity).all()


@pytest.mark.parametrize("seed", range(5))
def test_field_of_400_by_330_um_holds_one_to_nine_of_the_sparsest_places(seed: int) -> None:
    key = make_key(seed, "cell")
    sites = scatter(key, View(0.0, 0.0, (8000, 8000), 1.0), 190.0, jitter=0.5, reach_um=0.0)
    corners = np.random.default_rng(seed).uniform(-3900, 3500, (300, 2))
    counts = [
        int(((sites.x_um > x) & (sites.x_um < x + 398) & (sites.y_um > y) & (sites.y_um < y + 333)).sum())
        for x, y in corners
    ]
    assert min(counts) >= 1
    assert max(counts) <= 9


def test_numbers_of_points_are_even_and_unrelated() -> None:
    sites = scatter(KEY, View(0.0, 0.0, (1000, 1000), 1.0), 5.0, jitter=0.5, reach_um=0.0)
    one, other = sites.uniform("one", 2.0, 4.0), sites.uniform("other")
    assert one.min() >= 2.0
    assert one.max() < 4.0
    assert np.histogram(one, 10, (2, 4))[0] == pytest.approx(np.full(10, len(sites) / 10), rel=0.1)
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.02
    assert abs(np.corrcoef(one[:-1], one[1:])[0, 1]) < 0.02
    assert sites.normal("size", 10.0, 2.0).mean() == pytest.approx(10.0, abs=0.05)
    assert sites.normal("size", 10.0, 2.0).std() == pytest.approx(2.0, rel=0.03)


def test_children_have_numbers_of_their_own_and_belong_to_their_parent() -> None:
    sites = scatter(KEY, View(0.0, 0.0, (60, 60), 1.0), 10.0, jitter=0.5, reach_um=0.0)
    children, parent, number = sites.children(3)
    assert np.array_equal(children.x_um, sites.x_um[parent])
    assert np.array_equal(number[:6], [0, 1, 2, 0, 1, 2])
    assert len(np.unique(children.uniform("size"))) == 3 * len(sites)


def test_layers_share_out_all_objects() -> None:
    view = View(0.0, 0.0, (200, 200), 1.0)
    layers = [Layer(9, index, 3).scatter("cell", view, 8.0, jitter=0.5, reach_um=0.0) for index in range(3)]
    whole = Layer(9).scatter("cell", view, 8.0, jitter=0.5, reach_um=0.0)
    assert sorted(np.concatenate([layer.identity for layer in layers])) == sorted(whole.identity)
    assert min(len(layer) for layer in layers) > 0.25 * len(whole)


def test_keys_differ_by_seed_and_purpose() -> None:
    keys = {int(make_key(seed, purpose)[0]) for seed in range(20) for purpose in ("a", "b", "ab")}
    assert len(keys) == 60
