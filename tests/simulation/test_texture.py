"""Unlimited textures: their statistics, and that pixels and points agree."""

from __future__ import annotations

import numpy as np
import pytest

from napari_autofocus.simulation.scatter import make_key
from napari_autofocus.simulation.texture import ease, noise, noise_at, rough_noise, threads
from napari_autofocus.simulation.view import View

KEY = make_key(3, "texture")


def test_noise_has_mean_zero_and_unit_deviation() -> None:
    image = noise(View(0.0, 0.0, (600, 600), 0.5), KEY, 2.0)
    assert image.mean() == pytest.approx(0.0, abs=0.05)
    assert image.std() == pytest.approx(1.0, rel=0.05)
    assert rough_noise(View(0.0, 0.0, (600, 600), 0.5), KEY, 4.0, 3).std() == pytest.approx(1.0, rel=0.1)


def test_noise_is_the_same_on_pixels_and_at_points() -> None:
    view = View(103.0, -57.0, (20, 30), 0.7)
    x, y = np.meshgrid(view.columns_um, view.rows_um)
    points = noise_at(x.ravel(), y.ravel(), KEY, 5.0).reshape(view.shape)
    assert np.allclose(noise(view, KEY, 5.0), points, atol=1e-5)


def test_noise_finer_than_the_pixels_fades() -> None:
    view = View(0.0, 0.0, (200, 200), 2.0)
    assert noise(view, KEY, 1.2).std() == pytest.approx(0.6, rel=0.1)
    assert not noise(view, KEY, 0.9).any()


def test_noise_has_no_creases() -> None:
    line = noise(View(0.0, 0.0, (1, 4001), 0.005), KEY, 1.0)[0].astype(float)
    assert np.abs(np.diff(line)).max() < 0.005 * 4
    assert np.abs(np.diff(line[::20], n=2)).max() < 0.1**2 * 15


def test_threads_ease_between_values_of_whole_numbers() -> None:
    coordinate = np.linspace(-3, 4, 701)[None, :]
    stripes = threads(coordinate, KEY)[0]
    assert 0 <= stripes.min() < stripes.max() <= 1
    assert np.abs(np.diff(stripes)).max() < 0.016
    assert threads(np.array([[2.5]]), KEY)[0, 0] == pytest.approx(stripes[550], abs=1e-6)


def test_ease_goes_from_zero_to_one() -> None:
    eased = ease(np.array([-1, 0, 0.5, 1, 2], np.float32))
    assert eased.tolist() == [0.0, 0.0, 0.5, 1.0, 1.0]
