"""Which of two frames is the blurrier, on simulated slides seen through real optics."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from napari_autofocus.focus.blur_order import blur_order, sharpness_means_focus
from napari_autofocus.simulation.scene import Scene

SHAPE = (512, 512)


@pytest.fixture(scope="module")
def frames() -> dict[tuple[str, float], np.ndarray]:
    """Frames of three stained slides and an unstained one by defocus, µm."""
    found = {}
    for stain, density in (("he", "dense"), ("blood", "sparse"), ("unstained", "sparse")):
        scene, rng = Scene.build(stain, density, "20x/0.75", seed=5, shape=SHAPE), np.random.default_rng(0)
        best_um = scene.best_focus_um(300.0, 200.0)
        for defocus_um in (0.0, 1.0, 4.0, -4.0, 7.0, 14.0):
            found[stain, defocus_um] = scene.snap(300.0, 200.0, best_um + defocus_um, rng=rng)
    return found


@pytest.mark.parametrize("stain", ["he", "blood"])
@pytest.mark.parametrize(("near", "far"), [(0.0, 1.0), (1.0, 4.0), (1.0, -4.0), (4.0, 7.0), (7.0, 14.0), (0.0, 14.0)])
def test_the_frame_farther_from_focus_is_the_blurrier(
    frames: dict[tuple[str, float], np.ndarray], stain: str, near: float, far: float
) -> None:
    sharp, blurred = frames[stain, near], frames[stain, far]
    assert blur_order(sharp, blurred).is_blurrier
    assert not blur_order(sharp, blurred).is_sharper
    assert blur_order(blurred, sharp).is_sharper
    assert not blur_order(blurred, sharp).is_blurrier


@pytest.mark.parametrize("stain", ["he", "blood"])
def test_nothing_is_claimed_of_frames_equally_far_from_focus(
    frames: dict[tuple[str, float], np.ndarray], stain: str
) -> None:
    order = blur_order(frames[stain, 0.0], frames[stain, 0.0])
    assert not order.is_blurrier
    assert not order.is_sharper


def test_nothing_is_claimed_of_different_fields(frames: dict[tuple[str, float], np.ndarray]) -> None:
    order = blur_order(frames["he", 0.0], frames["blood", 4.0])
    assert not order.is_blurrier
    assert not order.is_sharper


def test_only_the_part_that_counts_is_compared(frames: dict[tuple[str, float], np.ndarray]) -> None:
    sharp, mixed = frames["he", 0.0], frames["he", 0.0].copy()
    mixed[:, :256] = cv2.GaussianBlur(mixed, (0, 0), 6)[:, :256]
    left = np.zeros(SHAPE, bool)
    left[:, :240] = True
    right = np.zeros(SHAPE, bool)
    right[:, 280:] = True
    assert blur_order(sharp, mixed, left).is_blurrier
    assert not blur_order(sharp, mixed, right).is_blurrier
    assert not blur_order(sharp, mixed, np.zeros(SHAPE, bool)).is_blurrier


@pytest.mark.parametrize("defocus_um", [0.0, 4.0, -4.0, 14.0])
@pytest.mark.parametrize("stain", ["he", "blood"])
def test_stained_specimens_are_sharpest_in_focus(
    frames: dict[tuple[str, float], np.ndarray], stain: str, defocus_um: float
) -> None:
    assert sharpness_means_focus(frames[stain, defocus_um])


@pytest.mark.parametrize("defocus_um", [4.0, -4.0, 7.0])
def test_transparent_specimens_are_not(frames: dict[tuple[str, float], np.ndarray], defocus_um: float) -> None:
    assert not sharpness_means_focus(frames["unstained", defocus_um])
    assert not sharpness_means_focus(frames["unstained", defocus_um].mean(axis=2).astype(np.uint8))


def test_signal_on_a_dark_ground_is_sharpest_in_focus() -> None:
    frame = np.full(SHAPE, 10, np.uint16)
    frame[100:140, 100:300] = 900
    assert sharpness_means_focus(frame)
    assert not sharpness_means_focus(np.full(SHAPE, 10, np.uint16))
