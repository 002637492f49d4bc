"""Glass is told from content by one frame, whatever the camera's noise, counts and colour."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from napari_autofocus.focus.glass import shows_detail
from napari_autofocus.simulation.scene import Scene


@pytest.mark.parametrize("noise", [0.0, 0.3, 2.0, 12.0])
@pytest.mark.parametrize("level", [5, 60, 230])
def test_noise_on_light_that_falls_off_is_glass(noise: float, level: int) -> None:
    rng = np.random.default_rng(1)
    y, x = np.mgrid[-1:1:400j, -1:1:500j]
    light = level * (1 - 0.2 * (x**2 + y**2) / 2)
    image = np.clip(np.rint(light + noise * rng.normal(size=light.shape)), 0, 255).astype(np.uint8)
    assert not shows_detail(image) or noise == 0.0  # bare rounding without noise looks like contour lines


@pytest.mark.parametrize("value", [0, 255])
def test_even_black_and_white_are_glass(value: int) -> None:
    assert not shows_detail(np.full((300, 200, 3), value, np.uint8))
    assert not shows_detail(np.full((3, 2), value, np.uint16))


def test_a_single_small_cell_is_content() -> None:
    rng = np.random.default_rng(2)
    image = 220 + 2 * rng.normal(size=(500, 600))
    spot = np.zeros_like(image)
    cv2.circle(spot, (333, 97), 9, 60.0, -1)
    image -= cv2.GaussianBlur(spot, (0, 0), 6)
    assert shows_detail(np.clip(image, 0, 255).astype(np.uint8))
    assert shows_detail(np.clip(image * 16, 0, 65535).astype(np.uint16))


@pytest.mark.parametrize(("density", "shows"), [("dense", True), ("empty", False)])
def test_simulated_fields_are_told_apart_out_of_focus_too(density: str, shows: bool) -> None:
    scene = Scene.build("he", density, seed=5, shape=(256, 320))
    rng = np.random.default_rng(0)
    for defocus_um in (-3.0, 3.0):
        image = scene.snap(0.0, 0.0, scene.best_focus_um(0.0, 0.0) + defocus_um, rng=rng)
        assert shows_detail(image) == shows
